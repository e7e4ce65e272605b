"""Where the dock stands in napari's window: in place of low docks, or as a window of its own."""

from __future__ import annotations

from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

LARGE = (1150, 760)
"""Width and height of the dock as a window, in pixels."""

LOW = 560
"""Pixels below which the views in the dock would be too small."""


def find_room(widget: QWidget) -> None:
    """napari puts a new dock under the others: where that leaves little height, it shares their place, behind a tab."""
    dock, window = widget.parent(), widget.window()
    if not isinstance(dock, QDockWidget) or not isinstance(window, QMainWindow) or widget.height() >= LOW:
        return
    area = window.dockWidgetArea(dock)
    others = [
        other
        for other in window.findChildren(QDockWidget)
        if other is not dock and other.isVisible() and not other.isFloating() and window.dockWidgetArea(other) == area
    ]
    if others:
        window.tabifyDockWidget(others[-1], dock)
        dock.show()
        dock.raise_()


def enlarge(widget: QWidget) -> None:
    """Make the dock a large window of its own, or put it back."""
    dock = widget.parent()
    if not isinstance(dock, QDockWidget):
        return
    dock.setFloating(not dock.isFloating())
    if dock.isFloating():
        room = widget.screen().availableGeometry()
        dock.resize(min(LARGE[0], room.width()), min(LARGE[1], room.height()))
        dock.move(room.center() - dock.rect().center())
