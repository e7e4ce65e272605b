r"""Centred blob: what a method must beat where the object stands in the middle. The same for every input.

A control, without a paper and without a forward. With u, v the distance from the middle as a share of each side,

    M_ij = exp(-(u_i^2 + v_j^2) / (2 width^2))
"""

from __future__ import annotations

import torch

from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.parameters import CentredBlobParameters


def compute(problem: Problem, parameters: CentredBlobParameters) -> Result:
    """A positive (h, w) map."""
    C, h, w = problem.x.shape[1:]
    u, v = ((torch.arange(length) + 0.5) / length - 0.5 for length in (h, w))
    values = torch.exp(-(u[:, None] ** 2 + v[None] ** 2) / (2 * parameters.width**2))
    problem.progress(1, 1)
    return Result(values, torch.zeros(C), "nothing: the map is always the same", "share of the middle")


def forwards(prices: Prices, parameters: CentredBlobParameters) -> float:
    """None."""
    return 0.0
