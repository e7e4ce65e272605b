r"""Keep-one: what the score gains by a stain alone, all others filled.

    g_c = v(only c) - v(none)

with v(S) the score of the input in which every stain outside S is replaced by its fill. C + 1 forwards, exact.

It asks what a stain can do by itself: two stains that say the same both get all of it, and stains that only speak together
(one where the other is) get nothing. It asks this of inputs that are furthest from what the classifier was trained on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.methods.channels.games import Game, linear_game
from napari_attribution.methods.question.problem import Problem


def channel_keep_one(problem: Problem) -> tuple[Tensor, Tensor | None]:
    """(C,) gains in the score's unit, exact; raises ClassifierError for scores that are not numbers."""
    return keep_one_game(problem.x.shape[1]).play(problem)


def keep_one_game(C: int) -> Game:
    """No stain, then one after the other alone."""
    one = torch.eye(C, dtype=torch.bool)
    none = torch.zeros(1, C, dtype=torch.bool)
    weights = torch.cat([-torch.ones(C, 1), torch.eye(C)], dim=1).double()
    return linear_game(torch.cat([none, one]), weights)


def forwards(C: int) -> int:
    """What the values cost."""
    return C + 1
