"""Silencing: the drop of the score with some locations of an activation set to 0, head run by head run.

Brute force, and the measure that every faster way is held against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor

from napari_attribution.classifiers.classifier import Activation
from napari_attribution.classifiers.memory import batch_bytes, in_batches
from napari_attribution.classifiers.splitting.splitter import Layer
from napari_attribution.methods.question.problem import Problem, Progress

BUDGET = 512 * 2**20
"""Bytes that may be taken beside the network, unless asked otherwise."""

Block = tuple[int, int, int, int]
"""First row, row behind the last, first column, column behind the last."""


def ablate_all(problem: Problem, activation: Activation, layer: str, budget: int = BUDGET) -> Tensor:
    """(h', w') drops by brute force: every location is silenced in its turn."""
    _, _, rows, columns = activation.values.shape
    every = torch.arange(rows * columns)
    return ablate(problem, activation, layer, every, budget=budget).view(rows, columns)


def ablate(
    problem: Problem,
    activation: Activation,
    layer: str,
    locations: Tensor,
    *,
    whole: Tensor | None = None,
    budget: int = BUDGET,
    progress: Progress | None = None,
) -> Tensor:
    """Drop of the score for each of the given flat locations, batched by bytes.

    Parameters
    ----------
    problem : Problem
    activation : Activation of one input
    layer : str
    locations : (N,) long Tensor
    whole : (1,) Tensor, optional
        The score with nothing silenced, if it is known.
    budget : int
        Bytes that may be taken beside the network.
    progress : callable, optional
        The problem's own by default.
    """
    columns = activation.values.shape[3]
    flat = locations.tolist()
    blocks = [(i // columns, i // columns + 1, i % columns, i % columns + 1) for i in flat]
    return ablate_blocks(problem, activation, layer, blocks, whole=whole, budget=budget, progress=progress)


def ablate_blocks(
    problem: Problem,
    activation: Activation,
    layer: str,
    blocks: Sequence[Block],
    *,
    whole: Tensor | None = None,
    budget: int = BUDGET,
    progress: Progress | None = None,
) -> Tensor:
    """Drop of the score for each of the given blocks of locations, all of a block's silenced at once."""
    values = activation.values
    report = problem.progress if progress is None else progress
    copies: Tensor | None = None

    def run(part: slice) -> Tensor:
        nonlocal copies
        chosen = blocks[part]
        if copies is None or len(copies) < len(chosen):
            copies = None  # the smaller one must not be kept beside the larger one
            copies = values.expand(len(chosen), -1, -1, -1).clone()
        for copy, (top, bottom, left, right) in zip(copies, chosen, strict=False):
            copy[:, top:bottom, left:right] = 0
        ablated = Activation(copies[: len(chosen)], activation.carried)
        scores = problem.score.of(problem.classifier.head(ablated, layer))
        for copy, (top, bottom, left, right) in zip(copies, chosen, strict=False):
            copy[:, top:bottom, left:right] = values[0, :, top:bottom, left:right]
        report(min(part.stop, len(blocks)), len(blocks))
        return scores

    with torch.no_grad():
        if whole is None:
            whole = problem.score.of(problem.classifier.head(activation, layer))
        chosen = problem.classifier.layer(layer)
        return whole - in_batches(run, len(blocks), *sizes(problem, activation, chosen, budget))


def sizes(
    problem: Problem, activation: Activation, layer: Layer, budget: int, gradients: bool = False
) -> tuple[int, int, int]:
    """What one run of a head takes in bytes, what a batch may take, and how many it may hold."""
    values = activation.values
    # The layer was measured at the card's size. The activation itself is copied, and once more for the head to change.
    larger = values[0].numel() / prod(layer.shape)
    each = (layer.gradient_bytes if gradients else layer.head_bytes) * larger
    each += (4 if gradients else 2) * values[0].numel() * values.element_size()
    return int(each), batch_bytes(budget, values.device), 1 if problem.classifier.one_by_one else 2**31


def batched_gradients(
    problem: Problem, activation: Activation, layer: str, make: Callable[[slice], Tensor], count: int, budget: int
) -> Tensor:
    """The score's gradient at many activations, times the activation and summed over its channels: (count, h', w').

    Parameters
    ----------
    make : callable
        Takes a slice of range(count), returns those activations as (N, n, h', w').
    """
    chosen = problem.classifier.layer(layer)

    def run(part: slice) -> Tensor:
        with torch.enable_grad():
            states = make(part).detach().requires_grad_(True)
            scores = problem.score.of(problem.classifier.head(Activation(states, activation.carried), layer))
            (gradient,) = torch.autograd.grad(scores.sum(), states)
        return (gradient * activation.values).sum(dim=1)

    return in_batches(run, count, *sizes(problem, activation, chosen, budget, gradients=True))
