r"""Shapley values of the stains.

    phi_c = sum over S without c of |S|! (C - |S| - 1)! / C! * (v(S + c) - v(S))

with v(S) the score of the input in which every stain outside S is replaced by its fill
(`napari_attribution.methods.question.fills`). All 2^C subsets are scored for C <= 8; above that, permutations are drawn, with a
fixed seed, and the spread is the standard error. The values sum to v(all) - v(none); stains that say the same share what
they say, and a stain that speaks against the class is negative.

References
----------
Shapley, A value for n-person games, 1953; Castro et al., Computers & Operations Research 36, 2009 (sampling).
"""

from __future__ import annotations

from math import factorial

import torch
from torch import Tensor

from napari_attribution.methods.channels.games import Game, linear_game, semivalue_game
from napari_attribution.methods.channels.subsets import MOST_EXACT
from napari_attribution.methods.question.problem import Problem

PERMUTATIONS = 32
"""Orders of the stains that are drawn where there are too many for all subsets."""


def channel_shapley(problem: Problem) -> tuple[Tensor, Tensor | None]:
    """The Shapley value of every stain.

    Returns
    -------
    (C,) values in the score's unit, and their (C,) standard error, or None where they are exact.

    Raises
    ------
    ClassifierError
        For scores that are not numbers.
    """
    return shapley_game(problem.x.shape[1]).play(problem)


def shapley_game(C: int) -> Game:
    """Exact for C <= 8, from `PERMUTATIONS` drawn orders above."""
    if C > MOST_EXACT:
        return _drawn(C)
    return semivalue_game(C, lambda size: factorial(size) * factorial(C - size - 1) / factorial(C))


def forwards(C: int) -> int:
    """What the values cost."""
    return 1 << C if C <= MOST_EXACT else PERMUTATIONS * (C + 1)


def _drawn(C: int) -> Game:
    """Every order puts the stains in one by one: C + 1 subsets."""
    generator = torch.Generator().manual_seed(0)
    subsets = torch.zeros(PERMUTATIONS, C + 1, C, dtype=torch.bool)
    weights = torch.zeros(C, PERMUTATIONS, C + 1, dtype=torch.float64)
    for row in range(PERMUTATIONS):
        order = torch.randperm(C, generator=generator)
        for step, c in enumerate(order):
            subsets[row, step + 1 :, c] = True
        weights[order, row, torch.arange(C) + 1] = 1 / PERMUTATIONS
        weights[order, row, torch.arange(C)] = -1 / PERMUTATIONS

    def error(scores: Tensor) -> Tensor:
        gains = PERMUTATIONS * torch.einsum("crs,rs->cr", weights, scores.double().view(PERMUTATIONS, C + 1))
        return torch.div(torch.std(gains, dim=1), PERMUTATIONS**0.5).float()

    return linear_game(subsets.flatten(0, 1), weights.flatten(1), error)
