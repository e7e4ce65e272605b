r"""Trained mixing weights of the stains: DCMIX behind the coin.

`napari_attribution.methods.dcmix` trains one weight a stain, alpha in [0, 1], in front of a frozen classifier. Here a weight is
the chance with which its stain is mixed in, wholly or not at all, and what is trained is the mean score over the tosses,

    J(alpha) = sum over S of prod_{c in S} alpha_c prod_{c not in S} (1 - alpha_c) v(S)

with v(S) the score of the input in which every stain outside S is replaced by its fill: the multilinear extension of v
(Owen, Management Science 18, 1972). From alpha = 1/2, two games at once, up J(alpha) and down J(1 - alpha), in steps
proportional to the gradient,

    pull_c = dJ/dalpha_c at alpha  +  dJ/dalpha_c at 1 - alpha

so long that the weight that is pulled hardest just reaches a bound with the last step. dJ/dalpha_c is what c adds to a tossed
subset of the others. Once all 2^C subsets are scored (C <= 8), J and its gradient are known exactly, and the steps cost
nothing more. The value of a stain is its pull along the way, the mean over the steps and both games: what mixing it in does
to the score. At the first step that is its Banzhaf value; along alpha = t for t from 0 to 1 it would be its Shapley value.

Above 8 stains subsets are drawn in opposite pairs, and the training is its first step, made as long as all of them
(`napari_attribution.methods.channels.banzhaf`), with its standard error.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_attribution.methods.channels.banzhaf import banzhaf_game
from napari_attribution.methods.channels.banzhaf import forwards as forwards
from napari_attribution.methods.channels.games import Game
from napari_attribution.methods.channels.subsets import MOST_EXACT, every_subset
from napari_attribution.methods.question.problem import Problem

STEPS = 8


@dataclass(frozen=True)
class Trained:
    """Weights after their training.

    Parameters
    ----------
    path : (steps + 1, C) Tensor
        The weights, from 1/2 to where they ended.
    pull : (C,) Tensor
        What mixing the stain in does to the score, the mean along the way.
    """

    path: Tensor
    pull: Tensor

    @property
    def alpha(self) -> Tensor:
        """(C,) weights at the end."""
        return self.path[-1]


def channel_mixing(problem: Problem) -> tuple[Tensor, Tensor | None]:
    """The pull at the weight of every stain.

    Returns
    -------
    (C,) values in the score's unit, and their (C,) standard error, or None where every subset was scored.

    Raises
    ------
    ClassifierError
        For scores that are not numbers.
    """
    return mixing_game(problem.x.shape[1]).play(problem)


def mixing_game(C: int, steps: int = STEPS) -> Game:
    """Exact for C <= 8, one long step above."""
    if C > MOST_EXACT:
        return banzhaf_game(C)
    everything = torch.ones(C, 1 << C, dtype=torch.bool)
    return Game(every_subset(C), lambda scores: train(scores, steps).pull, everything)


def train(scores: Tensor, steps: int = STEPS) -> Trained:
    """Train the weights.

    Parameters
    ----------
    scores : (2^C,) Tensor
        Of every subset, in the order of `every_subset`.
    steps : int
    """
    # From the first score on, so that scores that are all the same make zeros and not rounding.
    v = (scores - scores[0]).double()
    C = len(v).bit_length() - 1
    path, pulls = [torch.full((C,), 0.5, dtype=torch.float64)], []
    for _ in range(steps):
        alpha = path[-1]
        pulls.append((slope(v, alpha) + slope(v, 1 - alpha)) / 2)
        path.append(moved(alpha, pulls[-1], steps))
    return Trained(torch.stack(path).float(), torch.stack(pulls).mean(dim=0).float())


def one_step(pull: Tensor) -> Trained:
    """The weights after one step that is as long as all of them."""
    start = torch.full_like(pull, 0.5)
    return Trained(torch.stack([start, moved(start, pull, 1)]), pull)


def slope(scores: Tensor, alpha: Tensor) -> Tensor:
    """(C,) gradient of J at alpha: what each stain adds to a tossed subset of the others."""
    subsets = every_subset(len(alpha))
    chance = torch.where(subsets, alpha, 1 - alpha)
    added = torch.empty_like(alpha)
    for c in range(len(alpha)):
        of_others = chance.clone()
        of_others[:, c] = torch.where(subsets[:, c], 1.0, -1.0)
        added[c] = of_others.prod(dim=1) @ scores
    return added


def moved(alpha: Tensor, pull: Tensor, steps: int) -> Tensor:
    """The weights one step of `steps` on; where they are, if nothing pulls."""
    strongest = float(pull.abs().max())
    return (alpha + pull / strongest / (2 * steps)).clamp(0, 1) if strongest else alpha
