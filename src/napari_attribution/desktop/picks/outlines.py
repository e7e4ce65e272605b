"""The outline of a place, as lines in the world."""

from __future__ import annotations

import numpy as np
from napari.layers import Layer

from napari_attribution.wells.place import Place


def in_world(place: Place, kind: str, reference: Layer) -> list[np.ndarray]:
    """Closed (n, 2) lines around a place, along the edges of its pixels.

    Parameters
    ----------
    place : Place
    kind : str
        "cell", or what is as simple as its box: "square", "region".
    reference : Layer
        Of the well.
    """
    rows, columns = place.box
    corner = np.array([rows.start, columns.start], dtype=float)
    if kind == "cell":
        lines = boundary(place.mask[rows, columns])
    else:
        height, width = rows.stop - rows.start, columns.stop - columns.start
        lines = [np.array([(0, 0), (0, width), (height, width), (height, 0), (0, 0)]) - 0.5]
    transform = reference._data_to_world.set_slice([-2, -1])
    return [np.asarray(transform(line + corner)) for line in lines]


def boundary(mask: np.ndarray) -> list[np.ndarray]:
    """Closed lines between a mask and what is not of it, in pixel coordinates; the longest fifty."""
    from skimage.measure import find_contours

    lines = [line - 1 for line in find_contours(np.pad(mask, 1).astype(float), 0.5)]
    lines.sort(key=len, reverse=True)
    return lines[:50]
