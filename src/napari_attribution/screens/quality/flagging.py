"""Flagging: which fields lie beyond the limits of the flags, and the sentences that say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from napari_attribution.methods.choice.catalogue import ALL
from napari_attribution.screens.quality.flags import FLAGS, Flag
from napari_attribution.screens.quality.robust import Floats, Usual


class _Said(float):
    """A number as it is written: with a minus sign that is one, and a space before the per cent."""

    def __format__(self, how: str) -> str:
        return super().__format__(how).replace("-", "−").replace("%", " %")


CELLS = "quality.cells"
"""The column of the share of a field that cells cover, which maps are held against."""


def looked_at(columns: Sequence[str]) -> list[str]:
    """Those of the columns that some flag looks at, or holds others against."""
    return [column for column in columns if column == CELLS or any(_looks(flag, column) for flag in FLAGS)]


def _looks(flag: Flag, column: str) -> bool:
    return column.startswith(flag.before) and column.endswith(flag.after)


def flagged(
    numbers: Mapping[str, Floats], on_the_plate: Mapping[str, Usual], count: int
) -> tuple[list[str], list[str]]:
    """The flags of some fields, and their sentences.

    Parameters
    ----------
    numbers : mapping of column to (n,) ndarray
        NaN, which no flag is raised by, where a field has no value.
    on_the_plate : mapping of column to Usual
        What is usual of each column that is looked at.
    count : int
        How many fields there are, n.

    Returns
    -------
    (list of n str, list of n str)
        The names of the flags, joined by "; ", each once; their sentences, joined by spaces. Empty for none.
    """
    names: list[dict[str, None]] = [{} for _ in range(count)]
    why: list[list[str]] = [[] for _ in range(count)]
    for flag in FLAGS:
        looked = [column for column in numbers if _looks(flag, column)]
        if not looked:
            continue
        between = [column[len(flag.before) : len(column) - len(flag.after)] for column in looked]
        found = [
            _beyond(flag, name, numbers[column], on_the_plate[column], numbers.get(CELLS))
            for name, column in zip(between, looked, strict=True)
        ]
        beyond, middles = (np.stack(values) for values in zip(*found, strict=True))
        for at in np.flatnonzero((beyond > 0).any(axis=0)):
            worst = int(np.argmax(beyond[:, at]))
            sentence = flag.sentence.format(
                names=_listed([between[i] for i in np.flatnonzero(beyond[:, at] > 0)]),
                name=_title(between[worst]),
                value=_Said(numbers[looked[worst]][at]),
                middle=_Said(middles[worst, at]),
            )
            names[at][flag.name] = None
            why[at].append(sentence)
    return ["; ".join(found) for found in names], [" ".join(said) for said in why]


def _beyond(flag: Flag, name: str, values: Floats, on_the_plate: Usual, cells: Floats | None) -> tuple[Floats, Floats]:
    """How far each value lies beyond the limit, above 0 where it does; and what it is held against, the plate's median or cells."""
    middle, spread = on_the_plate
    middles = np.full_like(values, middle)
    if flag.against == "cells":
        middles = np.full_like(values, np.nan) if cells is None else cells
    limit = flag.limit_of(name) * (middles if flag.against else np.ones_like(values))
    if flag.side == "above":
        beyond = values - limit
    elif flag.side == "below":
        beyond = limit - values
    else:
        beyond = np.abs(values) - limit
    if flag.spreads:
        beyond = np.where(np.abs(values - middle) > flag.spreads * spread, beyond, -np.inf)
    return np.nan_to_num(beyond, nan=-np.inf), middles


def _title(name: str) -> str:
    """A method as people call it; a stain as it is."""
    return ALL[name].title if name in ALL else name


def _listed(names: Sequence[str]) -> str:
    """ "DNA is", "DNA and ER are"."""
    if len(names) == 1:
        return f"{names[0]} is"
    return f"{', '.join(names[:-1])} and {names[-1]} are"
