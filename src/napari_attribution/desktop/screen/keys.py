"""Keys and clicks in the image: next and previous well, and the thumbnail that is clicked."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from napari_attribution.desktop.screen.screening import Screening

NEXT, PREVIOUS = "J", "Shift-J"
DRAG = 5.0
"""Pixels of the screen from which on a click is a drag."""


class Keys:
    """Listens in the viewer for as long as the dock is open.

    Parameters
    ----------
    screening : Screening
    """

    def __init__(self, screening: Screening) -> None:
        self.screening, self.viewer = screening, screening.controller.viewer
        self.bound: dict[str, Callable[[Any], None]] = {}
        self.viewer.mouse_drag_callbacks.append(self.clicked)
        for key, step in ((NEXT, 1), (PREVIOUS, -1)):
            self._bind(key, step)

    def _bind(self, key: str, step: int) -> None:
        def pressed(_viewer: Any) -> None:
            self.screening.step(step)

        try:
            self.viewer.bind_key(key, pressed)
        except ValueError:
            # The user, or another plugin, has it already: theirs stays.
            return
        self.bound[key] = pressed

    def close(self) -> None:
        """Give mouse and keys back."""
        if self.clicked in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self.clicked)
        for key, function in self.bound.items():
            if function in self.viewer.keymap.values():
                self.viewer.bind_key(key, None)
        self.bound.clear()

    def clicked(self, _viewer: Any, event: Any) -> Generator[None, None, None]:
        """napari's drag callback: a click on a thumbnail opens its well; a drag moves the image as ever."""
        if getattr(event, "button", 1) not in (1, None) or event.modifiers:
            return
        start = np.asarray(event.position)
        well = self.screening.showing.well_at(event.position)
        if not well:
            return
        yield
        while event.type == "mouse_move":
            apart = np.hypot(*(np.asarray(event.position) - start)[-2:]) * self.viewer.scene.camera.zoom
            if apart > DRAG:
                return
            yield
        self.screening.open_well(well)
