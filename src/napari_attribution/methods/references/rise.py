r"""RISE: the mean of random masks, each weighted by the score of what it keeps.

Petsiuk et al., BMVC 2018 (arXiv 1806.07421). With the input X (C x h x w), masks m_i (h x w) that keep every cell of a
grid with probability p, laid over the pixels bilinearly with a random shift,

    M = 1 / (N p) sum_i S(X m_i) m_i        (eq. 6)

Where this deviates from the paper:

- what is masked becomes the fill, B + m (X - B), not zero: the two are one where the card normalises to zero;
- with `centred` (default) the scores are measured from their mean: M becomes what keeping a place gains, zero says
  nothing, and the noise that a large score brings is gone. On average over masks, it only takes a constant off the map;
- cells are squares of the input's longer side / `grid`, so that those of a wide input are as high as they are wide;
- the score is the one asked for: the logit by default, where the paper takes the probability.

Needs nothing but scores, so any classifier will do. The masks are drawn anew from `seed` for every input.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from napari_attribution.methods.channels.values import stain_values
from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.parameters import RiseParameters

_AT_ONCE = 64
"""Masks whose rows and columns are multiplied out together when they are summed."""


def compute(problem: Problem, parameters: RiseParameters) -> Result:
    """The (h, w) map."""
    h, w = problem.x.shape[2:]
    masks = Masks.draw(parameters, (h, w))

    def make(part: slice) -> Tensor:
        problem.progress(part.start, parameters.masks)
        return problem.mixed(masks.of(part)[:, None])

    scores = problem.score.of(problem.classifier.scores_of_many(make, parameters.masks)).cpu()
    problem.progress(parameters.masks, parameters.masks)
    if parameters.centred:
        # From one of them first: the mean of equal numbers is not quite their number.
        scores = scores - scores[0]
        scores = scores - scores.mean()
    values = masks.sum_by(scores) / (parameters.masks * parameters.keep)
    stains = stain_values(problem, "none")
    return Result(values, stains.importance, stains.meaning, problem.score.unit)


@dataclass(frozen=True)
class Masks:
    """Masks as they were drawn: laid over the pixels only when they are used, for all at once are too many.

    Parameters
    ----------
    cells : (N, rows, columns) Tensor
        1 where a cell is kept.
    shifts : (2, N) Tensor
        Of each, in pixels, down and right.
    size : (h, w)
    """

    cells: Tensor
    shifts: Tensor
    size: tuple[int, int]

    @classmethod
    def draw(cls, parameters: RiseParameters, size: tuple[int, int]) -> Masks:
        generator = torch.Generator().manual_seed(parameters.seed)
        along = min(parameters.grid, max(size))
        grid = [max(1, round(along * length / max(size))) for length in size]
        cells = torch.rand(parameters.masks, *grid, generator=generator) < parameters.keep
        shifts = [
            torch.randint(ceil(length / many), (parameters.masks,), generator=generator)
            for length, many in zip(size, grid, strict=True)
        ]
        return cls(cells.float(), torch.stack(shifts), size)

    def of(self, part: slice) -> Tensor:
        """(n, h, w) of some masks."""
        rows, columns = self._weights(part)
        return rows @ self.cells[part] @ columns.transpose(1, 2)

    def sum_by(self, weights: Tensor) -> Tensor:
        """(h, w) sum of all masks by their (N,) weights."""
        total = torch.zeros(self.size)
        for start in range(0, len(weights), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            rows, columns = self._weights(part)
            weighted = rows @ (weights[part, None, None] * self.cells[part])
            total += torch.einsum("nic,njc->ij", weighted, columns)
        return total

    def _weights(self, part: slice) -> list[Tensor]:
        """(n, h, rows) and (n, w, columns) weights of linear interpolation, of cells that overhang by one in all."""
        both = []
        for length, many, shift in zip(self.size, self.cells.shape[1:], self.shifts, strict=True):
            side = (many + 1) * ceil(length / many) / many
            at = (torch.arange(length) + shift[part, None] + 0.5) / side - 0.5
            both.append((1 - (at.clamp(0, many - 1)[:, :, None] - torch.arange(many)).abs()).clamp_min(0))
        return both


def forwards(prices: Prices, parameters: RiseParameters) -> float:
    """One a mask."""
    return float(parameters.masks)
