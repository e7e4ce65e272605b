r"""Banzhaf values of the stains: what a stain does to the score, mixed in beside any other stains.

    beta_c = mean over all S without c of v(S + c) - v(S)

with v(S) the score of the input in which every stain outside S is replaced by its fill. It is the slope of c in the
least squares fit of v by a line over all 2^C subsets (Hammer and Holzman, ZOR 36, 1992), so it is what the first step of
`napari_attribution.methods.dcmix` follows from alpha = 1/2, seen from the corners of the cube in place of its middle.

All subsets are scored for C <= 8, at no forward more than exact Shapley values take, which come from the same scores.
Above that, subsets are drawn in opposite pairs, with a fixed seed, and the line is fitted to their half differences.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.methods.channels.subsets import score_subsets
from napari_attribution.methods.problem import Problem


def banzhaf_of(values: Tensor) -> Tensor:
    """(2^C,) scores of every subset, in the order of `every_subset`, to the (C,) Banzhaf values."""
    C = len(values).bit_length() - 1
    bits = torch.arange(len(values))
    return torch.stack(
        [values[(bits >> c & 1).bool()].mean() - values[~(bits >> c & 1).bool()].mean() for c in range(C)]
    )


def banzhaf_drawn(problem: Problem, pairs: int) -> tuple[Tensor, Tensor]:
    """(C,) Banzhaf values from drawn subsets, and their (C,) standard error."""
    C = problem.x.shape[1]
    pairs = max(pairs, 2 * C)
    drawn = torch.rand(pairs, C, generator=torch.Generator().manual_seed(0)) < 0.5
    values = score_subsets(problem, torch.cat([drawn, ~drawn])).double()
    halves = (values[:pairs] - values[pairs:]) / 2
    signs = drawn.double() - 0.5
    inverse = torch.linalg.pinv(signs.T @ signs)
    slopes = inverse @ (signs.T @ halves)
    noise = (halves - signs @ slopes).square().sum() / (pairs - C)
    return slopes.float(), (noise * inverse.diagonal()).sqrt().float()
