"""Attribution maps as layers: signed, zero clear, symmetric limits."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.colormaps import Colormap

from napari_attribution.desktop.layers.known import TITLE, Placement, find, layer_metadata, rename
from napari_attribution.methods.attribution import Attribution


def diverging() -> Colormap:
    """Green against, purple for, nothing at zero: readable without telling red from green, and over any stain."""
    against, weak_against = (0.10, 0.86, 0.38), (0.35, 0.80, 0.50)
    weak_for, speaks_for = (0.66, 0.45, 0.95), (0.76, 0.36, 1.00)
    return Colormap(
        [(*against, 1.0), (*weak_against, 0.5), (0.6, 0.65, 0.7, 0.0), (*weak_for, 0.5), (*speaks_for, 1.0)],
        controls=[0.0, 0.25, 0.5, 0.75, 1.0],
        name="evidence",
    )


def robust_limit(maps: Iterable[np.ndarray], percentile: float = 99.5) -> float:
    """The value that only the strongest half per cent exceed: one hot pixel does not darken the map."""
    magnitudes = np.concatenate([np.abs(values).ravel() for values in maps])
    magnitudes = magnitudes[np.isfinite(magnitudes)]
    if not magnitudes.size or not magnitudes.any():
        return 1.0
    # A sparse map (a few cells in a wide field) has a percentile of zero; its own non-zero values then say what is much.
    limit = float(np.percentile(magnitudes, percentile))
    return _rounded_up(limit or float(np.percentile(magnitudes[magnitudes > 0], percentile)))


def _rounded_up(limit: float) -> float:
    """The next round number, at which the colour bar writes its ends or numbers near them (at 8 it writes zero alone)."""
    power = 10.0 ** math.floor(math.log10(limit))
    return next(
        float(f"{step * power:.3g}") for step in (1, 1.5, 2, 3, 4, 5, 6, 7, 10) if step * power >= limit * 0.999
    )


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
