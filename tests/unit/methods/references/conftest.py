"""Wells and classifiers for the tests of the references."""

import copy
from collections.abc import Callable

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import ClassifierCard, Well
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network


@pytest.fixture
def well() -> Callable[..., Well]:
    """A well of noise: of a size, with so many stains."""

    def make(size: tuple[int, int] = (32, 32), stains: int = 3, seed: int = 0) -> Well:
        pixels = np.random.default_rng(seed).normal(size=(stains, *size)).astype(np.float32)
        return Well(pixels, names(stains))

    return make


@pytest.fixture
def classifier() -> Callable[..., Classifier]:
    """An eager network, scripted and wrapped."""

    def make(
        network: nn.Module, size: tuple[int, int] | None = (32, 32), stains: int = 3, **changes: object
    ) -> Classifier:
        zeros = [0.0] * stains
        card = ClassifierCard(
            **{
                "stains": names(stains),
                "classes": networks.CLASSES,
                "size": size,
                "mode": "resize",
                "mean": zeros,
                "std": [1.0] * stains,
                "background": zeros,
            }
            | changes
        )
        # A copy: what is wrapped has its weights frozen, and the twins want to derive by them.
        module = torch.jit.script(copy.deepcopy(network.eval()))
        return Classifier(torchscript_network(module, torch.device("cpu")), card)

    return make


def names(stains: int) -> tuple[str, ...]:
    return networks.STAINS if stains == 3 else tuple(f"stain {index}" for index in range(stains))


@pytest.fixture
def as_input() -> Callable[[Well], Tensor]:
    """The prepared input of a well whose pixels are normalised already."""
    return lambda well: torch.from_numpy(np.array(well.pixels))[None]
