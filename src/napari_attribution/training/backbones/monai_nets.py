"""MONAI's networks for images, by name, where MONAI is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from napari_attribution.errors import RequestError


def make_monai(name: str, channels: int, classes: int) -> nn.Module:
    """One of MONAI's networks with random weights.

    Raises
    ------
    RequestError
        Where MONAI is not installed.
    """
    try:
        from monai.networks import nets
    except ImportError:
        raise RequestError(
            f'The backbone {name!r} is one of MONAI\'s, which is not installed: pip install "napari-attribution[monai]". '
            "Or choose compact-resnet, which needs nothing more."
        ) from None
    network: nn.Module = MONAI[name](nets, channels, classes)
    return network


MONAI: dict[str, Callable[[Any, int, int], nn.Module]] = {
    "monai-resnet18": lambda nets, channels, classes: nets.resnet18(
        spatial_dims=2, n_input_channels=channels, num_classes=classes
    ),
    "monai-densenet121": lambda nets, channels, classes: nets.DenseNet121(
        spatial_dims=2, in_channels=channels, out_channels=classes
    ),
    "monai-efficientnet-b0": lambda nets, channels, classes: nets.EfficientNetBN(
        "efficientnet-b0", pretrained=False, spatial_dims=2, in_channels=channels, num_classes=classes
    ),
}
