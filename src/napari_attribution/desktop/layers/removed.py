"""What was removed of a well, as one layer to paint on: a label is a set of stains, one bit each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap

from napari_attribution.desktop.layers.bars import bar_colors
from napari_attribution.desktop.layers.known import ROLE, TITLE, Placement, find
from napari_attribution.methods.attribution import Attribution

REMOVED = "removed"
"""The layer's role, and its name."""

GREY = (0.62, 0.64, 0.68, 1.0)
"""Of places where all stains are removed: a hole in the picture, not a colour of it."""

SOME = 0.7
"""How opaque a place is where only some stains are removed: the others are still there to be seen."""

MOST_COLORED = 8
"""Sets of more stains than this are too many to give each its colour; all of them are grey."""


def show_removed(
    viewer: ViewerModel, bits: np.ndarray, stains: Sequence[str], references: Sequence[Layer], attribution: Attribution
) -> Labels:
    """Show which pixels are removed, of which stains; the layer of an earlier call is changed.

    Parameters
    ----------
    viewer : ViewerModel
    bits : (H, W) ndarray of unsigned integers
        Bit i is set where stain i is removed. The layer gets a copy.
    stains : sequence of str
        The well's, in the order of the bits.
    references : sequence of Layer
        The well's layers: where it lies, and the stains' colours.
    attribution : Attribution
    """
    placement = Placement.of(references, attribution)
    layer = find(viewer, REMOVED)
    if layer is not None and (not isinstance(layer, Labels) or layer.data.shape != bits.shape):
        viewer.layers.remove(layer)
        layer = None
    colors = DirectLabelColormap(color_dict=set_colors(bar_colors(stains, references)))
    if layer is None:
        active = viewer.layers.selection.active
        layer = viewer.add_labels(
            bits.copy(),
            name=REMOVED,
            opacity=0.75,
            colormap=colors,
            metadata={ROLE: REMOVED, TITLE: REMOVED},
            **placement.keywords,
        )
        viewer.layers.selection.active = active
    else:
        layer.data = bits.copy()
        layer.colormap = colors
        placement.put(layer)
    layer.metadata = {**layer.metadata, "stains": list(stains), "meaning": "bit i: stain i is removed"}
    return layer


def redraw(layer: Labels, bits: np.ndarray) -> None:
    """Show other pixels as removed; the layer's own steps back would lead to what was never there."""
    layer.data[...] = bits
    layer.refresh(extent=False)


def begin_painting(viewer: ViewerModel, layer: Labels, label: int, size: int) -> None:
    """Hand the mouse to the layer's brush."""
    layer.visible = True
    viewer.layers.selection.active = layer
    layer.selected_label = label
    layer.brush_size = size
    layer.mode = "paint"


def stop_painting(viewer: ViewerModel, layer: Layer | None) -> None:
    """Give the mouse back to the viewer, and choose the map again."""
    if layer is None or layer not in viewer.layers:
        return
    layer.mode = "pan_zoom"
    if viewer.layers.selection.active is layer and (chosen := find(viewer, "map")) is not None:
        viewer.layers.selection.active = chosen


def is_painting(viewer: ViewerModel, layer: Layer | None) -> bool:
    """Whether the mouse paints on this layer now: the user may have changed layer or tool in napari."""
    return layer is not None and viewer.layers.selection.active is layer and layer.mode not in ("pan_zoom", "transform")


def set_colors(stains: np.ndarray) -> dict[int | None, Any]:
    """A colour for every set of stains: grey for all of them, their own colours, greyed, for some.

    Parameters
    ----------
    stains : (C, 4) ndarray
    """
    colors: dict[int | None, Any] = {None: np.array(GREY), 0: np.zeros(4)}
    count = len(stains)
    if count <= MOST_COLORED:
        for bits in range(1, 2**count - 1):
            own = stains[[index for index in range(count) if bits >> index & 1]].mean(axis=0)
            colors[bits] = np.append(0.5 * own[:3] + 0.5 * np.array(GREY[:3]), SOME)
    return colors
