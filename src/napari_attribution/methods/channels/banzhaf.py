r"""Banzhaf values of the stains: what a stain does to the score, mixed in beside any other stains.

    beta_c = mean over all S without c of v(S + c) - v(S)

with v(S) the score of the input in which every stain outside S is replaced by its fill. It is the slope of c in the
least squares fit of v by a line over all 2^C subsets (Hammer and Holzman, ZOR 36, 1992), so it is what the first step of
`napari_attribution.methods.channels.mixing` follows from alpha = 1/2.

All subsets are scored for C <= 8. Above that, subsets are drawn in opposite pairs, with a fixed seed, and the line is fitted
to their half differences; the spread is the standard error of the fit.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.methods.channels.games import Game, linear_game, semivalue_game
from napari_attribution.methods.channels.subsets import MOST_EXACT
from napari_attribution.methods.question.problem import Problem

PAIRS = 8
"""Opposite subsets that are drawn for each stain where there are too many for all subsets."""


def channel_banzhaf(problem: Problem) -> tuple[Tensor, Tensor | None]:
    """The Banzhaf value of every stain.

    Returns
    -------
    (C,) values in the score's unit, and their (C,) standard error, or None where they are exact.

    Raises
    ------
    ClassifierError
        For scores that are not numbers.
    """
    return banzhaf_game(problem.x.shape[1]).play(problem)


def banzhaf_game(C: int) -> Game:
    """Exact for C <= 8, from `PAIRS` drawn pairs a stain above."""
    if C > MOST_EXACT:
        return _drawn(C, PAIRS * C)
    return semivalue_game(C, lambda size: 0.5 ** (C - 1))


def forwards(C: int) -> int:
    """What the values cost."""
    return 1 << C if C <= MOST_EXACT else 2 * PAIRS * C


def _drawn(C: int, pairs: int) -> Game:
    drawn = torch.rand(pairs, C, generator=torch.Generator().manual_seed(0)) < 0.5
    signs = drawn.double() - 0.5
    inverse = torch.linalg.pinv(signs.T @ signs)
    fit = inverse @ signs.T / 2
    weights = torch.cat([fit, -fit], dim=1)

    def error(scores: Tensor) -> Tensor:
        halves = (scores[:pairs] - scores[pairs:]).double() / 2
        noise = (halves - signs @ (weights @ scores.double())).square().sum() / (pairs - C)
        return torch.sqrt(noise * inverse.diagonal()).float()

    return linear_game(torch.cat([drawn, ~drawn]), weights, error)
