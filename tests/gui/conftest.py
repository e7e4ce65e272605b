import os
import time
from collections.abc import Callable, Iterator

import pytest

# Slices arrive before the call that asked for them returns.
os.environ["NAPARI_ASYNC"] = "0"


class Gaps:
    """How long the window's thread did not answer: a timer that should ring every 5 ms says when it did."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.seen: list[tuple[str, float]] = []
        self.phase = ""
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._ring)
        self._timer.start(5)

    def _ring(self) -> None:
        now = time.perf_counter()
        self.seen.append((self.phase, 1000 * (now - self._last)))
        self._last = now

    def longest(self, phase: str) -> float:
        return max((gap for name, gap in self.seen if name == phase), default=0.0)

    def stop(self) -> None:
        self._timer.stop()


@pytest.fixture
def gaps(qtbot) -> Iterator[Gaps]:
    gaps = Gaps()
    yield gaps
    gaps.stop()


@pytest.fixture
def window(make_napari_viewer: Callable):
    """A real napari window of the size of a laptop's screen."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 900)
    return viewer


@pytest.fixture
def dock(window, qtbot):
    """The dock as napari opens it from its Plugins menu."""
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    docked, widget = window.window.add_plugin_dock_widget("napari-attribution", "Explain well")
    window.window._qt_window.resizeDocks([docked], [400], Qt.Orientation.Horizontal)
    QApplication.processEvents()
    yield widget
    widget.controller.close()
