"""Flagging: which fields lie beyond the limits of the flags, and the sentences that say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from napari_attribution.methods.catalogue import ALL
from napari_attribution.screens.quality.flags import FLAGS, Flag
from napari_attribution.screens.quality.position import TO_SIGMA

Floats = npt.NDArray[np.float64]


class _Said(float):
    """A number as it is written: with a minus sign that is one, and a space before the per cent."""

    def __format__(self, how: str) -> str:
        return super().__format__(how).replace("-", "−").replace("%", " %")


def flagged(numbers: Mapping[str, Floats], count: int) -> tuple[list[str], list[str]]:
    """The flags of each field, and their sentences.

    Parameters
    ----------
    numbers : mapping of column to (n,) ndarray
        NaN, which no flag is raised by, where a field has no value.
    count : int
        How many fields there are.

    Returns
    -------
    (list of n str, list of n str)
        The names of the flags, joined by "; ", each once; their sentences, joined by spaces. Empty for none.
    """
    names: list[dict[str, None]] = [{} for _ in range(count)]
    why: list[list[str]] = [[] for _ in range(count)]
    for flag in FLAGS:
        looked = [name for name in numbers if name.startswith(flag.before) and name.endswith(flag.after)]
        if not looked:
            continue
        between = [name[len(flag.before) : len(name) - len(flag.after)] for name in looked]
        found = [_beyond(flag, name, numbers[column], numbers) for name, column in zip(between, looked, strict=True)]
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


def _beyond(flag: Flag, name: str, values: Floats, numbers: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """How far each value lies beyond the limit, above 0 where it does; and what it is held against, the plate's median or cells."""
    there = values[np.isfinite(values)]
    middle = float(np.median(there)) if there.size else np.nan
    middles = np.full_like(values, middle)
    if flag.against == "cells":
        middles = numbers.get("quality.cells", np.full_like(values, np.nan))
    limit = flag.limit_of(name) * (middles if flag.against else np.ones_like(values))
    if flag.side == "above":
        beyond = values - limit
    elif flag.side == "below":
        beyond = limit - values
    else:
        beyond = np.abs(values) - limit
    if flag.spreads and there.size:
        spread = TO_SIGMA * float(np.median(np.abs(there - middle)))
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
