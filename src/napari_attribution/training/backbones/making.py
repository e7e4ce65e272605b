"""make_network: a backbone, with a mixing layer in front of it or without."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from napari_attribution.training.backbones.compact_resnet import CompactResNet
from napari_attribution.training.backbones.monai_nets import make_monai
from napari_attribution.training.network.mixing import DCMIX, Mixing, SoftplusDCMIX, start
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
        logits: Tensor = self.backbone(self.mixing(x))
        return logits

    def folded(self, x: Tensor) -> Tensor:
        """The same logits, by a way whose backward pass is cheaper where the backbone is a `CompactResNet`.

        Mixing and a convolution without bias are both linear, and the second has the same filters everywhere:

            sum_r K_or * sum_c alpha_rc x_c = sum_c (sum_r K_or alpha_rc) * x_c

        With the weights folded into the filters, the first convolution tells their gradient with that of its filters, and need
        not tell that of each pixel of its input.
        """
        if not isinstance(self.backbone, CompactResNet):
            logits: Tensor = self(x)
            return logits
        filters = torch.einsum("orhw,rc->ochw", self.backbone.stem[0].weight, self.mixing.weights)
        folded: Tensor = functional_call(self.backbone, {"stem.0.weight": filters}, (x,))
        return folded


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
