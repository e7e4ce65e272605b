"""Which layers mark the cells of a well, and which of them to start with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels, Layer

from napari_attribution.desktop.layers import ours
from napari_attribution.desktop.picks.spots import FrozenLabels

FEWEST = 3
"""A layer of fewer objects is hardly one of cells."""

_MOST = 2**18
"""Objects are counted in about so many pixels, evenly spread."""


def cell_layers(viewer: ViewerModel, well: Layer) -> list[Labels]:
    """The Labels layers that lie over a well: at least half of the smaller of the two lies over the other."""
    return [
        layer
        for layer in viewer.layers
        if isinstance(layer, Labels) and not ours(layer) and layer.ndim >= 2 and _shared(layer, well) >= 0.5
    ]


def _shared(layer: Layer, well: Layer) -> float:
    boxes = [one.extent.world[:, -2:] for one in (layer, well)]
    sides = np.minimum(boxes[0][1], boxes[1][1]) - np.maximum(boxes[0][0], boxes[1][0])
    smaller = min(float(np.prod(box[1] - box[0])) for box in boxes)
    return float(np.prod(sides.clip(min=0))) / smaller if smaller > 0 else 0.0


def count_objects(data: Any) -> int:
    """How many objects a label image has, but for the smallest; runs in the worker."""
    step = max(1, int(np.ceil(np.sqrt(np.prod(data.shape[-2:]) / _MOST))))
    plane = np.asarray(data[..., ::step, ::step])
    return int(np.count_nonzero(np.unique(plane)))


def preferred(layers: Sequence[Labels], objects: Mapping[int, int]) -> Labels | None:
    """The layer with the most objects, by the count of each id(layer); None where none looks like one of cells."""
    likely = [
        layer
        for layer in layers
        if objects.get(id(layer), 0) >= FEWEST and not layer.name.casefold().startswith("truth")
    ]
    return max(likely, key=lambda layer: objects[id(layer)], default=None)


def full(layer: Labels) -> Any:
    """The label image in its full resolution."""
    return layer.data[0] if layer.multiscale else layer.data


def freeze(viewer: ViewerModel, layer: Labels, well: Layer) -> FrozenLabels:
    """A reference to the plane of a label image that is in view, and how it lies over the well."""
    point = np.asarray(viewer.dims.point, dtype=float)
    at = np.round(layer.world_to_data(point)[:-2]).astype(int)
    at = np.clip(at, 0, np.array(full(layer).shape[:-2], dtype=int) - 1) if len(at) else at
    to_world, to_labels = (one._data_to_world.set_slice([-2, -1]) for one in (well, layer))
    corners = np.array([to_labels.inverse(to_world(corner)) for corner in ((0, 0), (1, 0), (0, 1))], dtype=float)
    matrix = np.stack([corners[1] - corners[0], corners[2] - corners[0]], axis=1)
    return FrozenLabels(layer.name, full(layer), tuple(int(i) for i in at), matrix, corners[0])
