"""The end of a run: what only the whole plate tells, then the table, which says by being there that the run is finished."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from napari_attribution.screens.results.folder import TABLE
from napari_attribution.screens.run.ledger import Ledger, write_table
from napari_attribution.screens.run.maps import describe_plate
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
    rows = ledger.rows()
    errors = rows["error"].to_pylist()
    judged, why_not = _judged(rows)
    places = zip(rows["well"].to_pylist(), rows["field"].to_pylist(), errors, strict=True)
    shown = [Field(well, field, {}) for well, field, error in places if not error]
    if plan.maps and shown:
        describe_plate(ledger.out, plan.plate.name, shown)
    ledger.write_record(
        finished={
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 1),
            "fields": len(errors),
            "failed": sum(bool(error) for error in errors),
            "not_judged": why_not,
        }
    )
    write_table(ledger.out / TABLE, judged)


def _judged(rows: pa.Table) -> tuple[pa.Table, str | None]:
    """The rows with what the whole plate tells of them; where it cannot be told, they stay as they are, and why is known."""
    from napari_attribution.screens.quality.judging import judge

    try:
        return judge(rows), None
    except Exception as error:
        # Hours of work are not lost over it.
        return _unflagged(rows), " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _unflagged(rows: pa.Table) -> pa.Table:
    import pyarrow as pa  # type: ignore[import-untyped]

    at = rows.schema.get_field_index("seconds")
    for name in ("why", "flags"):
        rows = rows.add_column(at, name, pa.array([""] * len(rows), pa.string()))
    return rows
