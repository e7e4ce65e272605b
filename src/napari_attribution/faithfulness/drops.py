r"""Drops: what is left of the score when only the map's top share of the input is left.

Chattopadhay et al., WACV 2018 (arXiv 1710.11063), as used by Samanta et al., Defence Science Journal 75(2), 2025 (eq. 6, 7).
With Y the score of an input and O that of the input reduced to its map's top share,

    average drop %  = 100 / N  sum max(0, (Y - O) / Y)      lower is better
    increase %      = 100 / N  sum [Y < O]                  higher is better

Here N is 1; the mean over inputs is the caller's. Both are given for the confidence (softmax probability of the class) and
for the activation (its logit), whatever score the map explains.

Where this deviates from the papers:

- the input is kept where the map's rank is within the share, and filled elsewhere; it is not multiplied by the map, whose
  scale would then decide;
- under a (C, h, w) map the share is one of stains at places;
- the change is divided by |Y|: a logit may be negative, and dividing by it would turn every fall into a rise. Where Y is
  zero a fall has no share of it: the drop is 0 where O >= Y, else NaN, to be left out of a mean. A logit near zero gives
  drops of thousands of per cent, and its zero means nothing to a softmax: prefer the confidence, or `curves`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy.typing as npt
import torch

from napari_attribution.faithfulness.ranking import count_of, ranks
from napari_attribution.faithfulness.removal import map_of, scores_of_kept
from napari_attribution.methods.question.problem import Problem

SHARES = (0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Drop:
    """What one reduced input shows.

    Parameters
    ----------
    share : float
        Of the units that were kept.
    whole, kept : float
        Y and O.
    """

    share: float
    whole: float
    kept: float

    @property
    def drop(self) -> float:
        """Per cent of Y that is lost, not below 0; NaN where Y is zero and O below it."""
        return drop(self.whole, self.kept)

    @property
    def increase(self) -> float:
        """100 where the score has risen, else 0: its mean over inputs is the increase %."""
        return 100.0 if self.whole < self.kept else 0.0


def drop(whole: float, kept: float) -> float:
    """100 max(0, (Y - O) / |Y|) for Y = `whole` and O = `kept`; 0 for no fall, NaN for a fall from zero."""
    if kept >= whole:
        return 0.0
    return 100.0 * (whole - kept) / abs(whole) if whole else float("nan")


def drops(problem: Problem, values: npt.ArrayLike, shares: Sequence[float] = SHARES) -> dict[str, tuple[Drop, ...]]:
    """Drop and increase for several shares, with one forward a share and one for the whole input.

    Parameters
    ----------
    problem : Problem
        Of its score only the class is used.
    values : (h, w) or (C, h, w) array
        The signed map at the input's resolution.
    shares : sequence of float

    Returns
    -------
    dict of "confidence" and "activation" to one Drop a share.

    Raises
    ------
    RequestError
        For a map with NaN or of another shape.
    ClassifierError
        For scores that are not numbers.
    """
    ranked = ranks(map_of(problem, values))
    counts = [ranked.size, *(count_of(share, ranked.size) for share in shares)]
    scores = scores_of_kept(problem, lambda number: ranked < counts[number], len(counts))
    target = problem.score.target
    found = {"confidence": scores.double().softmax(dim=1)[:, target], "activation": scores[:, target]}
    return {name: _against_whole(values, shares) for name, values in found.items()}


def _against_whole(scores: torch.Tensor, shares: Sequence[float]) -> tuple[Drop, ...]:
    whole, *kept = scores.tolist()
    return tuple(Drop(share, whole, score) for share, score in zip(shares, kept, strict=True))
