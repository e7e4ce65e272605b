"""One controller a viewer, shared by all docks in it; two viewers do not mix."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from napari.components import ViewerModel

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.jobs import qt_post

_CONTROLLERS: WeakKeyDictionary[ViewerModel, Controller] = WeakKeyDictionary()


def controller_of(viewer: ViewerModel) -> Controller:
    """The viewer's controller, made where there is none yet. Whoever takes it watches it, and leaves it in the end."""
    controller = _CONTROLLERS.get(viewer)
    if controller is None or controller.closed:
        controller = _CONTROLLERS[viewer] = Controller(viewer, qt_post())
    return controller


def leave(controller: Controller, watcher: Callable[[], None]) -> None:
    """Watch no longer; the last to leave closes the controller, which stops its work."""
    if watcher in controller.watchers:
        controller.watchers.remove(watcher)
    if not controller.watchers:
        controller.close()
