r"""Curves: the score while the input is put back, or taken away, in the order of the map.

Petsiuk et al., BMVC 2018 (arXiv 1806.07421); Bluecher et al., 2024 (arXiv 2401.06654). With n units, S_k the score with k of
them in the input and the fill in place of the others,

    insertion       S_k with the k most important units in place, over k / n     higher is better
    deletion        S_(n-k) without the k most important, over k / n             lower is better
    insertion area  the area A under insertion, by trapezoids over k / n
    deletion area   the same under deletion
    SRG             insertion area - deletion area                               higher is better

Deletion read backwards is insertion of the least important units first, and has the same area. So SRG is the area of
insertion, most important first, less that of insertion, least important first: the symmetric relevance gain of Bluecher et
al., whose rankings of methods hold whatever the fill. A random order has an SRG of about zero.

Areas are normalised to the score's range r = S(input) - S(fill):

    insertion, deletion   (A - S(fill)) / |r|        SRG   (A_insertion - A_deletion) / |r|

|r| and not r: where the image as a whole speaks against the class (r < 0), a map that finds what speaks for it shall still
have the higher SRG. Where |r| is within a millionth of the larger of |S(input)| and |S(fill)|, a constant classifier among
these, a share of it means nothing: the areas are NaN. `raw_srg`, in the score's unit, is always a number.

Where this deviates from the papers:

- under a (C, h, w) map a unit is a stain at a place;
- in both curves tied units are counted from the same end of the ranking (`ranking`): deletion takes the last of them first.
  So a map that is the same everywhere has an SRG of exactly zero, whatever the image looks like on its left;
- normalised areas may leave 0 ... 1, where a part of the image scores more than the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_attribution.faithfulness.ranking import Mask, ranks, units_of
from napari_attribution.faithfulness.removal import map_of, scores_of_kept
from napari_attribution.methods.question.problem import Problem

STEPS = 20


@dataclass(frozen=True, eq=False)
class Curves:
    """Both curves of one map.

    Parameters
    ----------
    shares : (m,) float64 ndarray
        Of the units put back, or taken away; from 0 to 1.
    insertion : (m,) float64 ndarray
        Scores with the most important of them in place; from that of the fill to that of the input.
    deletion : (m,) float64 ndarray
        Scores without them; from that of the input to that of the fill.
    """

    shares: npt.NDArray[np.float64]
    insertion: npt.NDArray[np.float64]
    deletion: npt.NDArray[np.float64]

    @property
    def filled(self) -> float:
        """The score of the fill alone."""
        return float(self.insertion[0])

    @property
    def whole(self) -> float:
        """The score of the input."""
        return float(self.insertion[-1])

    @property
    def insertion_area(self) -> float:
        """Normalised; NaN where the score's range is zero."""
        return (self._area(self.insertion) - self.filled) / self._range

    @property
    def deletion_area(self) -> float:
        """Normalised; NaN where the score's range is zero."""
        return (self._area(self.deletion) - self.filled) / self._range

    @property
    def raw_srg(self) -> float:
        """Insertion area less deletion area, in the score's unit."""
        return self._area(self.insertion) - self._area(self.deletion)

    @property
    def srg(self) -> float:
        """Symmetric relevance gain, normalised; NaN where the score's range is zero."""
        return self.raw_srg / self._range

    def _area(self, curve: npt.NDArray[np.float64]) -> float:
        return float(((curve[1:] + curve[:-1]) / 2 * np.diff(self.shares)).sum())

    @property
    def _range(self) -> float:
        """|r|; NaN where it is zero."""
        r = abs(self.whole - self.filled)
        return r if r > 1e-6 * max(abs(self.whole), abs(self.filled)) else float("nan")


def curves(problem: Problem, values: npt.ArrayLike, steps: int = STEPS, within: Mask | None = None) -> Curves:
    """Insertion and deletion, with 2 * steps forwards.

    Parameters
    ----------
    problem : Problem
    values : (h, w) or (C, h, w) array
        The signed map at the input's resolution.
    steps : int
        Into how many equal shares the units are parted; fewer where there are fewer units.
    within : (h, w) bool ndarray, optional
        Places whose units alone are put back or taken away; for an input that is the fill everywhere else.

    Raises
    ------
    RequestError
        For a map with NaN or of another shape.
    ClassifierError
        For scores that are not numbers.
    """
    checked = map_of(problem, values)
    first, last = ranks(checked, within), ranks(-checked, within)
    size = units_of(checked, within)
    counts = np.unique(np.linspace(0, size, max(1, steps) + 1).round().astype(np.int64))
    inner = counts[1:-1]

    def kept(number: int) -> Mask:
        if number < len(counts):
            return first < int(counts[number])
        return last < size - int(inner[number - len(counts)])

    scores = problem.score.of(scores_of_kept(problem, kept, len(counts) + len(inner))).double().numpy()
    insertion = scores[: len(counts)]
    deletion = np.concatenate([insertion[-1:], scores[len(counts) :], insertion[:1]])
    return Curves(counts / size, insertion, deletion)
