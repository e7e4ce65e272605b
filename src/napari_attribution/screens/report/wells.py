"""The wells of results, side by side: their places, their values, what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_attribution.screens.report.columns import DOUBTED, FLAGGED, HIDDEN, number, title
from napari_attribution.screens.report.scale import Scale, is_text, scale_of

if TYPE_CHECKING:
    import pandas as pd

    from napari_attribution.screens.results import Results
    from napari_attribution.screens.results.notes import Note

SEPARATOR = "; "
"""Between the names of flags."""


@dataclass(frozen=True, eq=False)
class Wells:
    """One row a well, in the order of the plate.

    Parameters
    ----------
    frame : DataFrame
        `Results.wells()`.
    fields : DataFrame
        `Results.table`, one row a field.
    layout : (int, int)
        Rows and columns of the plate.
    classes, methods : tuple of str
    """

    frame: pd.DataFrame
    fields: pd.DataFrame
    layout: tuple[int, int]
    classes: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    @classmethod
    def of(cls, results: Results) -> Wells:
        """All wells of these results."""
        frame = results.wells().reset_index(drop=True)
        told = [names(one) for one in frame["flags"]] if "flags" in frame else [()] * len(frame)
        frame[FLAGGED] = [float(len(one)) for one in told]
        frame[DOUBTED] = [float(sum(about(name) == "explanation" for name in one)) for one in told]
        layout = (int(results.layout[0]), int(results.layout[1]))
        return cls(frame, results.table, layout, tuple(results.classes), tuple(results.methods))

    @cached_property
    def positions(self) -> tuple[str, ...]:
        """ "A01", ..."""
        return tuple(str(well) for well in self.frame["well"])

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Of each position, its row here."""
        return {well: at for at, well in enumerate(self.positions)}

    @cached_property
    def places(self) -> npt.NDArray[np.intp]:
        """(n, 2) rows and columns on the plate, from 0."""
        return self.frame[["row", "column"]].to_numpy(dtype=np.intp)

    @cached_property
    def at(self) -> Mapping[tuple[int, int], str]:
        """The well at each (row, column)."""
        return {(row, column): well for (row, column), well in zip(self.places.tolist(), self.positions, strict=True)}

    @cached_property
    def offered(self) -> tuple[str, ...]:
        """The columns that can be compared, those without any value left out."""
        found = [str(column) for column in self.frame.columns if column not in HIDDEN and column != "flags"]
        return tuple(column for column in found if self._has_values(column))

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """The columns that say what was done."""
        return tuple(str(column) for column in self.frame.columns if str(column).startswith("condition."))

    @cached_property
    def flagged(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a well has any flag."""
        return np.asarray(self.frame[FLAGGED].to_numpy() > 0)

    @cached_property
    def doubted(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a well has a flag about its explanation."""
        return np.asarray(self.frame[DOUBTED].to_numpy() > 0)

    @cached_property
    def failed(self) -> npt.NDArray[np.bool_]:
        """(n,) whether no field of a well could be explained."""
        if "failed" not in self.frame:
            return np.zeros(len(self.frame), dtype=bool)
        return np.asarray((self.frame["failed"] >= self.frame["fields"]).to_numpy())

    def flags(self, well: str) -> tuple[str, ...]:
        """The names of a well's flags."""
        return names(self.frame.at[self.index[well], "flags"]) if "flags" in self.frame else ()

    def values(self, column: str) -> npt.NDArray[Any]:
        """(n,) floats, or text (empty where there is none)."""
        values = self.frame[column]
        if is_text(list(values)):
            return np.array(["" if not isinstance(value, str) else value for value in values], dtype=object)
        return values.to_numpy(dtype=float)

    def scale(self, column: str) -> Scale:
        """The colours of a column; the importances of a method's stains share theirs, so that they can be compared."""
        start = column.rpartition(".")[0] if column.startswith("importance.") else ""
        kin = [one for one in self.offered if start and one.rpartition(".")[0] == start]
        return scale_of(np.concatenate([self.values(one) for one in kin]) if kin else self.values(column), self.classes)

    def varies(self, column: str) -> bool:
        """Whether a column tells wells apart."""
        values = self.values(column)
        found = {value for value in values if value} if values.dtype == object else set(values[np.isfinite(values)])
        return len(found) > 1

    def order(self, column: str, descending: bool = True) -> list[int]:
        """The wells ranked by a column: highest first, those without a value last; ties in the order of the plate."""
        values = self.values(column)
        if values.dtype == object:
            keys = [(not value, value) for value in values]
            there = sorted(
                (at for at in range(len(keys)) if values[at]), key=lambda at: keys[at], reverse=not descending
            )
            return [*there, *(at for at in range(len(keys)) if not values[at])]
        signed = np.where(np.isfinite(values), -values if descending else values, math.inf)
        return [int(at) for at in np.argsort(signed, kind="stable")]

    def done(self, well: str) -> str:
        """What was done to a well: "CCCP, concentration 10"."""
        row = self.index[well]
        told = []
        for column in self.conditions:
            value = self.frame.at[row, column]
            if isinstance(value, str) and value:
                told.append(value)
            elif isinstance(value, float | int | np.number) and math.isfinite(value):
                told.append(f"{title(column)} {value:g}")
        return ", ".join(told)

    def text(self, well: str, column: str) -> str:
        """A value in words."""
        value = self.frame.at[self.index[well], column]
        return (value or "no value") if isinstance(value, str) else number(float(value), column)  # type: ignore[arg-type]

    def told(self, well: str, column: str, notes: Mapping[str, Note]) -> str:
        """All that a person wants to know of a well at a glance."""
        if well not in self.index:
            return f"{well}: no image of it was explained."
        note = notes.get(well)
        parts = [
            self.done(well),
            f"{title(column, self.methods)}: {self.text(well, column)}",
            f"flags: {', '.join(self.flags(well))}" if self.flags(well) else "",
            "no field could be explained" if self.failed[self.index[well]] else "",
            f"left out: {note['excluded']}" if note and note["excluded"] else "",
            f"note: {note['note']}" if note and note["note"] else "",
        ]
        return f"{well}. " + ". ".join(part for part in parts if part) + "."

    def of_well(self, well: str) -> pd.DataFrame:
        """The rows of a well's fields."""
        return self.fields[self.fields["well"] == well]

    def numbers_of(self, well: str) -> tuple[int, ...]:
        """The numbers of a well's fields."""
        return tuple(int(number) for number in self.of_well(well)["field"])

    def _has_values(self, column: str) -> bool:
        values = self.values(column)
        return bool(any(values) if values.dtype == object else np.isfinite(values).any())


def names(told: object) -> tuple[str, ...]:
    """The names in a cell of `flags`."""
    return tuple(name for name in str(told).split(SEPARATOR) if name) if isinstance(told, str) else ()


def about(flag: str) -> str:
    """What a flag is about: "explanation", "image", "call" or "plate"; empty for one that is not known here."""
    from napari_attribution.screens.quality.flags import FLAGS

    return next((one.about for one in FLAGS if one.name == flag), "")


def why(row: Mapping[str, Any] | pd.Series[Any]) -> str:
    """What is wrong with a field, in sentences; empty where nothing is."""
    error = row["error"] if isinstance(row["error"], str) else ""
    told = row["why"] if "why" in row and isinstance(row["why"], str) else ""
    return f"It could not be explained: {error}" if error else told


def counted(columns: Sequence[Any]) -> dict[str, int]:
    """How often each flag was raised, most first."""
    found: dict[str, int] = {}
    for told in columns:
        for name in names(told):
            found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def first_field(wells: Wells, well: str) -> int:
    """The number of the first field of a well that could be explained; of the first, where none could."""
    rows = wells.of_well(well)
    good = rows[rows["error"].map(lambda told: not (isinstance(told, str) and told))]
    return int((good if len(good) else rows)["field"].iloc[0])
