"""Toys: small fields in which one stain tells the class."""

from __future__ import annotations

import numpy as np

from napari_attribution.training.fields.examples import Examples
from napari_attribution.training.recipe import Recipe

QUICK = Recipe(size=32, epochs=8, patience=8, batch=16, least_steps=4, crop=1, turns=False, mixing_rate=0.1)


def toy(count: int = 64, stains: int = 4, telling: int = 2, seed: int = 0, side: int = 16) -> Examples:
    """Noise in all stains; in one of them stripes that run down in class 0, and across in class 1: equally bright.

    Four fields a well.
    """
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((count, stains, side, side)).astype(np.float32)
    classes = np.arange(count) // 4 % 2
    stripes = np.sign(np.sin(np.arange(side) * np.pi / 2 + 0.5))
    for field, kind in zip(inputs, classes, strict=True):
        field[telling] += stripes[None, :] if kind == 0 else stripes[:, None]
    return Examples(inputs, classes.astype(np.int64), tuple(f"{seed}-{number // 4}" for number in range(count)))
