"""Where a click goes: from the world to pixels of the well, and whether well and cells are still where they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.wells_from_layers import OpenWell
from napari_attribution.errors import WellError

OUTSIDE = "The pointer is not over the well. Click on a cell in the image."


def pixel_at(viewer: ViewerModel, well: OpenWell, position: Sequence[float]) -> tuple[float, float]:
    """Where in the well a point of the world lies.

    Raises
    ------
    WellError
        Where it does not, or the view does not show the well's plane.
    """
    if viewer.dims.ndisplay != 2:
        raise WellError("Picking needs the flat view. Turn the three-dimensional view off (the button with the cube).")
    if tuple(viewer.dims.displayed) != tuple(range(viewer.dims.ndim))[-2:]:
        raise WellError(
            "The view is turned, so that it does not show the well's plane. Set the order of the axes back, then pick."
        )
    row, column = (float(x) for x in well.layers[0].world_to_data(np.asarray(position, dtype=float))[-2:])
    height, width = shape_of(well)
    if not (-0.5 <= row < height - 0.5 and -0.5 <= column < width - 0.5):
        raise WellError(OUTSIDE)
    return row, column


def corners_of(
    viewer: ViewerModel, well: OpenWell, start: Sequence[float], end: Sequence[float]
) -> tuple[tuple[float, float], ...]:
    """The rectangle between two points of the world, in pixels of the well; it may reach over the border.

    Raises
    ------
    WellError
        Where the view does not show the well's plane.
    """
    try:
        pixel_at(viewer, well, start)
    except WellError as error:
        if str(error) != OUTSIDE:
            raise
    turned = (well.layers[0].world_to_data(corner)[-2:] for corner in rectangle(start, end))
    return tuple((float(row), float(column)) for row, column in turned)


def overtaken(controller: Controller, well: OpenWell, cells: Sequence[Layer]) -> Callable[[], str]:
    """Says, when an answer comes, whether well and cells are no longer where and what they were."""
    before = [(layer, layer.data, matrix_of(layer)) for layer in (*well.layers, *cells)]

    def changed() -> str:
        now = controller.state.well
        if now is None or now.key != well.key or any(layer not in controller.viewer.layers for layer, _, _ in before):
            return "The well was closed, or another one chosen, before the answer came. Pick again."
        for layer, data, matrix in before:
            if layer.data is not data or not np.array_equal(matrix_of(layer), matrix):
                return f"The layer {layer.name} was changed or moved before the answer came. Pick again."
        return ""

    return changed


def rectangle(start: Sequence[float], end: Sequence[float]) -> np.ndarray:
    """The four corners of a rectangle in the plane that is seen, each a point of the world."""
    (a, b), (c, d) = np.asarray(start, dtype=float)[-2:], np.asarray(end, dtype=float)[-2:]
    before = np.asarray(start, dtype=float)[:-2]
    return np.array([[*before, *corner] for corner in ((a, b), (a, d), (c, d), (c, b))])


def shape_of(well: OpenWell) -> tuple[int, int]:
    layer = well.layers[0]
    data = layer.data[0] if layer.multiscale else layer.data
    return int(data.shape[-2]), int(data.shape[-1])


def matrix_of(layer: Layer) -> np.ndarray:
    return np.asarray(layer._data_to_world.affine_matrix)
