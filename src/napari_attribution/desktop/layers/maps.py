"""Attribution maps as layers: signed, zero clear, symmetric limits."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.colormaps import Colormap

from napari_attribution.desktop.layers.known import TITLE, Placement, find, layer_metadata, rename
from napari_attribution.keeping.colours import EVIDENCE
from napari_attribution.keeping.colours import robust_limit as robust_limit
from napari_attribution.methods.attribution import Attribution


def diverging() -> Colormap:
    """The colours of evidence as napari's."""
    return Colormap(EVIDENCE, controls=[0.0, 0.25, 0.5, 0.75, 1.0], name="evidence")


def show_map(
    viewer: ViewerModel,
    role: str,
    title: str,
    values: np.ndarray,
    limit: float,
    placement: Placement,
    attribution: Attribution,
    visible: bool = True,
) -> Image:
    limits = (-limit, limit)
    layer = find(viewer, role)
    if layer is None:
        layer = viewer.add_image(
            values,
            name=title,
            colormap=diverging(),
            contrast_limits=limits,
            interpolation2d="nearest",
            blending="translucent_no_depth",
            opacity=0.85,
            visible=visible,
            metadata=layer_metadata(role, title, attribution),
            **placement.keywords,
        )
        layer.colorbar.position = "bottom_right"
    else:
        layer.data = values
        placement.put(layer)
        layer.contrast_limits_range = (min(limits[0], float(values.min())), max(limits[1], float(values.max())))
        layer.contrast_limits = limits
        rename(layer, title)
    layer.metadata = {**layer.metadata, **layer_metadata(role, layer.name, attribution), "units": attribution.units}
    layer.metadata[TITLE] = title
    return layer


def show_color_bar(viewer: ViewerModel, role: str) -> None:
    """A new map's colour bar: a step of its own, because napari takes a tenth of a second to make one."""
    if (layer := find(viewer, role)) is not None:
        layer.colorbar.visible = True
