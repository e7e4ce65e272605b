"""Augmentation: another piece of a field each time, turned and mirrored, its stains a little brighter or dimmer.

The geometry is the same for all stains of a field: what lies on what stays so. No stain is ever mixed into another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

STRIDE = 8
"""A piece's side is a multiple of it, as backbones halve their inputs again and again."""


@dataclass(frozen=True)
class Augmentation:
    """What is done to the fields of a step.

    Parameters
    ----------
    crop : float
        Side of a piece as a share of the field's; 1 takes the whole.
    turns : bool
        Turn by quarters (where the pieces are square) and mirror.
    brightness : float
        Standard deviation of the factor on a stain's standardised values, of each field and stain by itself.
    """

    crop: float = 1.0
    turns: bool = True
    brightness: float = 0.0

    def draw(
        self, inputs: npt.NDArray[np.floating], numbers: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> Tensor:
        """(N, C, h, w) fields of these numbers to (n, C, h', w') float32 pieces; only these are read."""
        h, w = (self._side(side) for side in inputs.shape[-2:])
        pieces = np.empty((len(numbers), inputs.shape[1], h, w), np.float32)
        for piece, number in zip(pieces, numbers, strict=True):
            top, left = (
                int(rng.integers(0, whole - part + 1)) for whole, part in zip(inputs.shape[-2:], (h, w), strict=True)
            )
            piece[:] = self._turned(inputs[number, :, top : top + h, left : left + w], rng)
        if self.brightness:
            spread = rng.standard_normal((*pieces.shape[:2], 1, 1), dtype=np.float32).clip(-2, 2)
            pieces *= 1 + self.brightness * spread
        return torch.from_numpy(pieces)

    def _side(self, whole: int) -> int:
        if self.crop == 1:
            return whole
        return min(whole, max(STRIDE, round(self.crop * whole / STRIDE) * STRIDE))

    def _turned(self, field: npt.NDArray[np.floating], rng: np.random.Generator) -> npt.NDArray[np.floating]:
        if not self.turns:
            return field
        quarters, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        if field.shape[-1] != field.shape[-2]:
            quarters &= 2
        turned = np.rot90(field, quarters, axes=(1, 2))
        return turned[..., ::-1] if mirrored else turned
