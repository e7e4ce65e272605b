"""Writing so that there is never half of a file, and nothing of the user's is overwritten in silence."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_attribution.errors import OutputError

LONGEST = 120
"""Letters that a file's stem may have: with its ending, and the mark of a file in the making, all systems take it."""


def check_folder(folder: Path) -> Path:
    """Make the folder if need be, and see that it can be written to, before any work is done.

    Raises
    ------
    OutputError
        Where it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"Nothing can be written to {folder} ({error.strerror or error}). Choose another folder."
        ) from None
    return folder


def stem_of(*parts: str) -> str:
    """A file's name from words: "B03-field-1_pcim_mito-fragmented", without what some system does not take."""
    words = (re.sub(r'[\s/\\:*?"<>|\x00-\x1f]+', "-", part).strip("-. ") for part in parts)
    return "_".join(word for word in words if word)[:LONGEST] or "answer"


def free_stem(folder: Path, stem: str, endings: Sequence[str]) -> str:
    """The stem, or "stem-2", "stem-3", ...: the first with which none of the files is there yet."""
    number, free = 1, stem
    while any((folder / f"{free}{ending}").exists() for ending in endings):
        number += 1
        free = f"{stem}-{number}"
    return free


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A place to write a file or folder to, which then takes the name `path`; where writing fails, nothing is left of it.

    Raises
    ------
    OutputError
        Where it cannot be written: no such folder, no permission, no room on the disk.
    """
    # The ending stays: writers go by it.
    name = f".{os.getpid()}.writing.{path.name}"
    temporary = path.with_name(name)
    try:
        yield temporary
        _take(temporary, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error}). {_advice(error)}") from None
    finally:
        _remove(temporary)


def _take(temporary: Path, path: Path) -> None:
    """Give the name to what was written; a folder cannot take the place of another, which makes way first."""
    if not temporary.is_dir() or not path.exists():
        temporary.replace(path)
        return
    former = path.with_name(f".{os.getpid()}.former.{path.name}")
    path.replace(former)
    temporary.replace(path)
    _remove(former)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _advice(error: OSError) -> str:
    if error.errno in _NO_ROOM:
        return "Make room on the disk, or choose another one."
    return "Choose another folder."


_NO_ROOM = {getattr(os, "ENOSPC", 28), 28, 122}
"""No space left on the device; the user's quota used up."""
