"""The row by which an answer is kept."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_attribution.desktop.explain.controller import Controller


class KeepMenu(QWidget):
    """The row by which an answer is kept."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keep_menu")
        self.controller = controller

    def render_state(self) -> None:
        """Show the controller's state."""
