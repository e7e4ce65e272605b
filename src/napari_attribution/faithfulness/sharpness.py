r"""Sharpness: how finely a map tells places apart. Says nothing of whether it is right.

    width       sqrt(4 A / pi) with A the pixels, at least half as high as the map's maximum, that are connected with it
                (also across corners): the diameter of a disc of that area; lower is sharper
    sparseness  Gini index of the absolute map (Hurley & Rickard, 2009, arXiv 0811.4706; Chalasani et al., ICML 2020,
                arXiv 1810.06583): 0 where every unit is alike, towards 1 where one unit holds everything

With the N absolute values c sorted upwards, Gini = 1 - 2 sum_k c_k / sum(c) * (N - k + 1/2) / N.

Under a (C, h, w) map the width is that in the plane of the stain that holds the maximum, and the sparseness that over all
stains at all places.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from skimage.measure import label

from napari_attribution.faithfulness.ranking import check_map


def width(values: npt.ArrayLike) -> float:
    """Width of the map's highest peak at half its height, in pixels of the map.

    Parameters
    ----------
    values : (h, w) or (C, h, w) array

    Returns
    -------
    float
        At least 1.13, that of one pixel; NaN for a map without a positive value, which has no peak. Of peaks of the same
        height the first in row-major order is measured.

    Raises
    ------
    RequestError
        For a map with NaN.
    """
    checked = check_map(values)
    planes = checked.reshape(-1, *checked.shape[-2:])
    plane, row, column = np.unravel_index(int(planes.argmax()), planes.shape)
    peak = planes[plane, row, column]
    if peak <= 0:
        return float("nan")
    regions = label(planes[plane] >= peak / 2, connectivity=2)
    area = int((regions == regions[row, column]).sum())
    return math.sqrt(4 * area / math.pi)


def sparseness(values: npt.ArrayLike) -> float:
    """Gini index of the absolute map, from 0 to 1; 0 for a map of zeros.

    Raises
    ------
    RequestError
        For a map with NaN.
    """
    c = np.sort(np.abs(check_map(values)), axis=None)
    N, total = c.size, c.sum()
    if total == 0:
        return 0.0
    k = np.arange(1, N + 1)
    return float(1 - 2 * (c / total * ((N - k + 0.5) / N)).sum())
