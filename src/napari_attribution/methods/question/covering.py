"""Covering: what the score loses where a region of the input is covered, asked of the network itself, region by region."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.errors import ClassifierError
from napari_attribution.methods.question.problem import Problem

BETWEEN = 0.6
"""Sigma by which losses are laid between the regions that were covered, in steps from one to the next."""

ROUNDING = 1e-5
"""Of scores, which networks add up in single precision."""


def losses(problem: Problem, across: int, sigma: float, report: tuple[int, int] = (0, 0)) -> Tensor:
    """(h, w) loss of score about every place, in the score's unit; one forward a region, and one for the input.

    Each region is a Gaussian hole, filled with the problem's fill; their centres share the input out evenly. Holes at the border
    are cut off: a loss is counted for as many pixels as the mean hole has. Between regions losses are averaged with Gaussian
    weights. Where they differ by no more than scores are rounded, they are the same.

    Parameters
    ----------
    problem : Problem
    across : int
        Regions along the longer side; fewer along the shorter one, and never more than pixels.
    sigma : float
        Standard deviation of a region, in pixels.
    report : (int, int)
        Steps done before, and in all, by which progress is told.

    Raises
    ------
    ClassifierError
        For scores that are not numbers.
    """
    h, w = problem.x.shape[2:]
    rows, columns = regions(across, (h, w))
    done, total = report
    down, along = _bells(rows, h, sigma), _bells(columns, w, sigma)

    def make(part: slice) -> Tensor:
        problem.progress(done, max(total, 1))
        numbers = torch.arange(part.start, part.stop)
        holes = down[numbers // columns % rows][:, None, :, None] * along[numbers % columns][:, None, None, :]
        # The last is the input as it is.
        return problem.mixed(1 - holes * (numbers < rows * columns)[:, None, None, None])

    scores = problem.score.of(problem.classifier.scores_of_many(make, rows * columns + 1).cpu()).double()
    if not bool(torch.isfinite(scores).all()):
        raise ClassifierError(
            "The classifier's scores are not numbers (NaN or infinity) once a region of the input is filled. Try another fill "
            "(mean, background, blur)."
        )
    areas = (down.sum(dim=1)[:, None] * along.sum(dim=1)).double()
    lost = (scores[-1] - scores[:-1]).reshape(rows, columns) * areas.mean() / areas
    if float(lost.max() - lost.min()) <= ROUNDING * float(scores.abs().max()):
        lost = lost.mean().expand_as(lost)
    laid: Tensor = _between(rows, h) @ lost @ _between(columns, w).T
    return laid.float()


def regions(across: int, size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of regions in an input of (h, w) pixels."""
    step = max(size) / across
    rows, columns = (min(side, max(1, round(side / step))) for side in size)
    return rows, columns


def _centres(count: int, length: int) -> Tensor:
    return (torch.arange(count, dtype=torch.float64) + 0.5) * length / count - 0.5


def _bells(count: int, length: int, sigma: float) -> Tensor:
    """(count, length) Gaussians about the centres, 1 at their tops."""
    off = torch.arange(length) - _centres(count, length)[:, None]
    return (-(off**2) / (2 * sigma**2)).exp().float()


def _between(count: int, length: int) -> Tensor:
    """(length, count) weights of the centres about each pixel, adding up to 1."""
    steps = (torch.arange(length)[:, None] - _centres(count, length)) * count / length
    weights: Tensor = (-(steps**2) / (2 * BETWEEN**2)).softmax(dim=1)
    return weights
