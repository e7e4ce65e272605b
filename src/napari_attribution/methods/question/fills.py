"""Fills: what stands in for a stain, or a place, that is taken away.

What "removed" means decides what an explanation says, so it is a parameter of every method:

- mean (default): the stain's mean, in the training wells where the card gives it (zero after normalisation), else in the
  image itself: as bright as ever, but empty of structure. On BBBC013 this finds the stain that carries the phenotype, as
  retraining without it does.
- background: the value that means "nothing there". A whole stain gone dark is something that the classifier has never
  seen, and it may well look like a phenotype (cytoplasm without signal, say).
- blur: the input itself, blurred by a sixteenth of its length: its brightness where it was, without its structure.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

Fill = Literal["mean", "background", "blur"]


def make_fill(kind: Fill, x: Tensor, background: Tensor, typical: Tensor) -> Tensor:
    """What stands in for what is taken away.

    Parameters
    ----------
    kind : "mean", "background" or "blur"
    x : (1, C, h, w) Tensor
    background, typical : (C,) Tensor
        What means "nothing there", and the mean, of each stain; both normalised as x is.

    Returns
    -------
    (1, C, h, w) or (1, C, 1, 1) Tensor
    """
    if kind == "background":
        return background[None, :, None, None]
    if kind == "blur":
        return _blurred(x, max(x.shape[2:]) / 16)
    return typical[None, :, None, None]


def _blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, the borders repeated."""
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    x = pad(x, (radius, radius, radius, radius), mode="replicate")
    x = conv2d(x, kernel, groups=x.shape[1])
    return conv2d(x, kernel.transpose(2, 3), groups=x.shape[1])
