r"""Shapley values of the stains.

    phi_c = sum over S without c of |S|! (C - |S| - 1)! / C! * (v(S + c) - v(S))

with v(S) the score of the input in which every stain outside S is replaced by its fill
(`napari_attribution.methods.fills`). All 2^C subsets are scored for C <= 8; above that, permutations are drawn, with a
fixed seed, and the spread is the standard error. The values sum to v(all) - v(none).

References
----------
Shapley, A value for n-person games, 1953; Castro et al., Computers & Operations Research 36, 2009 (sampling).
"""

from __future__ import annotations

from math import factorial

import torch
from torch import Tensor

from napari_attribution.methods.channels.subsets import MOST_EXACT, every_subset, score_subsets
from napari_attribution.methods.problem import Problem

PERMUTATIONS = 32
"""Orders of the stains that are drawn where there are too many for all subsets."""


def channel_shapley(problem: Problem) -> tuple[Tensor, Tensor | None]:
    """The Shapley value of every stain.

    Returns
    -------
    (C,) values in the score's unit, and their (C,) standard error, or None where they are exact.
    """
    C = problem.x.shape[1]
    if C > MOST_EXACT:
        return _sampled(problem, C)
    return shapley_of(score_subsets(problem, every_subset(C))), None


def shapley_of(values: Tensor) -> Tensor:
    """(2^C,) scores of every subset, in the order of `every_subset`, to the (C,) Shapley values."""
    C = len(values).bit_length() - 1
    phi = torch.zeros(C)
    for bits in range(2**C):
        size = bits.bit_count()
        for c in range(C):
            if not bits >> c & 1:
                weight = factorial(size) * factorial(C - size - 1) / factorial(C)
                phi[c] += weight * (values[bits | 1 << c] - values[bits])
    return phi


def _sampled(problem: Problem, C: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(C, generator=generator) for _ in range(PERMUTATIONS)]
    gains = torch.zeros(PERMUTATIONS, C)
    for row, order in enumerate(orders):
        subsets = torch.zeros(C + 1, C, dtype=torch.bool)
        for step, c in enumerate(order):
            subsets[step + 1 :, c] = True
        values = score_subsets(problem, subsets)
        gains[row, order] = values[1:] - values[:-1]
        problem.progress(row + 1, PERMUTATIONS)
    return gains.mean(dim=0), gains.std(dim=0) / PERMUTATIONS**0.5
