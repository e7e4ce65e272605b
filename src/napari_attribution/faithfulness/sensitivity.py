r"""Sensitivity-n: whether the map's sums foretell what the score loses.

Ancona et al., ICLR 2018 (arXiv 1711.06104, definition in section 4). For random subsets T of n units,

    sensitivity-n = corr over T of  (sum of the map over T,  S(input) - S(input with T filled))

Pearson's correlation, 1 for a map whose sums are right up to a scale. It is NaN where either side is the same for every
subset (a map of one value, a constant classifier): a correlation has no meaning there.

Where this deviates from the paper:

- units are square-like patches, a grid of `patches` x `patches` that shares out the input evenly (fewer where it has fewer
  pixels), each with all its stains under an (h, w) map, and one stain of it under a (C, h, w) map. A few random pixels
  among 250,000 change no score, and half of them are noise to any network: only sums over patches can be foretold;
- one n: a fifth of the units, at least one, instead of a row of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_attribution.faithfulness.ranking import Mask, count_of
from napari_attribution.faithfulness.removal import map_of, scores_of_kept
from napari_attribution.methods.question.problem import Problem

SAMPLES = 60


def patch_numbers(shape: tuple[int, ...], patches: int = 8) -> npt.NDArray[np.int64]:
    """To which patch each unit of an (h, w) or (C, h, w) map belongs, from 0; planes have patches of their own.

    Parameters
    ----------
    shape : (h, w) or (C, h, w)
    patches : int
        Along each side.
    """
    *planes, h, w = shape
    down, across = min(patches, h), min(patches, w)
    rows, columns = np.arange(h) * down // h, np.arange(w) * across // w
    plane = rows[:, None] * across + columns
    if not planes:
        return plane
    return plane + down * across * np.arange(planes[0])[:, None, None]


def sensitivity_n(
    problem: Problem,
    values: npt.ArrayLike,
    share: float = 0.2,
    samples: int = SAMPLES,
    patches: int = 8,
    seed: int = 0,
) -> float:
    """Correlation of the map's sums over random subsets of patches with the score's drop, with samples + 1 forwards.

    Parameters
    ----------
    problem : Problem
    values : (h, w) or (C, h, w) array
        The signed map at the input's resolution.
    share : float
        n, as a share of all units.
    samples : int
        Subsets drawn.
    patches : int
        Along each side of the input.
    seed : int

    Raises
    ------
    RequestError
        For a map with NaN or of another shape.
    ClassifierError
        For scores that are not numbers.
    """
    checked = map_of(problem, values)
    numbers = patch_numbers(checked.shape, patches)
    units = int(numbers.max()) + 1
    of_unit = np.bincount(numbers.ravel(), checked.ravel(), minlength=units)
    n = max(1, count_of(share, units))
    random = np.random.default_rng(seed)
    drawn = np.array([random.choice(units, n, replace=False) for _ in range(samples)])

    def kept(number: int) -> Mask:
        if number == 0:
            return np.ones_like(numbers, dtype=bool)
        return ~np.isin(numbers, drawn[number - 1])

    scores = problem.score.of(scores_of_kept(problem, kept, samples + 1)).double().numpy()
    return pearson(of_unit[drawn].sum(axis=1), scores[0] - scores[1:])


def pearson(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Pearson's correlation; NaN where one of both is the same everywhere, to the accuracy of float32."""
    if len(a) < 2:
        return float("nan")
    for values in (a, b):
        if np.ptp(values) <= 1e-6 * np.abs(values).max():
            return float("nan")
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
