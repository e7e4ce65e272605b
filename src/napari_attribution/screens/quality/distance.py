"""How far the stains' importances of a field lie from those of the other fields of the same predicted class.

The root mean square, over the stains, of the standard deviations between each and the class's median (the standard deviation as
the class's median absolute deviation estimates it, a hundredth at least).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from napari_attribution.screens.quality.robust import Floats, Usual, usual
from napari_attribution.screens.quality.tables import Columns, codes, numbers

FEWEST = 8
"""Fields of a class, of fewer nothing is usual."""
LEAST_SPREAD = 0.01
"""Of an importance within a class, as a share of the explanation: smaller differences mean nothing."""

OfClasses = Mapping[str, Mapping[str, Usual]]
"""What is usual of each column of importances, in each class."""


def importances(names: Sequence[str]) -> dict[str, list[str]]:
    """The columns of importances, by the method."""
    found: dict[str, list[str]] = {}
    for name in names:
        if name.startswith("importance."):
            found.setdefault(name.split(".")[1], []).append(name)
    return found


def usual_of_classes(table: Columns, columns: Sequence[str]) -> OfClasses:
    """What is usual of a method's importances in each class that has fields enough.

    Parameters
    ----------
    table : Columns
        With the column `predicted`.
    columns : sequence of str
        The importances of one method; a field counts where it has them all.
    """
    classes, names = codes(table, "predicted")
    there = np.ones(table.num_rows, dtype=bool)
    for column in columns:
        there &= np.isfinite(numbers(table, column))
    enough = {code: name for code, name in enumerate(names) if np.count_nonzero((classes == code) & there) >= FEWEST}
    found: dict[str, dict[str, Usual]] = {}
    for column in columns:
        values = numbers(table, column)
        found[column] = {name: usual(values[(classes == code) & there]) for code, name in enough.items()}
    return found


def distances(table: Columns, of_classes: OfClasses) -> Floats:
    """The distance of each field, (n,), in standard deviations; NaN where it has no importances or its class no usual ones."""
    classes, names = codes(table, "predicted")
    squares = np.zeros(table.num_rows)
    for column, by_class in of_classes.items():
        of_code = [by_class.get(name, Usual(np.nan, np.nan)) for name in names] + [Usual(np.nan, np.nan)]
        middles = np.array([one.middle for one in of_code])
        spreads = np.maximum([one.spread for one in of_code], LEAST_SPREAD)
        squares += ((numbers(table, column) - middles[classes]) / spreads[classes]) ** 2
    found = np.sqrt(squares / max(len(of_classes), 1))
    return np.where(np.isfinite(found), found, np.nan)
