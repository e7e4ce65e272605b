"""Keys and clicks in the image: next and previous well, and the well that is clicked in the thumbnails or the heat map."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from napari_attribution.desktop.screen.screening import Screening
from napari_attribution.desktop.widgets.listener import DRAG, Listener

NEXT, PREVIOUS = "J", "Shift-J"


class Keys(Listener):
    """Listens in the viewer for as long as the dock is open.

    Parameters
    ----------
    screening : Screening
    """

    def __init__(self, screening: Screening) -> None:
        self.screening = screening
        keys = {NEXT: lambda: screening.step(1), PREVIOUS: lambda: screening.step(-1)}
        super().__init__(screening.controller.viewer, keys)

    def clicked(self, _viewer: Any, event: Any) -> Generator[None, None, None]:
        """napari's drag callback: a click on a thumbnail, or in the heat map, opens its well; a drag moves the image as ever."""
        if getattr(event, "button", 1) not in (1, None) or event.modifiers:
            return
        start = np.asarray(event.position)
        well = self.screening.showing.well_at(event.position) or self.screening.heating.well_at(event.position)
        if not well:
            return
        yield
        while event.type == "mouse_move":
            apart = np.hypot(*(np.asarray(event.position) - start)[-2:]) * self.viewer.scene.camera.zoom
            if apart > DRAG:
                return
            yield
        self.screening.open_well(well)
