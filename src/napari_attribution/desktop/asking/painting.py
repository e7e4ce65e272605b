"""The layer to paint on: shown, watched and taken away. What its pixels mean is `removing`'s to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels

from napari_attribution.desktop.asking.erased import Erased
from napari_attribution.desktop.layers import removed as shown
from napari_attribution.desktop.layers.following import Following, put_on_well
from napari_attribution.desktop.layers.known import find
from napari_attribution.desktop.wells_from_layers import OpenWell
from napari_attribution.methods.attribution import Attribution


class Painter(Protocol):
    """Who is told what the user does to the layer."""

    def painted(self, pixels: np.ndarray) -> None:
        """A stroke has ended, or the layer's pixels were exchanged."""

    def deleted(self) -> None:
        """The layer was deleted."""

    def put_down(self) -> None:
        """Another layer or tool was chosen in napari."""

    def undo(self) -> None:
        """Ctrl+Z was pressed over the layer."""


class Painting:
    """At most one layer, on one well.

    Parameters
    ----------
    viewer : ViewerModel
    painter : Painter
    """

    def __init__(self, viewer: ViewerModel, painter: Painter) -> None:
        self.viewer, self._painter = viewer, painter
        self.layer: Labels | None = None
        self._put: Callable[[], None] = lambda: None
        self._following = Following(lambda: self._put())
        self._by_us = False
        viewer.layers.events.removed.connect(self._removed)
        viewer.layers.selection.events.active.connect(self._tool_changed)

    def close(self) -> None:
        """Let go of the viewer; the layer stays."""
        self._let_go()
        self.viewer.layers.events.removed.disconnect(self._removed)
        self.viewer.layers.selection.events.active.disconnect(self._tool_changed)

    def show(self, erased: Erased, well: OpenWell, answer: Attribution) -> None:
        """Show what is removed of a well, and follow the well."""
        layer = find(self.viewer, shown.REMOVED)
        if layer is None or layer is not self.layer or layer.data.shape != erased.bits.shape:
            with self._unheard():
                layer = shown.show_removed(self.viewer, erased.bits, well.stains, well.layers, answer)
            self._let_go()
            self.layer = layer
            layer.events.paint.connect(self._painted)
            layer.events.data.connect(self._painted)
            layer.events.mode.connect(self._tool_changed)
            layer.bind_key("Control-Z", lambda _layer: self._painter.undo(), overwrite=True)
        elif not np.array_equal(layer.data, erased.bits):
            shown.redraw(layer, erased.bits)
        self._put = lambda: put_on_well(self.viewer, shown.REMOVED, well.layers, answer)
        self._following.follow(well.layers[0])

    def begin(self, label: int, size: int) -> None:
        """Hand the mouse to the brush."""
        if self.layer is not None:
            with self._unheard():
                shown.begin_painting(self.viewer, self.layer, label, size)

    def stop(self) -> None:
        """Give the mouse back."""
        with self._unheard():
            shown.stop_painting(self.viewer, self.layer)

    def take_away(self) -> None:
        """There is nothing to show."""
        layer = self.layer
        self._let_go()
        if layer is not None and layer in self.viewer.layers:
            with self._unheard():
                self.viewer.layers.remove(layer)

    def _let_go(self) -> None:
        self._following.follow(None)
        self._put = lambda: None
        if self.layer is not None:
            self.layer.events.paint.disconnect(self._painted)
            self.layer.events.data.disconnect(self._painted)
            self.layer.events.mode.disconnect(self._tool_changed)
            self.layer = None

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """What we do ourselves is not what the user does."""
        before, self._by_us = self._by_us, True
        try:
            yield
        finally:
            self._by_us = before

    def _painted(self, _event: Any) -> None:
        if self.layer is not None and not self._by_us:
            self._painter.painted(np.asarray(self.layer.data))

    def _removed(self, event: Any) -> None:
        if self.layer is not None and event.value is self.layer and not self._by_us:
            self._let_go()
            self._painter.deleted()

    def _tool_changed(self, _event: Any) -> None:
        if self.layer is not None and not self._by_us and not shown.is_painting(self.viewer, self.layer):
            self._painter.put_down()
