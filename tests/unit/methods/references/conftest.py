"""Wells and classifiers for the tests of the references."""

from collections.abc import Callable

import networks
import numpy as np
import pytest
import torch
from torch import Tensor

from napari_attribution import Well
from napari_attribution.classifiers.classifier import Classifier


@pytest.fixture
def well() -> Callable[..., Well]:
    """A well of noise: of a size, with so many stains."""
    return networks.noise


@pytest.fixture
def classifier() -> Callable[..., Classifier]:
    """An eager network, scripted and wrapped."""
    return networks.wrapped


@pytest.fixture
def as_input() -> Callable[[Well], Tensor]:
    """The prepared input of a well whose pixels are normalised already."""
    return lambda well: torch.from_numpy(np.array(well.pixels))[None]
