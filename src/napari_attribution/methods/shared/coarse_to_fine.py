"""PCIM's coarse-to-fine form: what is summed, and what two scales agree on. See `napari_attribution.methods.pcim`."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.errors import ClassifierError
from napari_attribution.methods.question.problem import Problem
from napari_attribution.methods.shared.regions import weighing
from napari_attribution.methods.shared.scales import smoothed

LEAN = 0.3
"""How far alpha leans, at last, towards the region that is most in favour."""


def evidence(problem: Problem, steps: int, region: float, more: int = 0) -> Tensor:
    """(C, h, w) pull of every pixel and stain, in the score's unit: what mixing it in gains, over the way.

    Parameters
    ----------
    steps : int
        Of two games each: two forwards with their gradients.
    region : float
        Sigma of a region, in pixels.
    more : int
        Steps of progress that are still to come after these.

    Raises
    ------
    ClassifierError
        For gradients that are not numbers.
    """
    x, fill = problem.x, problem.fill
    difference = x - fill
    total = torch.zeros(x.shape[1:])
    lean = torch.zeros(x.shape[2:])
    for step in range(steps):
        level = 0.5 - (step + 0.5) / (2 * steps)
        alpha = (level + lean).clamp(0, 1).to(x.device)
        # One after the other: both at once would take twice the memory of the network's own peak.
        kept = problem.gradient(fill + alpha * difference)
        rest = problem.gradient(fill + (1 - alpha) * difference)
        total += as_numbers((kept + rest) * difference / 2)[0].cpu()
        favour = smoothed(total.sum(dim=0), region)
        favour = favour - favour.mean()
        lean = LEAN * (step + 1) / steps * favour / favour.abs().max().clamp_min(1e-12)
        problem.progress(step + 1, steps + more)
    return total / steps


def agreed(pull: Tensor, fine: float, region: float, lost: Tensor | None = None) -> Tensor:
    """(C, h, w) signed mixing weights: fine places, weighed by their regions, shared out among the stains.

    Every stain has its own evidence, weighed as the stains' sum is. Their sum lies in [-1, 1]; stains that speak against each other
    may lie beyond.

    Parameters
    ----------
    pull : (C, h, w) Tensor
        From `evidence`.
    fine, region : float
        Sigmas, in pixels.
    lost : (h, w) Tensor, optional
        What the score loses without each region.
    """
    of_stains = smoothed(pull, fine)
    shared = of_stains.sum(dim=0)
    factor, floor = weighing(shared, pull.sum(dim=0), region, lost)
    largest = (shared * factor + floor).abs().max().clamp_min(torch.finfo(shared.dtype).tiny)
    return (of_stains * factor + floor * _shares(of_stains)) / largest


def as_numbers(gradient: Tensor) -> Tensor:
    """The same gradient.

    Raises
    ------
    ClassifierError
        Where it is not finite.
    """
    if not bool(torch.isfinite(gradient).all()):
        raise ClassifierError(
            "The classifier's gradients are not numbers (NaN or infinity) once pixels are mixed with their fill, so nothing can be "
            "trained by them. Set the estimate to masks."
        )
    return gradient


def _shares(of_stains: Tensor) -> Tensor:
    """(C, h, w) parts of 1 at every place, in proportion to what is positive there; even where nothing is."""
    positive = of_stains.clamp_min(0)
    total = positive.sum(dim=0)
    even = torch.full_like(positive, 1 / len(positive))
    return torch.where(total > 0, positive / total.clamp_min(torch.finfo(total.dtype).tiny), even)
