"""The optimiser: AdamW for the backbone, Adam and a pull towards zero for the mixing weights, and one schedule for both.

The backbone's first normalisation takes out how large the mixing weights are in all, so a decay in proportion to them would
change nothing. The pull is the same for every weight: a stain that the classifier has a little use for, but could do without,
ends at zero instead of where chance has left it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from napari_attribution.training.network.mixing import Mixing
from napari_attribution.training.recipe import Recipe

WARM_UP = 0.1
"""Share of the epochs in which the steps grow to their full size; over the rest they shrink to nothing, along a cosine."""

LEAST_NORM = 0.5
"""Below this norm, half of that which a mixer's weights start from, they are not pulled towards zero."""


class Optimiser:
    """What a loss does to the weights.

    Parameters
    ----------
    network : Module
        With `mixing`, or without.
    recipe : Recipe
    device : torch.device
    """

    def __init__(self, network: nn.Module, recipe: Recipe, device: torch.device) -> None:
        mixing = [parameter for name, parameter in network.named_parameters() if name.startswith("mixing.")]
        of_mixing = {id(parameter) for parameter in mixing}
        backbone = [parameter for parameter in network.parameters() if id(parameter) not in of_mixing]
        groups = [{"params": backbone, "rate": recipe.learning_rate, "weight_decay": recipe.weight_decay}]
        if mixing:
            groups.append({"params": mixing, "rate": recipe.mixing_rate, "weight_decay": 0.0})
        self._mixing: Mixing | None = getattr(network, "mixing", None)
        self._sparsity = recipe.sparsity
        self._adam = torch.optim.AdamW(groups, lr=recipe.learning_rate)
        # Half precision without bfloat16's range: gradients are lifted out of where they would vanish.
        half = device.type == "cuda" and not torch.cuda.is_bf16_supported()
        self._scaler = torch.amp.GradScaler("cuda", enabled=half)

    def step(self, loss: Tensor, share: float) -> None:
        """Move the weights against the gradient of a loss, `share` of the training (0 to 1) being over."""
        for group in self._adam.param_groups:
            group["lr"] = group["rate"] * schedule(share)
        self._adam.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.step(self._adam)
        self._scaler.update()
        self._pull()

    @torch.no_grad()
    def _pull(self) -> None:
        if self._mixing is None:
            return
        # Where no stain tells anything, nothing holds against the pull: it must not bring all weights to zero.
        enough = self._mixing.weights.norm(dim=1, keepdim=True) > LEAST_NORM
        for parameter in self._mixing.parameters():
            parameter.sub_(self._sparsity * self._adam.param_groups[-1]["lr"] * enough)

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values."""
        return {"adam": self._adam.state_dict(), "scaler": self._scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._adam.load_state_dict(state["adam"])
        self._scaler.load_state_dict(state["scaler"])


def schedule(share: float) -> float:
    """Size of a step, as a share of the largest, where `share` of the training is over."""
    if share < WARM_UP:
        return 0.04 + 0.96 * share / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP)))
