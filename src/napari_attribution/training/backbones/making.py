"""make_network: a backbone, with a mixing layer in front of it or without."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_attribution.training.backbones.compact_resnet import CompactResNet
from napari_attribution.training.backbones.monai_nets import make_monai
from napari_attribution.training.mixing import DCMIX, Mixing, SoftplusDCMIX, start
from napari_attribution.training.recipe import Recipe


class MixedNetwork(nn.Module):
    """A mixing layer and the backbone that sees its blended channels.

    Parameters
    ----------
    mixing : DCMIX or SoftplusDCMIX
    backbone : Module
        (N, R, h, w) to logits, (N, K).
    """

    def __init__(self, mixing: Mixing, backbone: nn.Module) -> None:
        super().__init__()
        self.mixing = mixing
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) stains to logits, (N, K)."""
        return self.backbone(self.mixing(x))


def make_network(recipe: Recipe, stains: int, classes: int, mixed: bool = True, *, seed: int = 0) -> nn.Module:
    """The network of a recipe with random weights.

    Parameters
    ----------
    recipe : Recipe
    stains, classes : int
        C and K.
    mixed : bool, optional
        With a mixing layer in front: a `MixedNetwork`. Without, the backbone sees the stains as they are.
    seed : int, optional
        The same seed gives the same weights; torch's own random numbers go on as if nothing had been drawn.

    Raises
    ------
    RequestError
        For a backbone of MONAI's where that is not installed.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        backbone = _backbone(recipe.backbone, recipe.mixers if mixed else stains, classes)
        if not mixed:
            return backbone
        layer = SoftplusDCMIX if recipe.nonnegative == "softplus" else DCMIX
        return MixedNetwork(layer(start(recipe.mixers, stains)), backbone)


def _backbone(name: str, channels: int, classes: int) -> nn.Module:
    return CompactResNet(channels, classes) if name == "compact-resnet" else make_monai(name, channels, classes)
