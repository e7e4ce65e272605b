r"""Exact Shapley values of the stains.

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

from napari_attribution.methods.problem import Problem

MOST_EXACT = 8
"""Up to so many stains, every subset is scored."""

_PERMUTATIONS = 32


def channel_shapley(problem: Problem) -> tuple[Tensor, Tensor | None]:
    """The Shapley value of every stain.

    Returns
    -------
    (C,) values in the score's unit, and their (C,) standard error, or None where they are exact.
    """
    C = problem.x.shape[1]
    if C > MOST_EXACT:
        return _sampled(problem, C)
    subsets = torch.tensor([[bool(bits >> c & 1) for c in range(C)] for bits in range(2**C)])
    values = _value(problem, subsets)
    phi = torch.zeros(C)
    for bits in range(2**C):
        size = bits.bit_count()
        for c in range(C):
            if not bits >> c & 1:
                weight = factorial(size) * factorial(C - size - 1) / factorial(C)
                phi[c] += weight * (values[bits | 1 << c] - values[bits])
    return phi, None


def _sampled(problem: Problem, C: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(C, generator=generator) for _ in range(_PERMUTATIONS)]
    gains = torch.zeros(_PERMUTATIONS, C)
    for row, order in enumerate(orders):
        subsets = torch.zeros(C + 1, C, dtype=torch.bool)
        for step, c in enumerate(order):
            subsets[step + 1 :, c] = True
        values = _value(problem, subsets)
        gains[row, order] = values[1:] - values[:-1]
        problem.progress(row + 1, _PERMUTATIONS)
    return gains.mean(dim=0), gains.std(dim=0) / _PERMUTATIONS**0.5


def _value(problem: Problem, subsets: Tensor) -> Tensor:
    """(N, C) subsets to the (N,) scores of the input with only those stains."""

    def make(part: slice) -> Tensor:
        return problem.mixed(subsets[part, :, None, None].float())

    return problem.score.of(problem.classifier.scores_of_many(make, len(subsets))).cpu()
