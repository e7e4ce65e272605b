"""Judging: what the whole plate says of each field, and the flags.

First what is usual on the plate is learned, one column at a time; then the fields are held against it, some at a time. So the
table of a screen need never be in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_attribution.screens.quality.distance import OfClasses, distances, importances, usual_of_classes
from napari_attribution.screens.quality.flagging import flagged, looked_at
from napari_attribution.screens.quality.position import Effects, effects_of
from napari_attribution.screens.quality.robust import Floats, Usual, usual
from napari_attribution.screens.quality.tables import Columns, numbers

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]


@dataclass(frozen=True)
class WholePlate:
    """All that a field is held against.

    Parameters
    ----------
    importances : mapping of method to what is usual of its importances in each class
    effects : Effects or None
        What the place of a well does; None where it cannot be told.
    measures : mapping of column to what is usual of it
        For the columns that flags look at, those that judging adds among them.
    """

    importances: Mapping[str, OfClasses]
    effects: Effects | None
    measures: Mapping[str, Usual]

    def added(self, table: Columns) -> dict[str, Floats]:
        """The columns that only the whole plate tells, (n,) each: `distance.<method>`, and the effects of the place."""
        found = {f"distance.{method}": distances(table, classes) for method, classes in self.importances.items()}
        return found | (self.effects.of_fields(table) if self.effects else {})


def learn(table: Columns) -> WholePlate:
    """What is usual on a plate.

    Parameters
    ----------
    table : Columns
        One row a field, as the run measured it: a `pyarrow.Table`, or what reads a column of a file when it is asked. Columns
        that are not there are not looked at.
    """
    of_classes = {
        method: usual_of_classes(table, columns) for method, columns in importances(table.column_names).items()
    }
    plate = WholePlate(of_classes, effects_of(table), {})
    measures = {name: usual(numbers(table, name)) for name in looked_at(table.column_names)}
    measures |= {name: usual(values) for name, values in plate.added(table).items()}
    return WholePlate(plate.importances, plate.effects, measures)


def judged(rows: pa.Table, plate: WholePlate) -> pa.Table:
    """Add what only the whole plate tells: distances, effects of the place, `flags` and `why`; before `seconds`.

    Parameters
    ----------
    rows : pyarrow.Table
        Some rows of the table of which the plate was learned.
    plate : WholePlate

    Returns
    -------
    pyarrow.Table
        The same rows in the same order.
    """
    import pyarrow as pa

    added = plate.added(rows)
    values = {name: numbers(rows, name) for name in looked_at(rows.column_names)} | added
    names, why = flagged(values, plate.measures, rows.num_rows)
    columns = {name: pa.array(one, pa.float64()) for name, one in added.items()}
    columns |= {"flags": pa.array(names, pa.string()), "why": pa.array(why, pa.string())}
    at = rows.column_names.index("seconds") if "seconds" in rows.column_names else rows.num_columns
    for offset, (name, one) in enumerate(columns.items()):
        rows = rows.add_column(at + offset, name, one)
    return rows


def judge(table: pa.Table) -> pa.Table:
    """The same of a whole table at once."""
    return judged(table, learn(table))
