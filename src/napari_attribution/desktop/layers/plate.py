"""A field of a plate in layers that stay from well to well: its stains, and the answer that results hold of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_attribution.desktop.layers.answer import show_attribution
from napari_attribution.desktop.layers.bars import label_bars, show_bars
from napari_attribution.desktop.layers.known import ROLE, Placement, find
from napari_attribution.methods.attribution import Attribution

GROUP = "napari-attribution screen"
"""What the metadata of a plate's layers give as their well's mark."""

MONTAGE = "montage"
"""The role of the layer of thumbnails."""


def field_layers(viewer: ViewerModel) -> list[Image]:
    """The layers of the field that is shown, in the order of its stains."""
    return [layer for layer in viewer.layers if layer.metadata.get("group") == GROUP]


def show_field(viewer: ViewerModel, tuples: Sequence[Any], keep: bool) -> list[Image]:
    """Show a field's stains in the layers of the field before; limits, colours and what is hidden stay the user's.

    Parameters
    ----------
    viewer : ViewerModel
    tuples : sequence
        See `well_layer_tuples`; without any, the layers go.
    keep : bool
        Whether contrast limits stay as they are, so that wells can be compared.
    """
    before = {str(layer.metadata["stain"]): layer for layer in field_layers(viewer)}
    shown = []
    for plane, keywords, _ in tuples:
        metadata = {**keywords["metadata"], "group": GROUP}
        layer = before.pop(metadata["stain"], None)
        if layer is None:
            layer = viewer.add_image(plane, **{**keywords, "metadata": metadata})
        else:
            _renew(layer, plane, {**keywords, "metadata": metadata}, keep)
        shown.append(layer)
    for layer in before.values():
        viewer.layers.remove(layer)
    return shown


def show_answer(
    viewer: ViewerModel, attribution: Attribution, references: Sequence[Layer], has_map: bool, keep: bool
) -> None:
    """Lay a field's map and bars over it, in the layers of the answer before; the map's limits stay, where they are to be kept.

    Parameters
    ----------
    viewer : ViewerModel
    attribution : Attribution
    references : sequence of Layer
        The field's stains.
    has_map : bool
        False where no maps were kept: there are the bars alone.
    keep : bool
    """
    if not has_map:
        for layer in [layer for layer in viewer.layers if _is_map(layer)]:
            viewer.layers.remove(layer)
        if any(attribution.channel_importance.values()):
            show_bars(viewer, attribution, references, Placement.of(references, attribution))
            label_bars(viewer)
        return
    before = find(viewer, "map")
    limits = tuple(before.contrast_limits) if before is not None and keep else None
    show_attribution(viewer, attribution, references)
    layer = find(viewer, "map")
    if limits is not None and layer is not None:
        limit(layer, limits)


def show_montage(viewer: ViewerModel, picture: np.ndarray, height: float, unit: str) -> Image:
    """Show thumbnails as one picture, to the left of where the fields are shown.

    Parameters
    ----------
    viewer : ViewerModel
    picture : (H, W, 3) uint8 ndarray
    height : float
        Of a field.
    unit : str
        In which the fields are measured: all layers must have the same.
    """
    scale = (height / picture.shape[0],) * 2
    translate = np.array([0.0, -picture.shape[1] * scale[1] - 0.08 * height])
    keywords: dict[str, Any] = {"units": (unit, unit), "axis_labels": ("y", "x")}
    layer = find(viewer, MONTAGE)
    if layer is None:
        layer = viewer.add_image(
            picture, name="montage", rgb=True, scale=scale, translate=translate, metadata={ROLE: MONTAGE}, **keywords
        )
    else:
        layer.data = picture
        layer.scale, layer.translate, layer.units = scale, translate, keywords["units"]
        layer.visible = True
    return layer


def look_at(viewer: ViewerModel, layers: Sequence[Layer]) -> None:
    """Move the camera so that these layers fill the canvas."""
    boxes = np.array([layer.extent.world[:, -2:] for layer in layers])
    low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
    camera = viewer.scene.camera
    camera.center = (*tuple(camera.center)[:-2], *((low + high) / 2))
    camera.zoom = 0.95 * float(np.min(np.asarray(viewer.canvas.size) / np.maximum(high - low, 1e-9)))


def _renew(layer: Image, plane: np.ndarray, keywords: dict[str, Any], keep: bool) -> None:
    # First whose pixels they are, then the pixels: whoever is told of these looks at those.
    layer.metadata = keywords["metadata"]
    layer.data = plane
    for key in ("scale", "units"):
        if tuple(map(str, getattr(layer, key))) != tuple(map(str, keywords[key])):
            setattr(layer, key, keywords[key])
    if not keep:
        limit(layer, keywords["contrast_limits"])


def limit(layer: Image, limits: tuple[float, float]) -> None:
    """New limits, which the slider reaches."""
    low, high = layer.contrast_limits_range
    layer.contrast_limits_range = (min(low, limits[0]), max(high, limits[1]))
    layer.contrast_limits = limits


def _is_map(layer: Layer) -> bool:
    role = str(layer.metadata.get(ROLE, ""))
    return role == "map" or role.startswith("map of ")
