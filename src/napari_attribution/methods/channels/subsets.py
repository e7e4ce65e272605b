"""Subsets of the stains and their scores: what the values of games between stains are made of."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from napari_attribution.errors import ClassifierError
from napari_attribution.methods.question.problem import Problem

MOST_EXACT = 8
"""Up to so many stains, every subset is scored."""

_ROUNDING = 1e-6
"""Of the scores' size."""


def every_subset(C: int) -> Tensor:
    """(2^C, C) bool: row i holds stain c where bit c of i is set."""
    return (torch.arange(2**C)[:, None] >> torch.arange(C) & 1).bool()


def score_subsets(problem: Problem, subsets: Tensor) -> Tensor:
    """(N, C) subsets to the (N,) scores of the input with only those stains, batched by bytes.

    Raises
    ------
    ClassifierError
        For scores that are not numbers.
    """

    def make(part: slice) -> Tensor:
        if part.start:
            problem.progress(part.start, len(subsets))
        return problem.mixed(subsets[part, :, None, None].float())

    return score_inputs(problem, make, len(subsets))


def score_inputs(problem: Problem, make: Callable[[slice], Tensor], count: int) -> Tensor:
    """(count,) scores, on the CPU, of the inputs that `make` gives for a slice of them.

    Where they are the same but for float32's rounding, they are the same to the last bit: shares are made of the values of
    stains, and shares of rounding would look like findings.

    Raises
    ------
    ClassifierError
        For scores that are not numbers.
    """
    scores = problem.score.of(problem.classifier.scores_of_many(make, count)).cpu()
    bad = int((~torch.isfinite(scores)).sum())
    if bad:
        raise ClassifierError(
            f"{bad} of {count} scores are not numbers (NaN or infinity) once stains are filled or shuffled, so nothing can be "
            "said of what the stains count for. Choose another fill, or check the normalisation on the classifier's card."
        )
    same = float(scores.max() - scores.min()) <= _ROUNDING * float(scores.abs().max())
    return scores[:1].expand(count).clone() if same else scores
