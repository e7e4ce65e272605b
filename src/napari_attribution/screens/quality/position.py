"""Whether the place of a well on the plate counts: row, column and rim effects in the classifier's logits.

For each class, a well's value is the mean of its fields' logits. Where conditions are known, the median of the wells of the
same conditions is taken from it, so that a treatment laid out in columns is no effect of the column. What is left of a row
(or column, or the wells at the rim of the plate) has a median; the plate's is taken from it, and the difference is given in
standard deviations as the plate's median absolute deviation estimates them. Of several classes the largest counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_attribution.screens.quality.robust import Floats, usual
from napari_attribution.screens.quality.tables import Columns, Numbers, codes, numbers, whole_numbers

FEWEST = 3
"""Wells in a row, in a column, at the rim or of the same conditions: of fewer nothing is said."""


@dataclass(frozen=True)
class Effects:
    """The effects that the place of a well has.

    Parameters
    ----------
    wide : int
        Columns of the plate.
    places : (wells,) ndarray
        `row * wide + column` of each well that has fields, ascending.
    of_wells : mapping of column to (wells,) ndarray
        `row_effect`, `column_effect` and `edge_effect`.
    """

    wide: int
    places: Numbers
    of_wells: Mapping[str, Floats]

    def of_fields(self, table: Columns) -> dict[str, Floats]:
        """The same for fields of these wells, (n,) each."""
        wells = np.searchsorted(self.places, _places(table, self.wide))
        return {name: values[wells] for name, values in self.of_wells.items()}


def effects_of(table: Columns) -> Effects | None:
    """The effects on a plate; None where there are no logits, or no fields.

    Parameters
    ----------
    table : Columns
        One row a field, with its `well`, `row` and `column`, the logits, and `condition.<name>` where conditions are known.
    """
    from napari_attribution.wells.plate import smallest_layout

    logits = [name for name in table.column_names if name.startswith("logit.")]
    if not logits or not table.num_rows:
        return None
    high, wide = smallest_layout(table.column("well").unique().to_pylist())
    places, first, wells = np.unique(_places(table, wide), return_index=True, return_inverse=True)
    row, column = np.divmod(places, wide)
    at_rim = (row == 0) | (row == high - 1) | (column == 0) | (column == wide - 1)
    groups = np.zeros(len(places), dtype=np.int64)
    for name in table.column_names:
        if name.startswith("condition."):
            of_fields, known = codes(table, name)
            groups = np.unique(groups * (len(known) + 1) + of_fields[first], return_inverse=True)[1].astype(np.int64)
    means = (_mean_of(numbers(table, name), wells, len(places)) for name in logits)
    return Effects(wide, places, effects(row, column, at_rim, groups, means))


def _places(table: Columns, wide: int) -> Numbers:
    return whole_numbers(table, "row") * wide + whole_numbers(table, "column")


def effects(
    row: Numbers, column: Numbers, at_rim: npt.NDArray[np.bool_], groups: Numbers, logits: Iterable[Floats]
) -> Mapping[str, Floats]:
    """The effects that each well's place has.

    Parameters
    ----------
    row, column : (wells,) ndarray
        Of the well on the plate.
    at_rim : (wells,) ndarray of bool
        Whether it lies at the rim of the plate.
    groups : (wells,) ndarray
        A number for each set of conditions.
    logits : iterable of (wells,) ndarray
        One a class: each well's value; NaN where all fields failed.

    Returns
    -------
    mapping
        `row_effect`, `column_effect` and `edge_effect`, (wells,) each; NaN where nothing can be said, and for the edge in
        the wells that do not lie there.
    """
    lines = {"row_effect": row, "column_effect": column, "edge_effect": at_rim.astype(np.int64)}
    found = {name: np.full(len(row), np.nan) for name in lines}
    for values in logits:
        left = _without_conditions(values, groups)
        for name, of in lines.items():
            effect = _of_lines(left, of)
            larger = np.abs(effect) > np.nan_to_num(np.abs(found[name]), nan=-1)
            found[name] = np.where(larger, effect, found[name])
    found["edge_effect"] = np.where(at_rim, found["edge_effect"], np.nan)
    return found


def _mean_of(values: Floats, wells: Numbers, count: int) -> Floats:
    """The mean over the fields of each well, of those that are numbers."""
    there = np.isfinite(values)
    sums = np.bincount(wells[there], values[there], count)
    numbers = np.bincount(wells[there], minlength=count)
    return np.where(numbers > 0, sums / np.maximum(numbers, 1), np.nan)


def _without_conditions(values: Floats, groups: Numbers) -> Floats:
    """Each well's value less the median of the wells of its conditions; NaN for those of conditions of few wells."""
    left = np.full_like(values, np.nan)
    for group in np.unique(groups):
        of = (groups == group) & np.isfinite(values)
        if np.count_nonzero(of) >= FEWEST:
            left[of] = values[of] - np.median(values[of])
    return left


def _of_lines(values: Floats, lines: Numbers) -> Floats:
    """How far the median of each well's line is from that of all, in standard deviations."""
    found = np.full_like(values, np.nan)
    there = np.isfinite(values)
    middle, spread = usual(values)
    if not spread > 0:
        return found
    for line in np.unique(lines):
        of = (lines == line) & there
        if np.count_nonzero(of) >= FEWEST:
            found[lines == line] = (np.median(values[of]) - middle) / spread
    return found
