"""Subsets of the stains and their scores: what the values of games between stains are made of."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.methods.problem import Problem

MOST_EXACT = 8
"""Up to so many stains, every subset is scored."""


def every_subset(C: int) -> Tensor:
    """(2^C, C) bool: row i holds stain c where bit c of i is set."""
    return torch.tensor([[bool(bits >> c & 1) for c in range(C)] for bits in range(2**C)])


def score_subsets(problem: Problem, subsets: Tensor) -> Tensor:
    """(N, C) subsets to the (N,) scores of the input with only those stains, batched by bytes."""

    def make(part: slice) -> Tensor:
        if part.start:
            problem.progress(part.start, len(subsets))
        return problem.mixed(subsets[part, :, None, None].float())

    return problem.score.of(problem.classifier.scores_of_many(make, len(subsets))).cpu()
