"""Scales of a map: smoothing, and what stands out at a scale. Maps are (..., h, w) Tensors on the CPU, any unit."""

from __future__ import annotations

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor


def smoothed(map: Tensor, sigma: float) -> Tensor:
    """Gaussian blur by sigma pixels, the borders mirrored: repeated edge pixels would lend the padding's gradients weight."""
    if sigma <= 0:
        return map
    blurred = gaussian_filter(map.double().numpy(), sigma, axes=(-2, -1), mode="reflect")
    return torch.from_numpy(blurred).to(map.dtype)


def strongest_one(map: Tensor) -> Tensor:
    """The positive part, its largest value 1; zeros where nothing is positive."""
    positive = map.clamp_min(0)
    return positive / positive.max().clamp_min(torch.finfo(map.dtype).tiny)


def standing_out(map: Tensor) -> Tensor:
    """How far each place lies above the map's mean, the farthest 1; zeros for a map that is the same all over."""
    above = map - map.mean()
    rounding = 1e-6 * map.abs().max()
    return strongest_one(torch.where(above > rounding, above, torch.zeros_like(above)))
