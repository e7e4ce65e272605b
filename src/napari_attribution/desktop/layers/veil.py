"""A veil over what is not in the top of a map: what is left clear is what the classifier gets to see.

The layer's pixels are the share of the map at which each place comes in, and never change while a share is chosen: its limits do,
which costs the window nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.colormaps import Colormap

from napari_attribution.desktop.layers.known import ROLE, TITLE, Placement, find
from napari_attribution.methods.attribution import Attribution

VEIL = "veil"
"""The layer's role."""

NAME = "veil over the rest of the map"


def veil_colors() -> Colormap:
    """Clear below the middle of the limits, dark from there on; no colour between."""
    return Colormap([(0, 0, 0, 0), (0, 0, 0, 1)], controls=[0.0, 0.5, 1.0], interpolation="zero", name="veil")


def show_veil(
    viewer: ViewerModel, entering: np.ndarray, share: float, references: Sequence[Layer], attribution: Attribution
) -> Image:
    """Lay the veil over all but the top of a map; the layer of an earlier call is changed.

    Parameters
    ----------
    viewer : ViewerModel
    entering : (H, W) float32 ndarray
        The share at which each place of the well comes in (`napari_attribution.faithfulness.enough.entering`).
    share : float
        Of the map, from 0 to 1.
    references : sequence of Layer
        The well's layers.
    attribution : Attribution
    """
    placement = Placement.of(references, attribution)
    layer = find(viewer, VEIL)
    if layer is None:
        active, below = viewer.layers.selection.active, find(viewer, "map")
        layer = Image(
            entering,
            name=NAME,
            colormap=veil_colors(),
            contrast_limits=(0.0, 2 * share),
            interpolation2d="nearest",
            blending="translucent_no_depth",
            opacity=0.75,
            metadata={ROLE: VEIL, TITLE: NAME, "meaning": "share of the map at which a place comes in"},
            **placement.keywords,
        )
        viewer.layers.insert(len(viewer.layers) if below is None else viewer.layers.index(below) + 1, layer)
        viewer.layers.selection.active = active
    else:
        if layer.data is not entering:
            layer.data = entering
        placement.put(layer)
        layer.visible = True
        lift_veil(viewer, share)
    return layer


def lift_veil(viewer: ViewerModel, share: float) -> bool:
    """Leave another share of the map clear; says whether there is a veil."""
    layer = find(viewer, VEIL)
    if layer is None:
        return False
    layer.contrast_limits = (0.0, 2 * share)
    return True


def hide_veil(viewer: ViewerModel) -> None:
    """Show the whole map again."""
    layer = find(viewer, VEIL)
    if layer is not None and layer.visible:
        layer.visible = False
