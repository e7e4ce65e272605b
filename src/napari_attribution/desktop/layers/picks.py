"""Picks as layers: one Points layer with a table of what each cell is to the classifier, and the outline of the last.

However many picks there are, these are two layers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer, Points, Shapes

from napari_attribution.desktop.layers.known import ROLE, find

PICKS, PICKED = "picks", "picked"
"""Roles of the layer of all picks, and of the outline of the one that is shown."""

COLUMNS: dict[str, Any] = {
    "pick": 0,
    "place": "",
    "class": "",
    "probability": math.nan,
    "says": "",
    "drop": math.nan,
    "share of score": math.nan,
    "top stain": "",
    "inside cell": math.nan,
    "method": "",
    "score": "",
    "well": "",
    "cells": "",
    "cell": 0,
    "row": math.nan,
    "column": math.nan,
    "side": 0,
    "corners": "",
}
"""The table's columns, with what stands in them where nothing is known."""

_OUTLINE = "#ffffff"
_RING = "#ffd84d"


def picks_layer(viewer: ViewerModel) -> Points | None:
    """The layer of all picks; None where there is none yet."""
    layer = find(viewer, PICKS)
    return layer if isinstance(layer, Points) else None


def put_pick(viewer: ViewerModel, reference: Layer, at: np.ndarray, row: Mapping[str, Any], index: int | None) -> int:
    """Add a pick, or change the one at an index; returns its index.

    Parameters
    ----------
    viewer : ViewerModel
    reference : Layer
        Of the well: whose units the world is in.
    at : (2,) ndarray
        In the world.
    row : mapping of column to value
    index : int, optional
    """
    layer = picks_layer(viewer) or _add_points(viewer, reference)
    if index is None or index >= len(layer.data):
        # Not `add`: it selects, and so asks to be shown what has just been shown.
        index = len(layer.data)
        layer.data = np.vstack([layer.data, at])
    columns = {name: _column(layer, name, default) for name, default in COLUMNS.items()}
    for name, default in COLUMNS.items():
        columns[name][index] = row.get(name, default)
    layer.features = columns
    return index


def select_pick(viewer: ViewerModel, index: int) -> None:
    """Mark a pick as the one that is shown."""
    layer = picks_layer(viewer)
    if layer is not None and index < len(layer.data):
        if layer.selected_data != {index}:
            layer.selected_data = {index}
        # A point that the user adds would otherwise take over this pick's row.
        layer.feature_defaults = COLUMNS


def _column(layer: Points, name: str, default: Any) -> list[Any]:
    """A column of the table; what the user's own points, or a column taken away, leave open is the default."""
    count = len(layer.data)
    given = list(layer.features[name])[:count] if name in layer.features else []
    kind = type(default)
    values = [value if isinstance(value, kind | np.generic) and value == value else default for value in given]
    return values + [default] * (count - len(values))


def _add_points(viewer: ViewerModel, reference: Layer) -> Points:
    active = viewer.layers.selection.active
    height = float(np.ptp(reference.extent.world[:, -2]))
    layer = viewer.add_points(
        np.empty((0, 2)),
        ndim=2,
        name="picks",
        features={name: np.array([], dtype=object if isinstance(v, str) else type(v)) for name, v in COLUMNS.items()},
        size=height / 60,
        symbol="disc",
        face_color="transparent",
        border_color=_RING,
        border_width=0.2,
        canvas_size_limits=(8, 12),
        units=tuple(reference.units[-2:]),
        axis_labels=tuple(reference.axis_labels[-2:]),
        metadata={ROLE: PICKS},
    )
    # Who clicks at cells goes on doing so: the tools stay those of the layer that was chosen.
    if active is not None:
        viewer.layers.selection.active = active
    return layer


def show_outline(viewer: ViewerModel, reference: Layer, corners: Sequence[np.ndarray]) -> None:
    """Outline a place (or, while it is being drawn, what is to be one); none hides the outline.

    Parameters
    ----------
    viewer : ViewerModel
    reference : Layer
        Of the well.
    corners : sequence of (n, 2) ndarrays
        Closed lines, in the world.
    """
    layer = find(viewer, PICKED)
    shapes = [np.asarray(line, dtype=float) for line in corners if len(line) > 2]
    if not shapes:
        if layer is not None and layer.visible:
            layer.visible = False
        return
    if not isinstance(layer, Shapes):
        active = viewer.layers.selection.active
        width = max(float(np.ptp(reference.extent.world[:, -1])) / 400, 1e-9)
        layer = viewer.add_shapes(
            ndim=2,
            name="picked",
            edge_color=_OUTLINE,
            face_color="transparent",
            edge_width=width,
            units=tuple(reference.units[-2:]),
            axis_labels=tuple(reference.axis_labels[-2:]),
            metadata={ROLE: PICKED},
        )
        layer.editable = False
        layer.add(shapes, shape_type="path", edge_width=width)
        if active is not None:
            viewer.layers.selection.active = active
        return
    shown = layer.data
    same = len(shapes) == len(shown) and all(
        a.shape == b.shape and np.allclose(a, b) for a, b in zip(shapes, shown, strict=True)
    )
    if not same:
        layer.data = [(line, "path") for line in shapes]
    if not layer.visible:
        layer.visible = True
