"""The dock "Side by side": two answers in linked views."""

import napari.viewer
from qtpy.QtWidgets import QWidget

from napari_attribution.desktop.sessions import controller_of, leave


class SideBySide(QWidget):
    """The dock "Side by side": two answers in linked views.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        napari hands it over; a `ViewerModel` will do in a test.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # napari hands plugins a proxy, which hides what layers are placed by.
        self.viewer = getattr(viewer, "__wrapped__", viewer)
        self.setObjectName("side_by_side")
        self.controller = controller_of(self.viewer)
        controller, render = self.controller, self.render_state
        controller.watchers.append(render)
        self.destroyed.connect(lambda: leave(controller, render))
        self.render_state()

    def render_state(self) -> None:
        """Show the controller's state."""
