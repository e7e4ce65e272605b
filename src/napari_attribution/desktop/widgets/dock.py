"""Dock: what all docks have in common, from the viewer that napari hands over to the last farewell."""

from collections.abc import Callable

from napari.components import ViewerModel
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QDockWidget, QFrame, QScrollArea, QWidget

from napari_attribution.desktop.sessions import controller_of, leave
from napari_attribution.desktop.widgets.parting import Parting
from napari_attribution.desktop.widgets.style import style_sheet

WIDTH = 400


class Dock(QWidget):
    """A dock in a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        napari hands it over; a `ViewerModel` will do in a test.
    name : str
        By which tests and style sheets find it.
    """

    def __init__(self, viewer: ViewerModel, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # napari hands plugins a proxy, which hides what layers are placed by.
        self.viewer: ViewerModel = getattr(viewer, "__wrapped__", viewer)
        self.setObjectName(name)
        self.controller = controller_of(self.viewer)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """All docks are as wide; the user may make them narrower."""
        return QSize(WIDTH, super().sizeHint().height())

    def attend(self, watcher: Callable[[], None], *farewells: Callable[[], None]) -> Callable[[], None]:
        """Watch the controller and the theme; once the dock has gone, no longer, and say farewell.

        Parameters
        ----------
        watcher : callable
            Called after every change of the controller's state.
        *farewells : callables
            Must not touch Qt's part of this dock, which has gone by then.

        Returns
        -------
        callable
            Does at once what would be done then.
        """
        controller, events, dress = self.controller, self.viewer.events, self.dress
        controller.watchers.append(watcher)
        events.theme.connect(dress)

        left = False

        def gone() -> None:
            nonlocal left
            if left:
                return
            left = True
            events.theme.disconnect(dress)
            for say in farewells:
                say()
            leave(controller, watcher)

        Parting(self)
        self.destroyed.connect(gone)
        self.dress()
        return gone

    def dress(self, _event: object = None) -> None:
        """Take the viewer's colours."""
        self.setStyleSheet(style_sheet(self.viewer.theme))


def open_dock(viewer: ViewerModel, title: str, behind: QWidget | None = None) -> None:
    """Open another of our docks, or bring it to the front; without a window there is none.

    Parameters
    ----------
    viewer : ViewerModel
    title : str
    behind : QWidget, optional
        Of the dock whose place a new one shares, behind a tab, so that neither is low.
    """
    if hasattr(viewer, "window"):
        before = viewer.window._qt_window.findChildren(QDockWidget)
        dock, _ = viewer.window.add_plugin_dock_widget("napari-attribution", title)
        if behind is not None and dock not in before and not behind.parent().isFloating():
            viewer.window._qt_window.tabifyDockWidget(behind.parent(), dock)
        dock.show()
        dock.raise_()


def scrolled(inside: QWidget, name: str) -> QScrollArea:
    """A view on what is taller than the dock."""
    scroll = QScrollArea()
    scroll.setObjectName(name)
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(inside)
    return scroll
