"""Which wells pass the filter, and which come next. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_attribution.screens.report.wells import about

if TYPE_CHECKING:
    from napari_attribution.screens.report.wells import Wells
    from napari_attribution.screens.results.notes import Note


ANY = "any"
ABOUT = ("explanation", "image", "call", "plate")
"""What flags are about."""


@dataclass(frozen=True)
class Filter:
    """Which wells are of interest.

    Parameters
    ----------
    text : str
        That the well's name, its conditions, class, flags or note must hold; several words must all be there.
    predicted : str
        The class; empty for any.
    flag : str
        The name of a flag, or what flags are about ("explanation", "image", "call", "plate"); "any" for any flag, and for wells
        without a result; empty for all wells.
    excluded : str
        "" for all, "in" for those that are not left out, "out" for those that are.
    """

    text: str = ""
    predicted: str = ""
    flag: str = ""
    excluded: str = ""


def passing(wells: Wells, chosen: Filter, notes: Mapping[str, Note]) -> np.ndarray:
    """(n,) whether each well passes."""
    passes = np.ones(len(wells.positions), dtype=bool)
    if chosen.predicted:
        passes &= wells.values("predicted") == chosen.predicted
    if chosen.flag == ANY:
        passes &= wells.flagged | wells.failed
    elif chosen.flag:
        flags = [[*wells.flags(well)] for well in wells.positions]
        passes &= [chosen.flag in some or chosen.flag in map(about, some) for some in flags]
    if chosen.excluded:
        out = np.array([is_out(well, notes) for well in wells.positions], dtype=bool)
        passes &= out if chosen.excluded == "out" else ~out
    if words := chosen.text.casefold().split():
        passes &= [all(word in told for word in words) for told in texts(wells, notes)]
    return passes


def ranked(wells: Wells, column: str, chosen: Filter, notes: Mapping[str, Note]) -> list[int]:
    """The wells that pass, highest first."""
    passes = passing(wells, chosen, notes)
    return [at for at in wells.order(column) if passes[at]]


def is_out(well: str, notes: Mapping[str, Note]) -> bool:
    """Whether a well is left out."""
    return well in notes and notes[well]["excluded"] is not None


def texts(wells: Wells, notes: Mapping[str, Note]) -> list[str]:
    """What the text of the filter is looked for in, a well each, in small letters."""
    predicted = wells.values("predicted") if "predicted" in wells.frame else [""] * len(wells.positions)
    told = []
    for at, well in enumerate(wells.positions):
        note = notes.get(well)
        noted = f"{note['note']} {note['excluded'] or ''}" if note else ""
        told.append(f"{well} {wells.done(well)} {predicted[at]} {' '.join(wells.flags(well))} {noted}".casefold())
    return told


def neighbour(order: Sequence[int], at: int | None, step: int) -> int | None:
    """The next one in an order (or the one before); from outside of it, its first (or last). None where there is none."""
    if not order:
        return None
    if at not in order:
        return order[0] if step > 0 else order[-1]
    place = order.index(at) + step
    return order[place] if 0 <= place < len(order) else None


def beside(wells: Wells, well: str, rows: int, columns: int) -> str:
    """The nearest well with results in a direction; empty where there is none."""
    row, column = (int(place) for place in wells.places[wells.index[well]])
    while True:
        row, column = row + rows, column + columns
        if not (0 <= row < wells.layout[0] and 0 <= column < wells.layout[1]):
            return ""
        if (row, column) in wells.at:
            return wells.at[row, column]
