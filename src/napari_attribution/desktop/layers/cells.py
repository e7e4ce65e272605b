"""Cells as a layer: outlines, through which the stains can be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

OUTLINE = "#d0d4dc"


def cells_layer_tuple(labels: np.ndarray, stain: Mapping[str, Any]) -> tuple[np.ndarray, dict[str, Any], str]:
    """A label image of the cells over a well, as napari's samples return it: hidden, because such a tuple cannot say that
    outlines are wanted (`show_cells` can).

    Parameters
    ----------
    labels : (H, W) ndarray of integers
        0 is background.
    stain : mapping
        The keywords of a layer of the well, which lies in the same place.
    """
    keywords: dict[str, Any] = {
        "name": "cells",
        "visible": False,
        "opacity": 0.45,
        "colormap": DirectLabelColormap(color_dict={None: OUTLINE, 0: "transparent"}),
        **{key: stain[key] for key in ("scale", "units", "axis_labels")},
        "metadata": {"well": stain["metadata"]["well"]},
    }
    return labels.astype(np.int32), keywords, "labels"


def show_cells(viewer: ViewerModel, labels: np.ndarray, **keywords: Any) -> Labels:
    """Outlines of the cells, from what `cells_layer_tuple` gives."""
    layer = viewer.add_labels(labels, **keywords)
    layer.contour = 1
    layer.visible = True
    return layer
