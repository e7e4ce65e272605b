"""The drop at every location, by the cheapest way that tells the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from napari_attribution.classifiers.classifier import WITH_GRADIENT, Activation, Classifier
from napari_attribution.errors import ClassifierError
from napari_attribution.methods.pixel_ablation.affine import (
    CHECKED_SINGLY,
    CHECKED_TOGETHER,
    by_backward_pass,
    by_one_product,
)
from napari_attribution.methods.pixel_ablation.hierarchy import hierarchical
from napari_attribution.methods.pixel_ablation.silencing import BUDGET, ablate_all
from napari_attribution.methods.question.problem import Problem

Search = Literal["auto", "every location", "hierarchical"]

HEAD_RUNS = 300
AFFORDABLE = 20.0
"""Forwards up to which `auto` silences every location of a layer."""

_ROUNDING = 4
"""Roundings of the score up to which a drop is none."""


@dataclass(frozen=True)
class Drops:
    """The drop of the score at every location of a layer.

    Parameters
    ----------
    values : (h', w') Tensor
    way : str
        "backward pass", "one product", "every location" or "hierarchical".
    head_runs : float
        What it cost, in runs of the rest of the network; a run with its gradient counts as 2.2.
    measured : int
        Locations whose drop was measured, not estimated.
    agreement : float or None
        Of a hierarchical search: how estimated and measured drops agree in rank, at locations drawn at random.
    """

    values: Tensor
    way: str
    head_runs: float
    measured: int
    agreement: float | None = None


def drops_at(
    problem: Problem, layer: str, search: Search = "auto", head_runs: int = HEAD_RUNS, budget: int = BUDGET
) -> Tensor:
    """(h', w') drops of the score, signed, with one location of a layer silenced after the other.

    Parameters
    ----------
    problem : Problem
    layer : str
        Name of one of the classifier's layers.
    search : "auto", "every location" or "hierarchical"
        How many of the drops are measured where they cannot all be had at once; see `find_drops`.
    head_runs : int
        What a hierarchical search may cost, in runs of the rest of the network.
    budget : int
        Bytes that may be taken beside the network.

    Raises
    ------
    LayerError
        Where the network cannot be cut at that layer.
    ClassifierError
        Where its scores are no numbers once a location is silenced.
    """
    with torch.no_grad():
        activation = problem.classifier.features(problem.x, layer)
    return find_drops(problem, activation, layer, search, head_runs, budget).values


def find_drops(
    problem: Problem,
    activation: Activation,
    layer: str,
    search: Search = "auto",
    head_runs: int = HEAD_RUNS,
    budget: int = BUDGET,
) -> Drops:
    """The drops at a layer's activation, and how they were had.

    A head that is affine, or begins so, gives all of them at once. Else `auto` silences every location as long as there
    are no more of them than `head_runs`, or all of them cost no more than `AFFORDABLE` forwards, or the network gives no
    gradients; it searches hierarchically where they are more.
    """
    classifier = problem.classifier
    before, cost = classifier.forwards, max(classifier.head_cost(layer), 1e-12)

    def runs() -> float:
        return (classifier.forwards - before) / cost

    with torch.no_grad():
        scores = classifier.head(activation, layer)
    whole = problem.score.of(scores)
    # A small logit is what is left of large numbers; a small probability is as exact as the logits it comes of.
    largest = float(scores.abs().max())
    scale = float(whole.abs().max()) * max(1.0, largest) if problem.score.kind == "probability" else largest
    rounding = torch.finfo(activation.values.dtype).eps * scale
    count = activation.values[0, 0].numel()

    values = by_backward_pass(problem, activation, layer, rounding, budget)
    if values is not None:
        return Drops(_settled(values, rounding), "backward pass", runs(), count)
    values = by_one_product(problem, activation, layer, whole, rounding, budget)
    if values is not None:
        return Drops(_settled(values, rounding), "one product", runs(), count)
    if every_location(search, count, cost, head_runs, classifier.head_gives_gradients(layer)):
        values = ablate_all(problem, activation, layer, budget)
        return Drops(_settled(values, rounding, each=True), "every location", runs(), count)
    left = max(1, int(head_runs - runs()))
    found = hierarchical(problem, activation, layer, whole, left, budget)
    values = _settled(found.drops.to(whole.device), rounding, each=True)
    return Drops(values, "hierarchical", runs(), found.measured, found.agreement)


def every_location(search: Search, locations: float, head_cost: float, head_runs: int, gradients: bool) -> bool:
    """Whether every location is silenced in its turn, where the drops cannot all be had at once."""
    few = locations <= head_runs or locations * head_cost <= AFFORDABLE or not gradients
    return search == "every location" or (search == "auto" and few)


def expected_cost(
    classifier: Classifier, layer: str | None, locations: float, search: Search = "auto", head_runs: int = HEAD_RUNS
) -> float:
    """Forwards that `find_drops` is going to take, as far as the network's steps tell.

    More than will be counted, where a head is affine that does not look so; less, where one is not that does.
    """
    head = classifier.head_cost(layer)
    runs = 1.0
    if classifier.gradients:
        if classifier.head_may_be_affine(layer):
            runs += WITH_GRADIENT + CHECKED_TOGETHER + CHECKED_SINGLY
        by_vector = classifier.cost_by_vector(layer, round(locations))
        if by_vector is not None:
            return (runs + CHECKED_TOGETHER + CHECKED_SINGLY) * head + by_vector
    if every_location(search, locations, head, head_runs, classifier.gradients):
        return (runs + locations) * head
    return max(runs, head_runs) * head


def _settled(drops: Tensor, rounding: float, each: bool = False) -> Tensor:
    """The drops, zero all over where even the largest is no more than rounding; and, if they are differences of scores,
    wherever they are no more.

    Raises
    ------
    ClassifierError
        Where some are not numbers.
    """
    finite = torch.isfinite(drops)
    if not bool(finite.all()):
        raise ClassifierError(
            f"With one location silenced, the classifier's scores are not numbers (NaN or infinity) at "
            f"{int((~finite).sum())} of {drops.numel()} locations of this layer. Choose another layer, or another method."
        )
    least = _ROUNDING * rounding
    if each:
        return torch.where(drops.abs() > least, drops, 0)
    return drops if float(drops.abs().max()) > least else torch.zeros_like(drops)
