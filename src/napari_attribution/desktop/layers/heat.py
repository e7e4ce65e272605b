"""The heat map of a plate as one image layer, a pixel a well, above where the fields are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.colormaps import Colormap

from napari_attribution.desktop.layers.known import ROLE, TITLE, find, rename
from napari_attribution.desktop.layers.plate import field_layers, limit, look_at

HEAT = "plate"
"""The role of the layer."""

APART = 0.08
"""Between the heat map and the field, as a share of the field's height."""


@dataclass(frozen=True, eq=False)
class Heat:
    """What the layer shows.

    Parameters
    ----------
    values : (R, C) float32 ndarray
        Of the wells, in rows and columns of the plate; NaN where there is none. Of categories, their places in `categories`.
    title : str
        The layer's name.
    limits : (float, float)
        Where the colours begin and end.
    colours : (n, 4) ndarray
        From the lower limit to the upper, 0 to 1; of categories, one each.
    categories : tuple of str
        None for numbers.
    told : mapping
        What else the layer's metadata say.
    """

    values: npt.NDArray[np.float32]
    title: str
    limits: tuple[float, float]
    colours: npt.NDArray[Any]
    categories: tuple[str, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def colormap(self) -> Colormap:
        """The colours as napari's; a well without a value is clear."""
        if not self.categories:
            return Colormap(self.colours, name="plate")
        steps = np.linspace(0, 1, len(self.colours) + 1)
        return Colormap(self.colours, name="plate classes", interpolation="zero", controls=steps)


def show_heat(viewer: ViewerModel, heat: Heat) -> Image:
    """Show a heat map, in the layer of the one before; camera and selection stay as they are."""
    metadata = {ROLE: HEAT, TITLE: heat.title, "categories": list(heat.categories), **heat.told}
    layer = find(viewer, HEAT)
    if layer is None:
        selected = set(viewer.layers.selection)
        layer = viewer.add_image(
            heat.values,
            name=heat.title,
            colormap=heat.colormap,
            contrast_limits=heat.limits,
            interpolation2d="nearest",
            blending="translucent_no_depth",
            metadata=metadata,
            **_place(heat.values.shape, _field(viewer)),
        )
        if selected:
            viewer.layers.selection = selected
        return layer
    layer.data = heat.values
    layer.colormap = heat.colormap
    limit(layer, heat.limits)
    rename(layer, heat.title)
    layer.metadata = metadata
    place_heat(viewer)
    return layer


def place_heat(viewer: ViewerModel) -> None:
    """Lay the heat map, if it is there, above the field that is shown now."""
    layer = find(viewer, HEAT)
    if layer is None:
        return
    for key, value in _place(layer.data.shape, _field(viewer)).items():
        if tuple(map(str, getattr(layer, key))) != tuple(map(str, value)):
            setattr(layer, key, value)


def look_at_heat(viewer: ViewerModel) -> None:
    """Move the camera so that the heat map and the field below it fill the canvas."""
    layer = find(viewer, HEAT)
    if layer is not None:
        layer.visible = True
        look_at(viewer, [layer, *_shown(viewer)])


def place_in_heat(viewer: ViewerModel, position: Sequence[float]) -> tuple[int, int] | None:
    """The row and column of the well at a point of the world; None beside the heat map, and where it is hidden."""
    layer = find(viewer, HEAT)
    if layer is None or not layer.visible:
        return None
    row, column = (int(at) for at in np.floor(np.asarray(layer.world_to_data(position))[-2:] + 0.5))
    rows, columns = layer.data.shape
    return (row, column) if 0 <= row < rows and 0 <= column < columns else None


def _shown(viewer: ViewerModel) -> list[Layer]:
    """What of a field there is to be seen."""
    answer = [layer for layer in (find(viewer, "map"), find(viewer, "importance")) if layer is not None]
    return [layer for layer in (*field_layers(viewer), *answer) if layer.visible]


def _field(viewer: ViewerModel) -> Layer | None:
    """The layer that says where the field lies."""
    return next(iter(field_layers(viewer)), None) or find(viewer, "map")


def _place(shape: tuple[int, ...], below: Layer | None) -> dict[str, Any]:
    """As wide as the field, and above it; all layers must have its units."""
    rows, columns = shape
    if below is None:
        low, size, units = np.zeros(2), np.array([columns, columns], dtype=float), ("pixel", "pixel")
    else:
        pixel = np.asarray(below.scale[-2:], dtype=float)
        low, high = below.extent.world[:, -2:]
        low, size, units = low - pixel / 2, high - low + pixel, tuple(map(str, below.units[-2:]))
    side = float(size[1]) / columns
    top = float(low[0]) - APART * float(size[0]) - rows * side
    return {
        "scale": (side, side),
        "translate": (top + side / 2, float(low[1]) + side / 2),
        "units": units,
        "axis_labels": ("y", "x"),
    }
