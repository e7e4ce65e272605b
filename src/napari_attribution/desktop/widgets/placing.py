"""Where the dock stands in napari's window: in place of low docks, or as a window of its own."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

LARGE = (1150, 760)
"""Width and height of the dock as a window, in pixels."""

LOW = 560
"""Pixels below which the views in the dock would be too small."""


class Settler(QObject):
    """Finds room for a dock when it is shown for the first time.

    Parameters
    ----------
    widget : QWidget
        Of a dock; owns this.

    Attributes
    ----------
    settled : bool
        Whether that has been done.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._widget, self.settled = widget, False
        # The dock is laid out only after it was shown.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._settle)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Show:
            watched.removeEventFilter(self)
            self._timer.start(0)
        return False

    def _settle(self) -> None:
        find_room(self._widget)
        self.settled = True


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
