"""Mixing: a layer at the very beginning of a network that blends the stains by nonnegative weights, so that the weights say which
stain matters (DCMIX, Siegismund et al., GCPR 2023, arXiv 2308.16637).

It is recognised by what it does, not by what it is called: the one thing that the network does with its input is a convolution of
1 x 1 pixels without a bias, whose weights are not negative, and they are

- kept as a table, (R, C), as this project's training writes them, whatever R is, or
- kept as a convolution's, (R, C, 1, 1), with fewer blended channels than stains. That is how others may have built it; a
  convolution that nobody meant as a mixing layer has a weight below zero somewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from napari_attribution.classifiers.splitting.steps import Key, Step

_CONVOLUTIONS = ("conv2d", "convolution", "_convolution")
_VIEWS = ("slice", "unsqueeze", "view", "reshape", "index", "alias", "detach", "contiguous", "to")
_SHAPES = ("size", "sym_size", "dim")
"""What a network may ask of its input beside: how many there are."""
_WEIGHT, _BIAS = 1, 2


@dataclass(frozen=True, eq=False)
class Mixing:
    """What a mixing layer weighs.

    Parameters
    ----------
    weights : (R, C) float64 ndarray
        Nonnegative; one row a blended channel, one column a stain, in the order of the classifier's card.
    where : str
        The layer's name in the network; empty where it has none.
    """

    weights: npt.NDArray[np.float64]
    where: str = ""

    @property
    def importance(self) -> npt.NDArray[np.float64]:
        """(C,) shares of the stains that sum to 1: the mean over the blended channels.

        They compare stains that are on one scale, as a card's mean and std of the training wells bring them to.
        """
        totals = self.weights.sum(axis=1, keepdims=True)
        of_mixers = (self.weights / np.where(totals > 0, totals, 1)).sum(axis=0)
        return np.asarray(of_mixers / of_mixers.sum())


def recognised(steps: tuple[Step, ...], x: Key, values: Mapping[Key, Any]) -> Mixing | None:
    """The mixing layer at the beginning of a network; None where there is none.

    Parameters
    ----------
    steps : tuple of Step
        Of the whole network.
    x : Key
        Its input.
    values : mapping
        What is known without a run: weights, constants.
    """
    readers = [step for step in steps if x in (*step.reads, *step.inner) and step.name not in _SHAPES]
    if len(readers) != 1 or readers[0].name not in _CONVOLUTIONS or readers[0].reads[0] != x:
        return None
    reads = readers[0].reads
    if len(reads) > _BIAS and values.get(reads[_BIAS]) is not None:
        return None
    weights = _kept(reads[_WEIGHT], {key: step for step in steps for key in step.makes}, values)
    if weights is None or not _is_table(weights):
        return None
    table = weights.detach().double().cpu().reshape(weights.shape[0], -1).numpy()
    sound = bool(np.isfinite(table).all()) and table.min() >= 0 and table.max() > 0
    return Mixing(table, readers[0].module) if sound else None


def _kept(key: Key, makers: Mapping[Key, Step], values: Mapping[Key, Any]) -> Tensor | None:
    """The tensor that is kept in the file and only looked at in another shape."""
    while key in makers and not isinstance(values.get(key), Tensor):
        if makers[key].name not in _VIEWS:
            return None
        key = makers[key].reads[0]
    found = values.get(key)
    return found if isinstance(found, Tensor) else None


def _is_table(weights: Tensor) -> bool:
    if weights.ndim == 2:
        return weights.shape[1] > 1
    return weights.ndim == 4 and weights.shape[2:] == (1, 1) and weights.shape[0] < weights.shape[1]
