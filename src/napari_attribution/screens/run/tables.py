"""Tables on the disk of which only a piece, or a column, is in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_attribution.keeping.files import written_whole

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

PIECE = 4096
"""Rows of a piece, as far as the tables are not larger that it is gathered from."""
HELD = 32
"""Tables that are held apart: one of a single row takes a hundred times the room of its numbers."""


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table so that it is whole, and on the disk, before it has its name.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    with written_whole(path) as temporary:
        write_pieces(temporary, [table])


def write_pieces(path: Path, pieces: Iterable[pa.Table]) -> None:
    """Write a table piece by piece, and see that it is on the disk.

    Parameters
    ----------
    path : Path
    pieces : iterable of pyarrow.Table
        At least one, all with the same columns; a row group each.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    rest = iter(pieces)
    first = next(rest)
    with path.open("wb") as file:
        with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
            writer.write_table(first)
            del first
            for piece in rest:
                writer.write_table(piece)
        file.flush()
        os.fsync(file.fileno())


def in_pieces(tables: Iterable[pa.Table], rows: int = PIECE) -> Iterator[pa.Table]:
    """Small tables put together, until there are so many rows."""
    import pyarrow as pa  # type: ignore[import-untyped]

    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if len(held) == HELD:
            held = [pa.concat_tables(held).combine_chunks()]
        if sum(one.num_rows for one in held) >= rows:
            yield pa.concat_tables(held).combine_chunks()
            held = []
    if held:
        yield pa.concat_tables(held).combine_chunks()


def cut_at(pieces: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows, so many at a time, and what is left in the end."""
    import pyarrow as pa  # type: ignore[import-untyped]

    held: list[pa.Table] = []
    for piece in pieces:
        table = pa.concat_tables([*held, piece])
        whole = table.num_rows - table.num_rows % rows
        yield from (table.slice(at, rows) for at in range(0, whole, rows))
        held = [table.slice(whole)] if whole < table.num_rows else []
    yield from held


class TableFile:
    """A table in a file, read by the column or by the piece in which it was written."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        self._file = pq.ParquetFile(path)

    @property
    def num_rows(self) -> int:
        rows: int = self._file.metadata.num_rows
        return rows

    @property
    def column_names(self) -> Sequence[str]:
        names: list[str] = self._file.schema_arrow.names
        return names

    def column(self, name: str) -> pa.ChunkedArray:
        """All rows of one column."""
        # Threads would have a heap each, which keeps what was read last.
        return self._file.read(columns=[name], use_threads=False).column(0)

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows, or some columns of them, piece by piece."""
        for number in range(self._file.num_row_groups):
            piece = self._file.read_row_group(number, columns=columns, use_threads=False)
            yield piece if columns is None else piece.select(columns)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@contextmanager
def opened(path: Path) -> Iterator[TableFile]:
    """A table in a file, for as long as it is needed."""
    table = TableFile(path)
    try:
        yield table
    finally:
        table.close()
