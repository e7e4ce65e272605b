"""What the map says under the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_attribution.desktop.asking.well import answered_well
from napari_attribution.desktop.asking.words import fixed
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
    limit : float
        The largest value of the map: how many digits are worth saying.
    """

    row: int
    column: int
    value: float
    stains: tuple[tuple[str, float], ...]
    units: str
    limit: float

    @property
    def sentence(self) -> str:
        """In one line, or two."""
        where = f"Row {self.row}, column {self.column}: {fixed(self.value, self.limit)} ({self.units})"
        if not self.stains:
            return f"{where}. This method does not tell the stains apart."
        each = " · ".join(f"{stain} {fixed(value, self.limit)}" for stain, value in self.stains)
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
        return Reading(row, column, float(there), (), answer.units, limit_of(answer))
    order = np.argsort(-np.abs(there), kind="stable")
    stains = tuple((answer.stains[index], float(there[index])) for index in order)
    return Reading(row, column, float(there.sum()), stains, answer.units, limit_of(answer))


_LIMITS: WeakKeyDictionary[Attribution, float] = WeakKeyDictionary()


def limit_of(answer: Attribution) -> float:
    """The largest magnitude in a map as it was computed; found once, not with every move of the pointer."""
    if answer not in _LIMITS:
        values = answer.native
        _LIMITS[answer] = float(max(values.max(), -values.min())) if values.size else 0.0
    return _LIMITS[answer]


def _lying(viewer: ViewerModel, state: State, answer: Attribution) -> Layer | None:
    """A layer that lies where the answer does: its map, shown or hidden, or, where that was deleted, its well."""
    layer = find(viewer, "map")
    if layer is not None:
        return layer if layer.data.shape[-2:] == answer.values.shape[-2:] else None
    well = answered_well(state)
    return well.layers[0] if well is not None else None
