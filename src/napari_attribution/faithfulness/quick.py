r"""Quick: what comes with every map, for a few forwards: how much of the score its top fifth carries.

Of an input x, with S the score asked for and T the top 20 % of the units of its map (`ranking`), scores are had for

    filled      the fill alone, nothing of x
    keep        T of x, the fill elsewhere
    remove      x without T
    elsewhere   as many units of x, in the same shape, half the input's height and width away from T: the yardstick,
                what a map of that shape keeps by chance

and S(x) is known. Of a place in a whole field, everything else is the fill already: T is then taken within the place, and
"elsewhere" is half the height and width of the rectangle around it away.

A logit has no zero, so a share of it means nothing; shares are of the range r from the fill to the input:

    share(s) = (s - S(fill)) / r,    r = S(x) - S(fill)

which is 0 for the fill and 1 for the input, and does not change where a number is added to a logit. A share may be below 0 or
above 1: less than nothing, or more than the whole, was kept.

Where r is not greater than a tenth of the span between the highest and the lowest of the five scores, it is no measure of
them (the class scores as high in an empty image, or higher): then no shares are given, only the scores. Nothing is asked where
a map has no order, being the same everywhere, or where it is nowhere positive.

The well's inputs (tiles, cells) are taken together: T is taken in each, and the five scores are means over the inputs, so an
input whose own range is nearly zero does not spoil the rest. Of more than sixteen, sixteen that are spread evenly are asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_attribution.faithfulness.ranking import Mask, top
from napari_attribution.wells.place import Place

if TYPE_CHECKING:
    from napari_attribution.methods.answers.explained import Explained
    from napari_attribution.methods.question.problem import Problem

SHARE = 0.2
FORWARDS = 4
"""For each input that is asked."""
MOST_INPUTS = 16


def forwards_needed(inputs: int) -> int:
    """What it will take."""
    return FORWARDS * min(inputs, MOST_INPUTS)


@dataclass(frozen=True)
class Quick:
    """Mean scores over the inputs that were asked.

    Parameters
    ----------
    whole, filled, keep, remove, elsewhere : float
        In the score's unit.
    asked, inputs : int
        How many inputs were asked, and how many there are.
    of_stains : bool
        Whether the units are stains at places.
    """

    whole: float
    filled: float
    keep: float
    remove: float
    elsewhere: float
    asked: int = 1
    inputs: int = 1
    of_stains: bool = False

    @property
    def range(self) -> float | None:
        """r, where shares of it mean something."""
        scores = (self.whole, self.filled, self.keep, self.remove, self.elsewhere)
        r, span = self.whole - self.filled, max(scores) - min(scores)
        return r if r > 0.1 * span and r > 1e-6 * abs(self.whole) else None

    def share(self, score: float) -> float | None:
        """Of the range, 0 for the fill and 1 for the input."""
        return None if self.range is None else (score - self.filled) / self.range

    @property
    def figures(self) -> dict[str, float]:
        """For the record: the scores, and their shares where these mean something."""
        scores = {"keep 20": self.keep, "remove 20": self.remove, "elsewhere 20": self.elsewhere}
        shares = {name: share for name, score in scores.items() if (share := self.share(score)) is not None}
        ends = {"whole": self.whole, "filled": self.filled}
        return shares | {f"score {name}": score for name, score in (ends | scores).items()}


def quick(explained: Explained, check: Callable[[], None] = lambda: None) -> Quick | None:
    """Ask, with at most `FORWARDS` forwards for each of at most `MOST_INPUTS` inputs.

    Parameters
    ----------
    explained : Explained
    check : callable
        Called before each input; what it raises stops the work.

    Returns
    -------
    Quick, or None where the maps have no order or are nowhere positive.

    Raises
    ------
    RequestError
        For a map with NaN.
    ClassifierError
        For scores that are not numbers.
    """
    count = len(explained.problems)
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_INPUTS)).round().astype(int))
    if not any(orders(explained, int(index)) for index in chosen):
        return None
    scores = []
    for index in chosen:
        check()
        problem = explained.problems[int(index)]
        whole = float(problem.score.of(explained.scores[int(index)][None])[0])
        within = explained.within(int(index))
        scores.append([whole, *_ask(problem, top(explained.at_input(int(index)), SHARE, within), within)])
    whole, filled, keep, remove, elsewhere = np.mean(scores, axis=0).tolist()
    of_stains = explained.results[0].map.ndim == 3
    return Quick(whole, filled, keep, remove, elsewhere, len(chosen), count, of_stains)


def orders(explained: Explained, index: int) -> bool:
    """Whether a map prefers some units to others, and speaks for the class there."""
    values = explained.results[index].map
    return bool((values > 0).any()) and float(values.max()) > float(values.min())


def _ask(problem: Problem, chosen: Mask, within: Mask | None) -> list[float]:
    from napari_attribution.faithfulness.removal import scores_of_kept

    box = (slice(None), slice(None)) if within is None or not within.any() else Place(within).box
    elsewhere = np.zeros_like(chosen)
    inside = chosen[..., *box]
    h, w = inside.shape[-2:]
    elsewhere[..., *box] = np.roll(inside, (h // 2, w // 2), axis=(-2, -1))
    masks = (np.zeros_like(chosen), chosen, ~chosen, elsewhere)
    # The method has reported all its steps: these are not among them.
    silent = replace(problem, progress=lambda done, total: None)
    found: list[float] = problem.score.of(scores_of_kept(silent, lambda number: masks[number], len(masks))).tolist()
    return found
