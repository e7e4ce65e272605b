"""Fields made smaller: means over square blocks of pixels, and where in them there are cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FINE = 128
"""Blocks along the longer side, about: enough to tell cells from what is between them, and few enough to be quick."""
LOW, HIGH = 1.0, 99.0
"""Percentiles of a stain that become 0 and 1, before the stains are added up."""

Floats = npt.NDArray[np.float32]


def side_of_blocks(shape: tuple[int, int], along: int = FINE) -> int:
    """Pixels along the side of a block, for about `along` blocks along the longer side of a field."""
    return max(1, round(max(shape) / along))


def block_means(planes: npt.NDArray[Any], side: int) -> Floats:
    """(..., H, W) to (..., H // side, W // side): means over blocks; what is left over at the far sides counts for nothing."""
    H, W = planes.shape[-2] // side * side, planes.shape[-1] // side * side
    if side == 1:
        return np.asarray(planes, dtype=np.float32)
    # Strided sums, the columns' first: much quicker than a mean over two short axes.
    sums = planes[..., 0:H:side, :W].astype(np.float32)
    for row in range(1, side):
        sums += planes[..., row:H:side, :W]
    found = sums[..., 0:W:side].copy()
    for column in range(1, side):
        found += sums[..., column:W:side]
    found /= side**2
    return found


def foreground(planes: Floats) -> npt.NDArray[np.bool_]:
    """Where there are cells, by all stains together.

    Each stain is smoothed a little and scaled to its own range (its 1st and 99th percentile become 0 and 1); their mean is
    cut where the cross entropy of the two sides is least.

    Parameters
    ----------
    planes : (C, h, w) float32 ndarray
        The stains, as means over blocks.

    Returns
    -------
    (h, w) ndarray of bool
        Nowhere true where every stain is blank.

    References
    ----------
    Li and Lee, Minimum cross entropy thresholding, Pattern Recognition 26, 1993.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.filters import threshold_li

    together = np.zeros(planes.shape[1:], dtype=np.float32)
    for plane in planes:
        smooth = gaussian_filter(plane, 1.0)
        low, high = np.percentile(smooth, (LOW, HIGH))
        if high > low:
            together += np.clip((smooth - low) / (high - low), 0, 1)
    if together.min() == together.max():
        return np.zeros(together.shape, dtype=np.bool_)
    found: npt.NDArray[np.bool_] = together > threshold_li(together)
    return found
