"""Small images whose every pixel differs between channels, so that a swap or a padding is seen."""

import numpy as np
import pytest


@pytest.fixture
def planes():
    """(3, 24, 32) uint16 pixels, no two channels alike."""
    return np.random.default_rng(0).integers(100, 4000, (3, 24, 32)).astype(np.uint16)
