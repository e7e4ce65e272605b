"""The heat map as a layer: made when it is asked for, and kept as the dock's own while it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_attribution.desktop.layers.heat import HEAT, Heat, look_at_heat, place_in_heat, show_heat
from napari_attribution.desktop.layers.known import find
from napari_attribution.screens.report.columns import title, unit
from napari_attribution.screens.report.scale import Scale, ramp

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_attribution.desktop.screen.state import State
    from napari_attribution.screens.report.wells import Wells


class Heating:
    """Shows the plate's column as a layer.

    Parameters
    ----------
    viewer : ViewerModel
    state : State
    changed : callable
    """

    def __init__(self, viewer: ViewerModel, state: State, changed: Callable[[], None]) -> None:
        self._viewer, self._state, self._changed = viewer, state, changed

    @property
    def there(self) -> bool:
        """Whether the layer is among the viewer's: a person may have taken it away."""
        return find(self._viewer, HEAT) is not None

    def show(self) -> None:
        """Make the layer; where it is there already, look at it."""
        if self.there:
            look_at_heat(self._viewer)
        else:
            self._put()
        self._changed()

    def update(self) -> None:
        """Show the column that is chosen now, in the layer if it is there."""
        if self.there:
            self._put()

    def _put(self) -> None:
        wells, column = self._state.wells, self._state.column
        if wells is not None and column:
            path = self._state.results.path if self._state.results is not None else ""
            show_heat(self._viewer, heat_of(wells, column, str(path)))

    def well_at(self, position: Any) -> str:
        """The well at a point of the world; empty where there are no results of one."""
        wells, place = self._state.wells, place_in_heat(self._viewer, position)
        return wells.at.get(place, "") if wells is not None and place is not None else ""


def heat_of(wells: Wells, column: str, results: str = "") -> Heat:
    """A column of the wells as a heat map, in the colours of the dock.

    Parameters
    ----------
    wells : Wells
    column : str
    results : str
        Where they are from.
    """
    scale, found = wells.scale(column), wells.values(column)
    values = np.full(wells.layout, np.nan, dtype=np.float32)
    rows, columns = wells.places.T
    values[rows, columns] = _codes(scale, found) if scale.categories else found
    named, of = title(column, wells.methods), unit(column)
    colours, limits = ramp() / 255, scale.limits
    if scale.categories:
        colours = np.array([_rgba(scale.colour(name)) for name in scale.categories])
        limits = (-0.5, len(scale.categories) - 0.5)
    told = {"column": column, "unit": of, "results": results}
    return Heat(values, f"{named} [{of}]" if of else named, limits, colours, scale.categories, told)


def _codes(scale: Scale, values: Any) -> list[float]:
    index = {name: float(at) for at, name in enumerate(scale.categories)}
    return [index.get(value, np.nan) for value in values]


def _rgba(color: str) -> tuple[float, ...]:
    return (*(int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)), 1.0)
