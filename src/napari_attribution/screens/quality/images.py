"""What the pixels of a field are worth, whatever the classifier makes of them: one number a stain and measure.

============ ==================================================================================================================
focus        variance of the Laplacian, as part of the variance of the pixels themselves; of means over 2 x 2 pixels, which
             quietens the camera. Neither brightness nor contrast changes it; blur lowers it.
slope        of the logarithm of the power spectrum over that of the frequency, in the middle of the field; -2 or so of a sharp
             field, and the steeper the more it is blurred.
saturated    share of the pixels that have the stain's largest value: about none, unless the detector or the file ran out of
             values.
illumination light where there are no cells: the darkest place as part of the brightest, on a coarse grid. The camera's
             offset is in both, so that even a deep shadow does not bring it near 0.
============ ==================================================================================================================

References
----------
Bray et al., Workflow and metrics for image quality control in large-scale high-content screens, Journal of Biomolecular
Screening 17, 2012: the slope, as in CellProfiler's MeasureImageQuality. Pech-Pacheco et al., ICPR 2000: the Laplacian.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_attribution.screens.quality.blocks import Floats, block_means

GRID = 8
"""Parts of the field's height and width in which the light is looked at."""
SPECTRUM = 512
"""Pixels along the side of the middle of the field, at most, whose spectrum is taken."""
LOWEST, HIGHEST = 4 / 256, 0.25
"""Frequencies between which the slope is taken, in cycles a pixel: below lie the light and the layout, above the noise."""


def focus(plane: npt.NDArray[Any]) -> float:
    """Variance of the Laplacian of one stain, (H, W), as part of the stain's own; NaN where it is blank."""
    small = block_means(plane, 2) if min(plane.shape) >= 8 else plane.astype(np.float32)
    inner = small[1:-1, 1:-1]
    laplacian = small[:-2, 1:-1] + small[2:, 1:-1] + small[1:-1, :-2] + small[1:-1, 2:] - 4 * inner
    spread = float(inner.var())
    return float(laplacian.var()) / spread if spread > 0 else math.nan


def slope(plane: npt.NDArray[Any]) -> float:
    """Slope of the log power over the log frequency of one stain, (H, W); NaN where it is blank or too small."""
    from scipy.fft import rfft2

    side = min(*plane.shape, SPECTRUM)
    top, left = ((length - side) // 2 for length in plane.shape)
    middle = plane[top : top + side, left : left + side].astype(np.float32)
    bins, frequencies = _rings(side)
    if len(frequencies) < 3 or middle.min() == middle.max():
        return math.nan
    window = np.hanning(side).astype(np.float32)
    power = np.abs(rfft2((middle - middle.mean()) * window[:, None] * window)) ** 2
    sums = np.bincount(bins.ravel(), power.ravel(), len(frequencies) + 1)[1:]
    counts = np.bincount(bins.ravel(), minlength=len(frequencies) + 1)[1:]
    x, y = np.log(frequencies), np.log(np.maximum(sums / counts, np.finfo(np.float32).tiny))
    x = x - x.mean()
    return float((x * y).sum() / (x * x).sum())


@lru_cache(maxsize=8)
def _rings(side: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """The ring of each frequency of a spectrum, counted from 1, 0 for none; and the rings' frequencies, in cycles a pixel."""
    away = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) * side
    first, last = math.ceil(LOWEST * side), math.floor(HIGHEST * side)
    ring = np.rint(away).astype(np.intp)
    bins = np.where((ring >= first) & (ring <= last), ring - first + 1, 0)
    return bins, np.arange(first, last + 1) / side


def saturated(plane: npt.NDArray[Any]) -> float:
    """Share of the pixels of one stain, (H, W), that have its largest value."""
    return float(np.count_nonzero(plane == plane.max())) / plane.size


def illumination(plane: Floats, cells: npt.NDArray[np.bool_]) -> float:
    """The least light as part of the most, of one stain outside the cells, over a coarse grid.

    Parameters
    ----------
    plane : (h, w) float32 ndarray
        Means over blocks of pixels.
    cells : (h, w) ndarray of bool
        Where there are cells. Parts of the grid that they fill to more than nine tenths do not count.

    Returns
    -------
    float
        NaN where fewer than two parts are left, or the light is not positive.
    """
    rows, columns = (np.linspace(0, length, GRID + 1).astype(int)[:-1] for length in plane.shape)
    if min(plane.shape) < GRID:
        return math.nan

    def sums(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = np.add.reduceat(
            np.add.reduceat(values.astype(np.float64), rows, axis=0), columns, axis=1
        )
        return found

    empty, everywhere = sums(~cells), sums(np.ones_like(plane))
    enough = empty > 0.1 * everywhere
    light = sums(plane * ~cells)[enough] / empty[enough]
    return float(light.min() / light.max()) if light.size > 1 and light.min() > 0 else math.nan
