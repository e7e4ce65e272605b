"""What is asked of a map once it is there."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_attribution.desktop.explain.controller import Controller


class AskView(QWidget):
    """What is asked of a map once it is there."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("ask_view")
        self.controller = controller

    def render_state(self) -> None:
        """Show the controller's state."""
