"""Scratch: large arrays, in memory as long as they are small, else in files that are gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import OutputError

IN_MEMORY = 2**29
"""Bytes of arrays that may lie in memory at once."""


class Scratch:
    """Room for arrays, as a context.

    Parameters
    ----------
    folder : Path, optional
        Where files are put; else where the system puts what is temporary.
    in_memory : int, optional
        Bytes; an array that would go beyond lies in a file.
    """

    def __init__(self, folder: Path | None = None, in_memory: int = IN_MEMORY) -> None:
        self._folder = folder
        self._left = in_memory
        self._place: Path | None = None
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)

    def array(self, shape: tuple[int, ...]) -> npt.NDArray[np.float16]:
        """Room for so many float16 numbers; those of an array before that is needed no more are given back with `let_go`.

        Raises
        ------
        OutputError
            Where there is no room on the disk.
        """
        size = 2 * int(np.prod(shape))
        if size <= self._left:
            self._left -= size
            return np.zeros(shape, np.float16)
        self._number += 1
        path = self.place / f"{self._number}.npy"
        try:
            made: npt.NDArray[np.float16] = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        except OSError as error:
            raise OutputError(
                f"There is no room for {size / 2**30:.1f} GiB of pixels in {path.parent} ({error.strerror or error}). Make room, "
                "or choose a smaller size."
            ) from None
        with suppress(OSError):
            path.unlink()  # where an open file may lose its name, nothing is left of it even after a kill
        return made

    def let_go(self, array: npt.NDArray[Any]) -> None:
        """Give the room of an array back."""
        if isinstance(array, np.memmap):
            with suppress(OSError):
                Path(str(array.filename)).unlink()
        else:
            self._left += array.nbytes

    @property
    def place(self) -> Path:
        """A folder for files that are gone afterwards."""
        if self._place is None:
            self._place = Path(tempfile.mkdtemp(prefix=".scratch-", dir=self._folder))
        return self._place
