"""What references say of the stains beside a map that does not tell them apart."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from napari_attribution.methods.channels.shapley import channel_shapley
from napari_attribution.methods.problem import Problem


class Stains(NamedTuple):
    """Importance of the stains, its standard error, and what it is."""

    importance: Tensor
    spread: Tensor | None
    meaning: str


def stains_beside(problem: Problem, shapley: bool = False) -> Stains:
    """The stains' Shapley values where they are wanted, else zeros."""
    if shapley:
        return Stains(*channel_shapley(problem), "Shapley value of the stain")
    return Stains(torch.zeros(problem.x.shape[1]), None, "nothing: not asked for")
