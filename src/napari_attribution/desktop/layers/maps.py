"""Attribution maps as layers: signed, zero clear, symmetric limits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.colormaps import Colormap

from napari_attribution.desktop.layers.known import ROLE, TITLE, Placement, find, layer_metadata, rename
from napari_attribution.desktop.layers.palettes import PALETTES, palette
from napari_attribution.desktop.preferences import preferences
from napari_attribution.keeping import colours
from napari_attribution.methods.attribution import Attribution


def diverging() -> Colormap:
    """The preferred colours of evidence as napari's."""
    preferred = palette()
    return Colormap(preferred.colors, controls=[0.0, 0.25, 0.5, 0.75, 1.0], name=preferred.name)


def robust_limit(maps: Iterable[np.ndarray]) -> float:
    """The strength at which the full colour is reached: all but the preferred share of the places stay below."""
    return colours.robust_limit(maps, preferences().percentile)


def recolor(viewer: ViewerModel) -> None:
    """Give the maps that are there the preferred colours, unless the user chose others for them."""
    for layer in _maps(viewer):
        if layer.colormap.name in PALETTES:
            layer.colormap = diverging()


def relimit(viewer: ViewerModel) -> None:
    """Give the maps that are there the preferred limits; the maps by stain are there to be compared, and share theirs."""
    maps = _maps(viewer)
    by_stain = [layer for layer in maps if layer.metadata[ROLE] != "map"]
    for layer in maps:
        limit = robust_limit([one.data for one in (by_stain if layer in by_stain else [layer])])
        layer.contrast_limits_range = (min(-limit, float(layer.data.min())), max(limit, float(layer.data.max())))
        layer.contrast_limits = (-limit, limit)


def _maps(viewer: ViewerModel) -> list[Image]:
    roles = ((layer, str(layer.metadata.get(ROLE, ""))) for layer in viewer.layers)
    return [layer for layer, role in roles if role == "map" or role.startswith("map of ")]


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
        placement.put(layer)
        # The same map again, with the stains' values: nothing of it is drawn anew.
        if layer.data is not values:
            layer.data = values
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
