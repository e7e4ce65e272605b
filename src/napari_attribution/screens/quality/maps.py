"""Where a map lies: shares of its positive mass, which is what it shows in favour of the class explained.

======== ======================================================================================================================
inside   share that lies in cells (`blocks.foreground`); of a map that is the same everywhere, the share of the field that they
         cover (`quality.cells`)
edge     share that lies in the outermost 5 % of the field: the frame whose width is a twentieth of its height above and below
         and of its width at the sides; of a map that is the same everywhere 0.19
saturated share in pixels where some stain has its largest value, and more than one in 200 pixels have it
empty    share in pixels where no stain shows anything: each has its least value, and more than one in 200 pixels have them all
agreement of a second method's map with the first's: Spearman's correlation, over means in a coarse grid
======== ======================================================================================================================

A map without positive values has none of the shares: NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_attribution.screens.quality.blocks import block_means

FRAME = 0.05
"""Width of the outermost part of the field, as part of its height and width."""
MANY = 0.005
"""The share of the pixels above which a value that they share is no chance, as in `napari_attribution.wells.quality`."""
COARSE = 32
"""Places along the longer side of the field at which two maps are compared."""

Mask = npt.NDArray[np.bool_]


def frame(shape: tuple[int, int]) -> tuple[int, int]:
    """How many rows above and below, and columns at the sides, are the outermost part of a field: one at least."""
    return max(1, round(FRAME * shape[0])), max(1, round(FRAME * shape[1]))


def at_edge(positive: npt.NDArray[Any]) -> float:
    """Share of a map's positive mass, (H, W), in the outermost part of the field."""
    rows, columns = frame((positive.shape[0], positive.shape[1]))
    whole = float(positive.sum(dtype=np.float64))
    inner = float(
        positive[rows : positive.shape[0] - rows, columns : positive.shape[1] - columns].sum(dtype=np.float64)
    )
    return 1 - inner / whole if whole > 0 else math.nan


def share_in(positive: npt.NDArray[Any], places: Mask | None) -> float:
    """Share of a map's positive mass, (H, W), in some places, (H, W); None for nowhere."""
    whole = float(positive.sum(dtype=np.float64))
    if not whole > 0:
        return math.nan
    return 0.0 if places is None else float(positive.sum(where=places, dtype=np.float64)) / whole


def saturated_places(pixels: Sequence[npt.NDArray[Any]]) -> Mask | None:
    """(H, W) pixels of a field, (C, H, W), at the largest value of a stain of which many are; None where there are none."""
    found: Mask | None = None
    for plane in pixels:
        top = plane == plane.max()
        if np.count_nonzero(top) > MANY * top.size:
            found = top if found is None else found | top
    return found


def empty_places(pixels: Sequence[npt.NDArray[Any]]) -> Mask | None:
    """(H, W) pixels of a field, C planes of (H, W), at the least value of every stain, where there are many; else None."""
    found = pixels[0] == pixels[0].min()
    for plane in pixels[1:]:
        if np.count_nonzero(found) <= MANY * found.size:
            return None
        found &= plane == plane.min()
    return found if np.count_nonzero(found) > MANY * found.size else None


def agreement(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Spearman's correlation of two signed maps, (H, W); NaN where one is the same everywhere."""
    from scipy.stats import rankdata

    side = max(1, math.ceil(max(one.shape) / COARSE))
    a, b = (rankdata(block_means(values, side).ravel()) for values in (one, other))
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / size if size > 0 else math.nan
