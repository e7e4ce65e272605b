"""The dock "Channel importance": which stain decides."""

import napari.viewer
from qtpy.QtWidgets import QWidget

from napari_attribution.desktop.sessions import controller_of, leave


class ChannelImportance(QWidget):
    """The dock "Channel importance": which stain decides.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        napari hands it over; a `ViewerModel` will do in a test.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # napari hands plugins a proxy, which hides what layers are placed by.
        self.viewer = getattr(viewer, "__wrapped__", viewer)
        self.setObjectName("channel_importance")
        self.controller = controller_of(self.viewer)
        controller, render = self.controller, self.render_state
        controller.watchers.append(render)
        self.destroyed.connect(lambda: leave(controller, render))
        self.render_state()

    def render_state(self) -> None:
        """Show the controller's state."""
