"""Values of the stains by name: one table of estimators, and the one function that methods call beside their map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from napari_attribution.errors import RequestError
from napari_attribution.methods.channels import banzhaf, keep_one, leave_one_out, mixing, permutation, shapley
from napari_attribution.methods.channels.games import Game
from napari_attribution.methods.question.problem import Problem


class Stains(NamedTuple):
    """What the stains count for.

    Parameters
    ----------
    importance : (C,) Tensor
        In the score's unit; negative for a stain that speaks against the class.
    spread : (C,) Tensor or None
        Standard error where values are drawn, standard deviation over the seeds of a permutation; None where exact.
    meaning : str
        What the importance measures.
    """

    importance: Tensor
    spread: Tensor | None
    meaning: str


@dataclass(frozen=True)
class Estimator:
    """One way to say what the stains count for.

    Parameters
    ----------
    name : str
        As it is typed: "leave-one-out".
    meaning : str
        What a value is, as it is read.
    values : callable
        Problem to (C,) values in the score's unit, and their (C,) spread or None.
    forwards : callable
        Stains to forwards of the network.
    game : callable, optional
        Stains to the game that is played; None where subsets of the stains are not what is scored.
    with_seeds : callable, optional
        As `values`, for a given number of seeds; None where no seed has a part in it.
    """

    name: str
    meaning: str
    values: Callable[[Problem], tuple[Tensor, Tensor | None]]
    forwards: Callable[[int], int]
    game: Callable[[int], Game] | None = None
    with_seeds: Callable[[Problem, int], tuple[Tensor, Tensor | None]] | None = None


ESTIMATORS: dict[str, Estimator] = {
    estimator.name: estimator
    for estimator in (
        Estimator(
            "shapley", "Shapley value of the stain", shapley.channel_shapley, shapley.forwards, shapley.shapley_game
        ),
        Estimator(
            "banzhaf", "Banzhaf value of the stain", banzhaf.channel_banzhaf, banzhaf.forwards, banzhaf.banzhaf_game
        ),
        Estimator(
            "leave-one-out",
            "what the score loses without the stain",
            leave_one_out.channel_leave_one_out,
            leave_one_out.forwards,
            leave_one_out.leave_one_out_game,
        ),
        Estimator(
            "keep-one",
            "what the score gains by the stain alone",
            keep_one.channel_keep_one,
            keep_one.forwards,
            keep_one.keep_one_game,
        ),
        Estimator(
            "permutation",
            "what the score loses when the stain's pixels are shuffled",
            permutation.channel_permutation,
            permutation.forwards,
            with_seeds=permutation.channel_permutation,
        ),
        Estimator(
            "dcmix",
            "pull at the stain's mixing weight",
            mixing.channel_mixing,
            mixing.forwards,
            mixing.mixing_game,
        ),
    )
}


def find_estimator(name: str) -> Estimator:
    """The estimator of that name.

    Raises
    ------
    RequestError
        Where there is none; names those that there are.
    """
    if name not in ESTIMATORS:
        raise RequestError(
            f"There is no way {name!r} to say what the stains count for. Choose one of: {', '.join(ESTIMATORS)}."
        )
    return ESTIMATORS[name]


def stain_values(problem: Problem, which: str) -> Stains:
    """What stands beside a map: the values of an estimator, or zeros for "none".

    Raises
    ------
    RequestError
        For an estimator that does not exist.
    ClassifierError
        For scores that are not numbers.
    """
    if which == "none":
        return Stains(torch.zeros(problem.x.shape[1]), None, "nothing: not asked for")
    estimator = find_estimator(which)
    return Stains(*estimator.values(problem), estimator.meaning)


def stain_forwards(which: str, C: int) -> int:
    """What `stain_values` costs for C stains, in forwards."""
    return 0 if which == "none" else find_estimator(which).forwards(C)
