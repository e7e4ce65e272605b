"""Network: an opened file that can be run, before anything is known of its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.mixing import Mixing
from napari_attribution.classifiers.splitting.techniques.technique import Technique


@dataclass(frozen=True)
class Network:
    """What runs a classifier, and how it might be parted.

    Parameters
    ----------
    run : callable
        Takes (N, C, h, w) of `dtype` on `device`, returns what the file's forward returns.
    device : torch.device
    dtype : torch.dtype
        Of the network's weights, and so most often of its inputs.
    format : str
        "TorchScript" or "torch.export".
    techniques : callable
        Takes an input (1, C, h, w), gives the ways to part the network, the best first.
    mixing : Mixing or None
        The layer that blends the stains by nonnegative weights, where the network begins with one.
    """

    run: Callable[[Tensor], Any]
    device: torch.device
    dtype: torch.dtype = torch.float32
    format: str = "eager"
    techniques: Callable[[Tensor], Sequence[Technique]] = lambda x: ()
    mixing: Mixing | None = None
