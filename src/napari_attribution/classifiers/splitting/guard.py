"""The guard: is head(features(x)) the network itself? Asked of every cut before it is used."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from napari_attribution.classifiers.answers import reason, same
from napari_attribution.classifiers.memory import is_out_of_memory
from napari_attribution.classifiers.splitting.halves import Halves
from napari_attribution.errors import AttributionError, Cancelled

_ROUNDING = 3e-4
"""Of the largest gradient: what another order of summation changes in a deep network. A wrong half changes all of it."""


class Whole(Protocol):
    """The whole network: (N, C, h, w) to (N, K) scores, and how the scores are read from what a head returns."""

    in_pairs: bool

    def scores(self, x: Tensor) -> Tensor: ...

    def read(self, output: Any, x: Tensor) -> Tensor: ...


def difference(halves: Halves, whole: Whole, x: Tensor, gradients: bool) -> str:
    """What differs between the halves and the whole, in words; empty where nothing does.

    Parameters
    ----------
    halves : Halves
    whole : Whole
    x : (1, C, h, w) or (2, C, h, w) Tensor
        Two inputs where the network takes more than one at a time.
    gradients : bool
        Whether the network gives gradients, which are compared too.
    """
    try:
        with torch.no_grad(), torch.jit.optimized_execution(False):
            found = _difference_of_scores(halves, whole, x)
        if found or not (gradients and halves.gradients):
            return found
        with torch.enable_grad(), torch.jit.optimized_execution(False):
            return _difference_of_gradients(halves, whole, x)
    except Cancelled:
        raise
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AttributionError) as error:
        if is_out_of_memory(error):
            raise
        return reason(error)


def _difference_of_scores(halves: Halves, whole: Whole, x: Tensor) -> str:
    for probe in (x[:1], x)[: len(x)]:
        maps, carried = halves.features(probe.clone())
        parts, scores = whole.read(halves.head(maps, carried), maps), whole.scores(probe)
        if not same(scores, parts):
            return f"scores differ by {float((scores - parts).abs().max()):.2g}"
        if len(probe) == 1 and len(x) > 1:
            several = maps.expand(3, *maps.shape[1:])
            if not same(scores.expand(3, -1), whole.read(halves.head(several, carried), several)):
                return "one input's remains do not serve for several activations"
    maps, carried = halves.features(x[:1].clone())
    silenced = whole.read(halves.head(torch.zeros_like(maps), carried), maps)
    intact = whole.read(halves.head(maps, carried), maps)
    if torch.equal(silenced, intact) and not _is_constant(whole, x, intact):
        return "the scores do not depend on it"
    return ""


def _is_constant(whole: Whole, x: Tensor, scores: Tensor) -> bool:
    """Whether the scores depend on nothing at all, so that no layer can be blamed for it."""
    return all(torch.equal(whole.scores(probe), scores) for probe in (torch.zeros_like(x[:1]), x[-1:].flip(-1)))


def _difference_of_gradients(halves: Halves, whole: Whole, x: Tensor) -> str:
    # Where a single input's gradient is wrong in torch itself, no single input is ever asked for one.
    for probe in [x] if whole.in_pairs or len(x) == 1 else [x[:1], x]:
        one, two = probe.clone().requires_grad_(True), probe.clone().requires_grad_(True)
        (want,) = torch.autograd.grad(whole.scores(one).sum(), one)
        maps, carried = halves.features(two)
        found, reached = torch.autograd.grad(
            whole.read(halves.head(maps, carried), maps).sum(), (two, maps), allow_unused=True
        )
        if reached is None:
            halves.gradients = False  # what the scores owe to it, they owe through a decision
        if found is None or not same(want, found, _ROUNDING):
            return "gradients differ"
    return ""
