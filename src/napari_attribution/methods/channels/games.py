"""Games between stains: which subsets of the stains are scored, and how a stain's value is made of the scores.

All values here are means of what a stain adds to other stains, v(S + c) - v(S), with v(S) the score of the input in which
every stain outside S is replaced by its fill (`napari_attribution.methods.question.fills`); they differ in which S count how much
(semivalues: Dubey, Neyman & Weber, Mathematics of Operations Research 6, 1981). So one stain can be asked anew, its pixels
replaced by others, for the scores of those subsets alone that its value is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_attribution.methods.channels.subsets import every_subset, score_subsets
from napari_attribution.methods.question.problem import Problem


@dataclass(frozen=True)
class Game:
    """Values of the stains as a function of scores.

    Parameters
    ----------
    subsets : (n, C) bool Tensor
        What is scored; n forwards.
    of : callable
        (n,) scores to (C,) values, in the score's unit.
    needs : (C, n) bool Tensor
        Of which scores each stain's value is made.
    error : callable, optional
        (n,) scores to the (C,) standard error of the values, where they are drawn and not exact.
    """

    subsets: Tensor
    of: Callable[[Tensor], Tensor]
    needs: Tensor
    error: Callable[[Tensor], Tensor] | None = None

    def play(self, problem: Problem) -> tuple[Tensor, Tensor | None]:
        """Score, and value.

        Returns
        -------
        (C,) values in the score's unit, and their (C,) standard error, or None where they are exact.

        Raises
        ------
        ClassifierError
            For scores that are not numbers.
        """
        scores = score_subsets(problem, self.subsets)
        return self.of(scores), self.error(scores) if self.error else None


def linear_game(subsets: Tensor, weights: Tensor, error: Callable[[Tensor], Tensor] | None = None) -> Game:
    """A game whose values are weighted sums of the scores; each stain's weights, (C, n), sum to zero."""

    def of(scores: Tensor) -> Tensor:
        # From the first score on, so that scores that are all the same make zeros and not rounding.
        return torch.mv(weights, (scores - scores[0]).double()).float()

    return Game(subsets, of, weights != 0, error)


def semivalue_game(C: int, weight: Callable[[int], float]) -> Game:
    """A game over all subsets: what a stain adds to a subset S of others counts `weight(|S|)`."""
    subsets = every_subset(C)
    sizes = subsets.sum(dim=1)
    by_size = torch.tensor([weight(size) for size in range(C)], dtype=torch.float64)
    # A subset with the stain is what came of one that is a stain smaller.
    added, left = by_size[(sizes - 1).clamp_min(0)], by_size[sizes.clamp_max(C - 1)]
    return linear_game(subsets, torch.where(subsets.T, added, -left))
