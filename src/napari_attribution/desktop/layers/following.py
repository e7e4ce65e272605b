"""A layer of ours that stays on the well, wherever that is moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_attribution.desktop.layers.known import Placement, find
from napari_attribution.methods.attribution import Attribution

_MOVES = ("scale", "translate", "rotate", "shear", "affine", "units")


class Following:
    """Calls back whenever one layer is moved; at most one layer at a time.

    Parameters
    ----------
    moved : callable
        Called without arguments.
    """

    def __init__(self, moved: Callable[[], None]) -> None:
        self._moved = moved
        self._layer: Layer | None = None

    def follow(self, layer: Layer | None) -> None:
        """Follow this one from now on; none, to follow none."""
        if layer is self._layer:
            return
        if self._layer is not None:
            for name in _MOVES:
                getattr(self._layer.events, name).disconnect(self._told)
        self._layer = layer
        if layer is not None:
            for name in _MOVES:
                getattr(layer.events, name).connect(self._told)

    def _told(self, _event: Any) -> None:
        self._moved()


def put_on_well(viewer: ViewerModel, role: str, references: Sequence[Layer], attribution: Attribution) -> None:
    """Lay a layer of ours, if it is there, where its well lies now."""
    if (layer := find(viewer, role)) is not None:
        Placement.of(references, attribution).put(layer)
