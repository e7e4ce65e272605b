"""One stain seen alone, and everything put back exactly as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari.components import ViewerModel
from napari.layers import Layer

from napari_attribution.desktop.explain.words import why
from napari_attribution.desktop.layers.known import Placement, find
from napari_attribution.desktop.layers.maps import robust_limit, show_map
from napari_attribution.methods.attribution import Attribution

if TYPE_CHECKING:
    from napari_attribution.desktop.wells_from_layers import OpenWell


class Solo:
    """Hides all but one stain and its map, and remembers what was to be seen before.

    Parameters
    ----------
    viewer : ViewerModel

    Attributes
    ----------
    stain : str
        The one that is seen alone; empty where everything is as the user left it.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.stain = ""
        self._before: WeakKeyDictionary[Layer, bool] = WeakKeyDictionary()
        self._made: list[Layer] = []
        self._step: tuple[int, int, int] | None = None

    def show(self, stain: str, well: OpenWell | None, attribution: Attribution | None) -> None:
        """See this stain alone; where another is seen alone already, that one's turn is over.

        Parameters
        ----------
        stain : str
            The well's own name of it.
        well : OpenWell, optional
            Whose layers they are. A stain without a layer of its own is left with its map; in a well that is one layer with
            an axis of stains, the slider goes to it.
        attribution : Attribution, optional
            Where it resolves the stains, the stain's map is shown, and made if it is not there.
        """
        self.stain = stain
        for layer in self.viewer.layers:
            self._before.setdefault(layer, layer.visible)
        wanted = [*self._of_stain(stain, well), *self._map_of(stain, well, attribution)]
        for layer in tuple(self.viewer.layers):
            visible = any(layer is one for one in wanted)
            if layer.visible != visible:
                layer.visible = visible

    def end(self) -> None:
        """Back to what was to be seen before; maps that were made for this go."""
        before, made, step = dict(self._before), self._made, self._step
        self.stain, self._made, self._step = "", [], None
        self._before.clear()
        for layer in made:
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        for layer, visible in before.items():
            if layer in self.viewer.layers and layer.visible != visible:
                layer.visible = visible
        if step is not None and step[0] < self.viewer.dims.ndim and step[2] == self.viewer.dims.ndim:
            self.viewer.dims.set_current_step(*step[:2])

    def _of_stain(self, stain: str, well: OpenWell | None) -> list[Layer]:
        """The layer in which the stain is seen."""
        if well is None or stain not in well.stains:
            return []
        index = well.stains.index(stain)
        if well.channel_axis is None:
            return [well.layers[index]] if index < len(well.layers) else []
        dims = self.viewer.dims
        axis = dims.ndim - well.layers[0].ndim + well.channel_axis
        if 0 <= axis < dims.ndim:
            if self._step is None:
                self._step = (axis, dims.current_step[axis], dims.ndim)
            dims.set_current_step(axis, index)
        return [well.layers[0]]

    def _map_of(self, stain: str, well: OpenWell | None, attribution: Attribution | None) -> list[Layer]:
        """The stain's map: an image, with the scale of all the stains' maps."""
        maps = attribution.per_stain if attribution is not None else {}
        if attribution is None or stain not in maps:
            return []
        role = f"map of {stain}"
        layer = find(self.viewer, role)
        if layer is None:
            references: Sequence[Layer] = well.layers if well else ()
            limit = robust_limit(maps.values())
            active = self.viewer.layers.selection.active
            title = f"{why(attribution)} - {stain}"
            layer = show_map(
                self.viewer, role, title, maps[stain], limit, Placement.of(references, attribution), attribution
            )
            layer.colorbar.visible = True
            self.viewer.layers.selection.active = active
            self._made.append(layer)
        return [layer]
