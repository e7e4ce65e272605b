"""A table of fields, a column at a time, as arrays. It may lie in a file: no more than the columns asked for are ever in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_attribution.screens.quality.robust import Floats

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

Numbers = npt.NDArray[np.int64]


class Columns(Protocol):
    """What a `pyarrow.Table` is, too."""

    @property
    def num_rows(self) -> int: ...

    @property
    def column_names(self) -> Sequence[str]: ...

    def column(self, name: str) -> pa.ChunkedArray:
        """All rows of one column."""


def numbers(table: Columns, name: str) -> Floats:
    """A column of numbers, (n,)."""
    found: Floats = table.column(name).to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    return found


def whole_numbers(table: Columns, name: str) -> Numbers:
    """A column of whole numbers, (n,)."""
    found: Numbers = table.column(name).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return found


def codes(table: Columns, name: str) -> tuple[Numbers, list[Any]]:
    """A number for each value of a column, (n,), and what it stands for; those not known have the number after the last."""
    of_column = table.column(name).combine_chunks().dictionary_encode()
    known = of_column.dictionary.to_pylist()
    found: Numbers = of_column.indices.fill_null(len(known)).to_numpy(zero_copy_only=False).astype(np.int64)
    return found, known
