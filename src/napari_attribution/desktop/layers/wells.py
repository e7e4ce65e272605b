"""A well as layers: one additive image a stain."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.colormaps import Colormap
from pint import get_application_registry

from napari_attribution.desktop.layers.known import ROLE
from napari_attribution.keeping.colours import stain_colors, stain_limits
from napari_attribution.wells.well import Well


def well_layer_tuples(well: Well) -> list[tuple[np.ndarray, dict[str, Any], str]]:
    """The layers of a well as napari's readers and samples return them: one additive image a stain."""
    group = uuid4().hex
    size = well.pixel_size
    if size:
        # The first unit takes napari's library for units 0.3 s: in the worker that made these layers, not in the window.
        get_application_registry().parse_units("um")
    tuples = []
    for index, (stain, color) in enumerate(zip(well.stains, stain_colors(well.stains), strict=True)):
        plane = well.pixels[index]
        keywords: dict[str, Any] = {
            "name": stain,
            "colormap": Colormap([(0, 0, 0, 1), color], name=f"{stain} {color}"),
            "contrast_limits": stain_limits(plane, len(well.stains)),
            "blending": "additive",
            "scale": size or (1.0, 1.0),
            "units": ("um", "um") if size else ("pixel", "pixel"),
            "axis_labels": ("y", "x"),
            "metadata": {
                ROLE: "stain",
                "stain": stain,
                "well": well.name,
                "group": group,
                "source": list(well.source),
                "named": well.named,
                "position": well.position,
                "field": well.field,
                "reading": well.reading,
            },
        }
        tuples.append((plane, keywords, "image"))
    return tuples


def show_well(viewer: ViewerModel, well: Well) -> list[Image]:
    """One additive layer a stain, in um where the well knows its pixel size; the first in the list is the first stain."""
    return [viewer.add_image(plane, **keywords) for plane, keywords, _ in well_layer_tuples(well)]
