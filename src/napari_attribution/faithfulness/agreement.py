r"""Agreement: do two maps of the same pixels point at the same places?

Two numbers, of maps A and B over the same n places:

    correlation   Spearman's: Pearson's correlation of the places' ranks r_A and r_B,

                      rho = cov(r_A, r_B) / (sd(r_A) sd(r_B))

                  where places with the same value share the mean of their ranks. 1 where both maps put all places in the
                  same order, 0 where the one order says nothing about the other, -1 where it is reversed.
    overlap       of the places that count for most in each map. T_A are the round(0.2 n) highest places of A, those that
                  do not speak for the class (values that are not positive) left out; T_B alike. Dice's coefficient,

                      overlap = 2 |T_A and T_B| / (|T_A| + |T_B|)

                  1 where they are the same places, 0 where they have none in common. Sets of the same sizes that were
                  laid at random would share `by_chance` = 2 |T_A| |T_B| / (n (|T_A| + |T_B|)): a fifth, for whole fifths.

Places that do not speak for the class are left out because many maps are zero nearly everywhere: which of their zeros come first
is chance, and two maps would seem to agree about them.

Neither number changes where a map is multiplied by a positive number, so maps in different units can be compared by them.

Spearman, Am. J. Psychol. 15, 72 (1904); Dice, Ecology 26, 297 (1945).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import RequestError
from napari_attribution.faithfulness.ranking import Mask, check_map, count_of

SHARE = 0.2
"""Of the places: what counts as the top of a map."""


@dataclass(frozen=True)
class Agreement:
    """How far two maps agree.

    Parameters
    ----------
    correlation : float or None
        From -1 to 1; None where a map is the same everywhere, and so has no order.
    overlap : float or None
        From 0 to 1; None where a map nowhere speaks for the class.
    by_chance : float or None
        The overlap of sets of these sizes that were laid at random.
    why : tuple of str
        Sentences about what is None.
    """

    correlation: float | None
    overlap: float | None
    by_chance: float | None
    why: tuple[str, ...] = ()


def agreement(first: npt.ArrayLike, second: npt.ArrayLike, names: tuple[str, str] = ("A", "B")) -> Agreement:
    """How far two maps of the same pixels agree.

    Parameters
    ----------
    first, second : (h, w) or (C, h, w) arrays of the same shape
    names : (str, str)
        What to call the maps in a sentence.

    Raises
    ------
    RequestError
        For maps of different shapes, or with NaN or infinity.
    """
    maps = (check_map(first), check_map(second))
    if maps[0].shape != maps[1].shape:
        raise RequestError(
            f"Two maps agree or not place by place, so they need the same places; found {_shape(maps[0])} and "
            f"{_shape(maps[1])}. Compare maps of the same well."
        )
    why = []
    correlation = overlap = by_chance = None
    flat = [name for name, values in zip(names, maps, strict=True) if values.min() == values.max()]
    if flat:
        why.append(f"The map of {' and that of '.join(flat)} is the same everywhere: it has no order to compare.")
    else:
        correlation = _correlation(*maps)
    tops = [_top(values.ravel()) for values in maps]
    sizes = [int(places.sum()) for places in tops]
    silent = [name for name, size in zip(names, sizes, strict=True) if not size]
    if silent:
        why.append(f"The map of {' and that of '.join(silent)} nowhere speaks for the class: it has no top to compare.")
    else:
        overlap = 2 * int((tops[0] & tops[1]).sum()) / sum(sizes)
        by_chance = 2 * sizes[0] * sizes[1] / (maps[0].size * sum(sizes))
    return Agreement(correlation, overlap, by_chance, tuple(why))


def _top(values: npt.NDArray[np.float64]) -> Mask:
    """Which of (n,) values are among the highest fifth and positive; of equal ones, the first."""
    count = count_of(SHARE, values.size)
    if not count:
        return np.zeros(values.size, dtype=bool)
    least = np.partition(values, values.size - count)[values.size - count]
    chosen: Mask = values > max(least, 0.0)
    if least > 0:
        chosen[np.flatnonzero(values == least)[: count - int(chosen.sum())]] = True
    return chosen


def _correlation(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Pearson's correlation of the mean ranks of two maps, neither of which is the same everywhere."""
    a, b = (_mean_ranks(values.ravel()) for values in (first, second))
    a -= a.mean()
    b -= b.mean()
    return float(np.clip((a @ b) / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def _mean_ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n,) ranks from 0; equal values share the mean of theirs."""
    order = np.argsort(values)
    ordered = values[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    counts = np.diff(np.append(first, values.size))
    ranks = np.empty(values.size)
    ranks[order] = np.repeat(first + (counts - 1) / 2, counts)
    return ranks


def _shape(values: npt.NDArray[np.float64]) -> str:
    return " x ".join(map(str, values.shape))
