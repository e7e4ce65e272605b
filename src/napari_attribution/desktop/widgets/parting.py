"""Docks that go for good when they are closed."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget


class Parting(QObject):
    """Deletes a widget that napari has taken out of its dock.

    napari lets go of a closed dock's widget and does not delete it; whoever is told of changes, as a dock is, would stay alive
    unseen, and answer. A dock that floats, or lies behind another's tab, is not closed: its widget keeps its parent.

    Parameters
    ----------
    widget : QWidget
        Of a dock; owns this.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.ParentChange and watched.parent() is None:
            watched.deleteLater()
        return False
