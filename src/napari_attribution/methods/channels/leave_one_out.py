r"""Leave-one-out: what the score loses without a stain, all others there.

    d_c = v(all) - v(all without c)

with v(S) the score of the input in which every stain outside S is replaced by its fill. C + 1 forwards, exact.

It asks what is missed, so two stains that say the same both come out at zero: neither is missed while the other is there.
Covert, Lundberg & Lee, Explaining by removing, JMLR 22, 2021 (arXiv 2011.14878) set it beside its relatives.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.methods.channels.games import Game, linear_game
from napari_attribution.methods.question.problem import Problem


def channel_leave_one_out(problem: Problem) -> tuple[Tensor, Tensor | None]:
    """(C,) drops in the score's unit, exact; raises ClassifierError for scores that are not numbers."""
    return leave_one_out_game(problem.x.shape[1]).play(problem)


def leave_one_out_game(C: int) -> Game:
    """All stains, then all but one, for one after the other."""
    one = torch.eye(C, dtype=torch.bool)
    every = torch.ones(1, C, dtype=torch.bool)
    weights = torch.cat([torch.ones(C, 1), -torch.eye(C)], dim=1).double()
    return linear_game(torch.cat([every, ~one]), weights)


def forwards(C: int) -> int:
    """What the values cost."""
    return C + 1
