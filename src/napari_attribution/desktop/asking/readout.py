"""What the map says under the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_attribution.desktop.asking.well import answered_well
from napari_attribution.desktop.asking.words import signed
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.layers.known import find
from napari_attribution.methods.attribution import Attribution


@dataclass(frozen=True)
class Reading:
    """The map at one pixel of the well.

    Parameters
    ----------
    row, column : int
    value : float
        In the map's unit; the sum over the stains where it is resolved by stain.
    stains : tuple of (stain, value)
        The strongest first; empty where the method does not resolve stains.
    units : str
    """

    row: int
    column: int
    value: float
    stains: tuple[tuple[str, float], ...]
    units: str

    @property
    def sentence(self) -> str:
        """In one line, or two."""
        where = f"Row {self.row}, column {self.column}: {signed(self.value)} ({self.units})"
        if not self.stains:
            return f"{where}. This method does not tell the stains apart."
        each = " · ".join(f"{stain} {signed(value)}" for stain, value in self.stains)
        return f"{where}\n{each}"


def read(viewer: ViewerModel, state: State, position: Sequence[float]) -> Reading | None:
    """The answer's map at a position in the world.

    None where there is no map: outside the well, in a three-dimensional view, or where neither the map's layer nor the well's
    says where the answer lies.
    """
    answer = state.answer
    if answer is None or viewer.dims.ndisplay != 2:
        return None
    layer = _lying(viewer, state, answer)
    if layer is None:
        return None
    row, column = (round(float(at)) for at in layer.world_to_data(position)[-2:])
    return read_pixel(answer, row, column)


def read_pixel(answer: Attribution, row: int, column: int) -> Reading | None:
    """The map at a pixel of the well; None outside."""
    height, width = answer.values.shape[-2:]
    if not (0 <= row < height and 0 <= column < width):
        return None
    there = answer.values[..., row, column]
    if there.ndim == 0:
        return Reading(row, column, float(there), (), answer.units)
    order = np.argsort(-np.abs(there), kind="stable")
    stains = tuple((answer.stains[index], float(there[index])) for index in order)
    return Reading(row, column, float(there.sum()), stains, answer.units)


def _lying(viewer: ViewerModel, state: State, answer: Attribution) -> Layer | None:
    """A layer that lies where the answer does: its map, shown or hidden, or, where that was deleted, its well."""
    layer = find(viewer, "map")
    if layer is not None:
        return layer if layer.data.shape[-2:] == answer.values.shape[-2:] else None
    well = answered_well(state)
    return well.layers[0] if well is not None else None
