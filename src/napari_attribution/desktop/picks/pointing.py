"""Mouse and keys: what a user does in the image, told to `Picks`.

napari keeps double click and Alt+drag for zooming; a click with Shift, or any click while Pick is on, is ours. Every key is
one that napari leaves free, and is given back when the dock closes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari_attribution.desktop.layers.picks import show_outline
from napari_attribution.desktop.picks.aim import rectangle
from napari_attribution.desktop.picks.picking import Picks
from napari_attribution.desktop.widgets.listener import DRAG, Listener

PICK, NEXT, PREVIOUS, METHOD = "K", "N", "Shift-N", "W"
"""The keys."""


class Pointer(Listener):
    """Listens in the viewer for as long as the dock is open.

    Parameters
    ----------
    picks : Picks
    """

    def __init__(self, picks: Picks) -> None:
        self.picks = picks
        keys: dict[str, Callable[[], None]] = {
            PICK: lambda: picks.pick(picks.viewer.cursor.position),
            NEXT: lambda: picks.step(1),
            PREVIOUS: lambda: picks.step(-1),
            METHOD: picks.next_method,
        }
        super().__init__(picks.viewer, keys)

    def clicked(self, _viewer: ViewerModel, event: Any) -> Generator[None, None, None]:
        """napari's drag callback: a press, moves, and a release."""
        if not self._meant(event):
            return
        if tool := self._tool():
            self.picks.say(tool)
            return
        start, end = tuple(event.position), tuple(event.position)
        event.handled = True
        dragged = False
        yield
        while event.type == "mouse_move":
            end = tuple(event.position)
            event.handled = True
            dragged = dragged or self._far(start, end)
            if dragged:
                self._draw(start, end)
            yield
        if dragged:
            self.picks.pick_region(start, end)
        else:
            self.picks.pick(start)

    def _meant(self, event: Any) -> bool:
        """Whether this press picks: the left button, with Shift alone, or with nothing while Pick is on."""
        held = {str(getattr(key, "name", key)) for key in event.modifiers}
        if getattr(event, "button", 1) not in (1, None):
            return False
        return held == {"Shift"} or (self.picks.state.on and not held)

    def _tool(self) -> str:
        """A sentence, where the active layer's tool wants the clicks for itself."""
        layer = self.viewer.layers.selection.active
        mode = str(getattr(layer, "mode", "pan_zoom"))
        if layer is None or mode == "pan_zoom":
            return ""
        return f"Clicks go to the tool “{mode.replace('_', ' ')}” of the layer {layer.name}. Set that layer to pan/zoom first."

    def _far(self, start: tuple[float, ...], end: tuple[float, ...]) -> bool:
        apart = np.hypot(*(np.asarray(end) - np.asarray(start))[-2:])
        return bool(apart * self.viewer.scene.camera.zoom > DRAG)

    def _draw(self, start: tuple[float, ...], end: tuple[float, ...]) -> None:
        well = self.picks.controller.state.well
        if well is not None and not well.problem:
            corners = rectangle(start, end)[:, -2:]
            show_outline(self.viewer, well.layers[0], [np.vstack([corners, corners[:1]])])
