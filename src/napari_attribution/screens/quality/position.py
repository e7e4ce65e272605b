"""Whether the place of a well on the plate counts: row, column and rim effects in the classifier's logits.

For each class, a well's value is the mean of its fields' logits. Where conditions are known, the median of the wells of the
same conditions is taken from it, so that a treatment laid out in columns is no effect of the column. What is left of a row
(or column, or the wells at the rim of the plate) has a median; the plate's is taken from it, and the difference is given in
standard deviations as the plate's median absolute deviation estimates them. Of several classes the largest counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

FEWEST = 3
"""Wells in a row, in a column, at the rim or of the same conditions: of fewer nothing is said."""
TO_SIGMA = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""


def effects(
    wells: Numbers,
    row: Numbers,
    column: Numbers,
    at_rim: npt.NDArray[np.bool_],
    groups: Numbers,
    logits: Sequence[Floats],
) -> Mapping[str, Floats]:
    """The effects that each field's place has.

    Parameters
    ----------
    wells : (n,) ndarray
        The number of each field's well, counted from 0.
    row, column : (n,) ndarray
        Of the well on the plate.
    at_rim : (n,) ndarray of bool
        Whether it lies at the rim of the plate.
    groups : (n,) ndarray
        A number for each set of conditions.
    logits : sequence of (n,) ndarray
        One a class; NaN where a field failed.

    Returns
    -------
    mapping
        `row_effect`, `column_effect` and `edge_effect`, (n,) each; NaN where nothing can be said, and for the edge in
        the wells that do not lie there.
    """
    first = np.unique(wells, return_index=True)[1]
    of_well = {
        name: values[first] for name, values in {"row": row, "column": column, "rim": at_rim.astype(np.int64)}.items()
    }
    found = {name: np.full(len(first), np.nan) for name in of_well}
    for values in logits:
        left = _without_conditions(_mean_of(values, wells, len(first)), groups[first])
        for name, lines in of_well.items():
            effect = _of_lines(left, lines)
            larger = np.abs(effect) > np.nan_to_num(np.abs(found[name]), nan=-1)
            found[name] = np.where(larger, effect, found[name])
    found["rim"] = np.where(of_well["rim"] == 1, found["rim"], np.nan)
    return {
        f"{said}_effect": found[name][wells] for said, name in (("row", "row"), ("column", "column"), ("edge", "rim"))
    }


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
    if not there.any():
        return found
    middle = np.median(values[there])
    scale = TO_SIGMA * np.median(np.abs(values[there] - middle))
    if scale <= 0:
        return found
    for line in np.unique(lines):
        of = (lines == line) & there
        if np.count_nonzero(of) >= FEWEST:
            found[lines == line] = (np.median(values[of]) - middle) / scale
    return found
