r"""DCMIX: a layer that blends the stains into few channels, with one nonnegative weight a stain that is trained.

Siegismund et al., GCPR 2023 (arXiv 2308.16637). Implemented from the published description:

    M(x)_r = sum_c alpha_rc x_c,     alpha_rc >= 0

is the first layer of a classifier and trained with it. What the classifier needs of a stain has to come through its
weight, so the weights tell which stain matters.

- Only the ratios of the weights mean anything, and only where the stains are on one scale: the inputs are standardised stain
  by stain. The importance is the weights as shares of one, the mean over the blended channels.
- A weight is kept from falling below zero by **projection** after each step (default), from which it comes back as soon as
  its gradient asks for it: the layer itself is linear, and has a gradient at zero too. Or by **softplus** of what is
  trained, from which it can fall towards zero for ever.
- One blended channel cannot tell which stain a pixel's light is from, so what lies in two stains at once is lost to it; R
  parallel mixers give R channels.

A mixture costs one multiplication a pixel and stain. What it costs besides in training is that the first convolution behind
it must tell the gradient of its input; `napari_attribution.training.backbones.making` says how this is spared.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, softplus


class DCMIX(nn.Module):
    """The layer as it is trained by projection, and as it is saved whatever it was trained with.

    Parameters
    ----------
    weights : (R, C) Tensor
        Nonnegative.

    Attributes
    ----------
    weights : (R, C) Parameter
    """

    # Properties are scripted unless they stand here, and this one is only for Python.
    __jit_unused_properties__: ClassVar[list[str]] = ["importance"]

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) stains to (N, R, h, w) blended channels."""
        # A convolution and no other product: of it, it is known how to cut the saved network, and that it is a mixing layer.
        return conv2d(x, self.weights[:, :, None, None])

    @property
    def importance(self) -> Tensor:
        """(C,) shares of the stains that sum to 1: the mean over the blended channels."""
        return shares(self.weights.detach())

    @torch.no_grad()
    def project(self) -> None:
        """Lift what a step has brought below zero to zero."""
        self.weights.clamp_(min=0)

    def plain(self) -> DCMIX:
        """The layer itself."""
        return self


class SoftplusDCMIX(nn.Module):
    """The layer while it is trained as softplus of numbers that may fall below zero.

    Parameters
    ----------
    weights : (R, C) Tensor
        Positive.
    """

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.raw = nn.Parameter(weights.detach().expm1().log())

    @property
    def weights(self) -> Tensor:
        """(R, C), positive."""
        return softplus(self.raw)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) stains to (N, R, h, w) blended channels."""
        return torch.einsum("rc,nchw->nrhw", softplus(self.raw), x)

    @property
    def importance(self) -> Tensor:
        """(C,) shares of the stains that sum to 1: the mean over the blended channels."""
        return shares(self.weights.detach())

    def project(self) -> None:
        """Nothing: softplus is never below zero."""

    def plain(self) -> DCMIX:
        """The same mixture in the form that is saved."""
        return DCMIX(self.weights)


Mixing = DCMIX | SoftplusDCMIX


def shares(weights: Tensor) -> Tensor:
    """(R, C) nonnegative weights to the (C,) mean of each mixer's shares; a mixer that is all zero has none to give."""
    totals = weights.sum(dim=1, keepdim=True)
    of_mixers = weights / torch.where(totals > 0, totals, 1)
    summed = of_mixers.sum(dim=0)
    whole = summed.sum()
    return summed / whole if whole > 0 else torch.full_like(summed, 1 / len(summed))


def start(mixers: int, stains: int) -> Tensor:
    """(R, C) weights to start from: all stains alike, and where there are several mixers, each a little different.

    Independent stains of variance 1 blend to a channel of variance 1, as a network behind the layer expects its inputs.
    """
    alike = torch.full((mixers, stains), stains**-0.5)
    if mixers == 1:
        return alike
    # Mixers that start alike would stay alike, but for the random filters behind them.
    return alike * (0.75 + 0.5 * torch.rand(mixers, stains))
