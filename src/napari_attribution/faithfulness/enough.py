r"""Enough: how much of a map is enough for the classifier to say the same?

Of an input x, T(s) the most important share s of the units of its map (`ranking`), what is asked is x in T(s) and the fill
elsewhere, as `quick` asks it for a fifth: the score of it as a share of the range from the fill to the whole input,

    share(s) = (S(T(s)) - S(fill)) / r,    r = S(x) - S(fill)

and the class and the probabilities with it. Of a well of several inputs (tiles, cells) T is taken in each and class scores are
means over the inputs; of more than sixteen, the sixteen are asked that `quick` asks.

Where the answer is about a place of a whole field, everything else is the fill already: the units are then those of the place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from napari_attribution.errors import RequestError
from napari_attribution.faithfulness.curves import STEPS, Curves, curves
from napari_attribution.faithfulness.quick import MOST_INPUTS, orders
from napari_attribution.faithfulness.ranking import check_map, count_of, ranks, units_of
from napari_attribution.faithfulness.what_if import Verdict

if TYPE_CHECKING:
    from napari_attribution.methods.answers.explained import Explained
    from napari_attribution.methods.question.problem import Problem

NEVER = 2.0
"""When a place comes in that is never asked about: above any share."""


@dataclass(frozen=True)
class Enough:
    """What the classifier says of the most important share of the map.

    Parameters
    ----------
    part : float
        The share of the map that is left, from 0 to 1.
    kept : Verdict
        Of what is left.
    whole, filled : float
        The score of the inputs as they are, and of the fill alone.
    asked, inputs : int
        How many inputs were asked, and how many there are.
    """

    part: float
    kept: Verdict
    whole: float
    filled: float
    asked: int = 1
    inputs: int = 1

    @property
    def share(self) -> float | None:
        """Of the score's range; None where that is no measure, by the rule of `quick`."""
        return share_of(self.kept.score, self.whole, self.filled)


def share_of(score: float, whole: float, filled: float) -> float | None:
    """A score as a share of the range from the fill to the input; None where the range is no measure of it."""
    r, span = whole - filled, max(whole, filled, score) - min(whole, filled, score)
    return (score - filled) / r if r > 0.1 * span and r > 1e-6 * abs(whole) else None


def enough(explained: Explained, part: float, check: Callable[[], None] = lambda: None) -> Enough:
    """Ask with the most important share of the map alone: two forwards for each of at most sixteen inputs.

    Parameters
    ----------
    explained : Explained
    part : float
        From 0 to 1.
    check : callable
        Called before each input; what it raises stops the work.

    Raises
    ------
    RequestError
        For a share that is none, a map with NaN, or one that prefers no place.
    ClassifierError
        For scores that are not numbers.
    """
    from napari_attribution.faithfulness.removal import scores_of_kept

    chosen = _chosen(explained)
    found = []
    for index in chosen:
        check()
        problem, values, within = explained.problems[index], explained.at_input(index), explained.within(index)
        top = ranks(values, within) < count_of(part, units_of(values, within))
        masks = (top, np.zeros_like(top))
        found.append(scores_of_kept(_silent(problem), lambda number, masks=masks: masks[number], 2))  # type: ignore[misc]
    kept, filled = torch.stack([scores[0] for scores in found]), torch.stack([scores[1] for scores in found])
    score, classes = explained.problems[0].score, explained.problems[0].classifier.classes
    whole = explained.scores[chosen]
    return Enough(
        part,
        Verdict.of(kept, score, classes),
        Verdict.of(whole, score, classes).score,
        Verdict.of(filled, score, classes).score,
        len(chosen),
        len(explained.problems),
    )


def enough_curves(
    explained: Explained, steps: int = STEPS, progress: Callable[[int, int], None] = lambda done, total: None
) -> Curves:
    """Insertion and deletion of the map (`curves`), means over at most sixteen inputs; 2 * steps forwards for each.

    Parameters
    ----------
    explained : Explained
    steps : int
    progress : callable
        Called with (steps done, steps in all); what it raises stops the work.

    Raises
    ------
    RequestError, ClassifierError
        As for `enough`.
    """
    chosen = _chosen(explained)
    found = []
    for number, index in enumerate(chosen):
        values = explained.at_input(index)

        def report(done: int, total: int, number: int = number) -> None:
            progress(number * total + done, len(chosen) * total)

        problem = replace(explained.problems[index], progress=report)
        found.append(curves(problem, values, steps, explained.within(index)))
    # Inputs are of one size, and of several none is part filled: they share their steps.
    return Curves(
        found[0].shares,
        np.mean([one.insertion for one in found], axis=0),
        np.mean([one.deletion for one in found], axis=0),
    )


def entering(explained: Explained) -> npt.NDArray[np.float32]:
    """The share of the map at which each place of the well comes in, the most important first.

    A place is kept at a share s where this is below s. Of a map that is resolved by stain, it comes in with the first of its
    stains; where inputs overlap, at the mean of their shares.

    Parameters
    ----------
    explained : Explained

    Returns
    -------
    (H, W) float32 ndarray
        Between 0 and 1; `NEVER` outside what the answer is about.

    Raises
    ------
    RequestError
        For a map with NaN, or one that prefers no place.
    """
    _chosen(explained)
    planes, seen = [], []
    for index in range(len(explained.problems)):
        values, within = explained.at_input(index), explained.within(index)
        first = (ranks(values, within) + 0.5) / units_of(values, within)
        planes.append(torch.from_numpy(first if first.ndim == 2 else first.min(axis=0)))
        seen.append(torch.ones_like(planes[-1]))
    laid = explained.prepared.to_well(torch.stack(planes)).clip(0, 1)
    there = explained.prepared.to_well(torch.stack(seen)) > 0
    place = explained.attribution.place
    if place is not None:
        there &= place.mask
    return np.where(there, laid, np.float32(NEVER))


def forwards_of_curves(inputs: int, steps: int = STEPS) -> int:
    """What the curves take."""
    return 2 * steps * min(inputs, MOST_INPUTS)


def _chosen(explained: Explained) -> list[int]:
    """The numbers of the inputs that are asked.

    Raises
    ------
    RequestError
        Where no map has an order, or speaks for the class anywhere.
    """
    count = len(explained.problems)
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_INPUTS)).round().astype(int)).tolist()
    for index in chosen:
        check_map(explained.at_input(index))
    if not any(orders(explained, index) for index in chosen):
        raise RequestError(
            f"The map prefers no place that speaks for {explained.attribution.target}, so there is no top of it to keep. Explain "
            "the class that the classifier predicts, or by another method."
        )
    return [int(index) for index in chosen]


def _silent(problem: Problem) -> Problem:
    """The method has reported all its steps: these are not among them."""
    return replace(problem, progress=lambda done, total: None)
