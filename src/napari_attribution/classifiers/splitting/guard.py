"""The guard: is head(features(x)) the network itself? Asked of every cut before it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.answers import reason, same
from napari_attribution.classifiers.memory import is_out_of_memory
from napari_attribution.classifiers.splitting.cuts import Halves
from napari_attribution.errors import AttributionError, Cancelled


def difference(
    halves: Halves,
    scores: Callable[[Tensor], Tensor],
    read: Callable[[Any, Tensor], Tensor],
    x: Tensor,
    gradients: bool,
) -> str:
    """What differs between the halves and the whole, in words; empty where nothing does.

    Parameters
    ----------
    halves : Halves
    scores : callable
        The whole network: (N, C, h, w) to (N, K).
    read : callable
        Takes what the head returns, and its maps; gives the (N, K) scores.
    x : (1, C, h, w) or (2, C, h, w) Tensor
        Two inputs where the network takes more than one at a time.
    gradients : bool
        Whether the network gives gradients, which are compared too.
    """
    try:
        with torch.no_grad(), torch.jit.optimized_execution(False):
            for probe in (x[:1], x)[: len(x)]:
                maps, carried = halves.features(probe.clone())
                parts = read(halves.head(maps, carried), maps)
                whole = scores(probe)
                if not same(whole, parts):
                    return f"scores differ by {float((whole - parts).abs().max()):.2g}"
                if len(probe) == 1 and len(x) > 1:
                    # One input's skips must serve for many activations.
                    many = read(halves.head(maps.expand(3, *maps.shape[1:]), carried), maps.expand(3, *maps.shape[1:]))
                    if not same(whole.expand(3, -1), many):
                        return "one input's remains do not serve for several activations"
            maps, carried = halves.features(x[:1].clone())
            silenced = read(halves.head(torch.zeros_like(maps), carried), maps)
            if torch.equal(silenced, read(halves.head(maps, carried), maps)):
                return "the scores do not depend on it"
        return _difference_of_gradients(halves, scores, read, x[:1]) if gradients and halves.gradients else ""
    except Cancelled:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AttributionError) as error:
        if is_out_of_memory(error):
            raise
        return reason(error)


def _difference_of_gradients(
    halves: Halves, scores: Callable[[Tensor], Tensor], read: Callable[[Any, Tensor], Tensor], x: Tensor
) -> str:
    with torch.enable_grad(), torch.jit.optimized_execution(False):
        one, two = x.clone().requires_grad_(True), x.clone().requires_grad_(True)
        (whole,) = torch.autograd.grad(scores(one).sum(), one)
        maps, carried = halves.features(two)
        parts, reached = torch.autograd.grad(
            read(halves.head(maps, carried), maps).sum(), (two, maps), allow_unused=True
        )
    if reached is None:
        return "no gradient reaches it"
    return "" if parts is not None and same(whole, parts) else "gradients differ"
