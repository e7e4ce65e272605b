"""The end of a run: what only the whole plate tells, then the table, which says by being there that the run is finished.

However many fields there are, a piece of the table or one of its columns is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_attribution.keeping.files import written_whole
from napari_attribution.screens.results.folder import TABLE
from napari_attribution.screens.run.ledger import Ledger
from napari_attribution.screens.run.maps import describe_plate
from napari_attribution.screens.run.tables import TableFile, write_pieces
from napari_attribution.wells.plate import Field

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    from napari_attribution.screens.run.plan import Plan


def finish(ledger: Ledger, plan: Plan, seconds: float) -> None:
    """Judge the fields, describe the maps' plate, write the table.

    Raises
    ------
    OutputError
        Where they cannot be written; the parts stay, and the same command goes on.
    """
    with ledger.gathered() as rows:
        if plan.maps:
            describe_plate(ledger.out, plan.plate.name, _answered(rows))
        with written_whole(ledger.out / TABLE) as temporary:
            why_not = _write_judged(temporary, rows)
            ledger.write_record(
                finished={
                    "at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "seconds": round(seconds, 1),
                    "fields": rows.num_rows,
                    "failed": rows.num_rows - sum(1 for _ in _answered(rows)),
                    "not_judged": why_not,
                }
            )


def _answered(rows: TableFile) -> Iterator[Field]:
    """The fields that did not fail."""
    for piece in rows.pieces(["well", "field", "error"]):
        for well, number, error in zip(*(column.to_pylist() for column in piece.columns), strict=True):
            if not error:
                yield Field(well, number, {})


def _write_judged(path: Path, rows: TableFile) -> str | None:
    """Write the rows with what the whole plate tells of them; where it cannot be told, as they are, and say why."""
    try:
        write_pieces(path, _judged(rows))
    except _JudgingError as error:
        # Hours of work are not lost over it.
        write_pieces(path, map(_unflagged, rows.pieces()))
        return str(error)
    return None


class _JudgingError(Exception):
    """The plate could not be judged, and why."""


def _judged(rows: TableFile) -> Iterator[pa.Table]:
    from napari_attribution.screens.quality.judging import judged, learn

    try:
        plate = learn(rows)
        yield from (judged(piece, plate) for piece in rows.pieces())
    except Exception as error:
        raise _JudgingError(" ".join(f"{type(error).__name__}: {error}".split())[:300]) from error


def _unflagged(rows: pa.Table) -> pa.Table:
    import pyarrow as pa  # type: ignore[import-untyped]

    at = rows.schema.get_field_index("seconds")
    for name in ("why", "flags"):
        rows = rows.add_column(at, name, pa.array([""] * len(rows), pa.string()))
    return rows
