"""The row by which cells are picked."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_attribution.desktop.explain.controller import Controller


class PickBar(QWidget):
    """The row by which cells are picked."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pick_bar")
        self.controller = controller

    def render_state(self) -> None:
        """Show the controller's state."""
