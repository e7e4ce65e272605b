"""The views next to each other, each under its name, or one over the other where there is more room so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QSplitter, QVBoxLayout, QWidget

from napari_attribution.desktop.compare import words
from napari_attribution.desktop.compare.canvas import LEAST, Canvas
from napari_attribution.desktop.compare.limits import Limits
from napari_attribution.desktop.compare.request import Comparison
from napari_attribution.desktop.compare.views import Frame, Point, Views, counterpart
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.section import Elided

LETTERS = "AB"


class Panes(QWidget):
    """Both views, and under them the values where the mouse is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panes")
        self.views = Views(self._redraw)
        self.canvases = tuple(Canvas(f"view_{letter.lower()}", self.views, i) for i, letter in enumerate(LETTERS))
        self.titles = tuple(Elided() for _ in LETTERS)
        self.readout = parts.text("readout", "The maps' values at the place under the mouse, in both views", quiet=True)
        self.readout.setWordWrap(False)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setObjectName("panes_splitter")
        self.splitter.setChildrenCollapsible(False)
        for letter, title, canvas in zip(LETTERS, self.titles, self.canvases, strict=True):
            title.setObjectName(f"title_{letter.lower()}")
            self.splitter.addWidget(_under(title, canvas))
            canvas.pointed.connect(lambda point, index=canvas.index: self._point(index, point))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.readout)
        self.setMinimumHeight(LEAST + 40)
        self._comparison: Comparison | None = None
        self._limits = (1.0, 1.0)
        self._steps: list[Callable[[], Any]] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._take)

    @property
    def busy(self) -> bool:
        """Whether something is still to be shown."""
        return bool(self._steps)

    def show_comparison(self, comparison: Comparison, limits: Limits) -> None:
        """Show both wells and maps, one at a time, so that the window can answer in between."""
        self._comparison = comparison
        sides = comparison.sides
        frames = tuple(
            Frame(side.map.shape, side.attribution.pixel_size or (1.0, 1.0), side.attribution.pixel_size is not None)
            for side in sides
        )
        for letter, title, side in zip(LETTERS, self.titles, sides, strict=True):
            title.set_whole(f"{letter}: {side.name}")
        self._steps = [lambda c=c, s=s: c.show_well(s.picture) for c, s in zip(self.canvases, sides, strict=True)]
        self._steps += self._map_steps(limits)
        self._steps.append(lambda: self.views.show(frames))
        self._say("")
        self._timer.start(0)

    def show_limits(self, limits: Limits) -> None:
        """The same maps, in other colours."""
        if self._comparison is not None:
            self._steps += self._map_steps(limits)
            self._timer.start(0)

    def show_maps(self, shown: bool) -> None:
        """Show or hide the maps."""
        for canvas in self.canvases:
            canvas.show_maps(shown)

    def set_background(self, color: tuple[int, int, int]) -> None:
        """What lies beside the wells."""
        for canvas in self.canvases:
            canvas.set_background(color)

    def forget(self) -> None:
        """Show nothing more."""
        self._timer.stop()
        self._steps = []
        self._comparison = None

    def resizeEvent(self, event):  # noqa: N802 - Qt's name
        """Lay the views where they are largest."""
        super().resizeEvent(event)
        upright = self.height() > 1.25 * self.width()
        wanted = Qt.Orientation.Vertical if upright else Qt.Orientation.Horizontal
        if self.splitter.orientation() != wanted:
            self.splitter.setOrientation(wanted)
            self.splitter.setSizes([1000] * len(LETTERS))

    def _map_steps(self, limits: Limits) -> list[Callable[[], Any]]:
        assert self._comparison is not None
        self._limits = limits.each
        return [
            lambda canvas=canvas, side=side, limit=limit: canvas.show_map(side.map, limit)
            for canvas, side, limit in zip(self.canvases, self._comparison.sides, limits.each, strict=True)
        ]

    def _take(self) -> None:
        if self._steps:
            self._steps.pop(0)()
            self._timer.start(1)

    def _redraw(self) -> None:
        for canvas in self.canvases:
            canvas.update()

    def _point(self, leader: int, point: Point | None) -> None:
        """Mark the same place in the other views, and say the values there."""
        views = self.views
        points = [
            None if point is None else counterpart(point, views.frames[leader], frame, views.linked_by_length)
            for frame in views.frames
        ]
        for index, (canvas, at) in enumerate(zip(self.canvases, points, strict=False)):
            canvas.show_cross(None if index == leader else at)
        if point is None or self._comparison is None:
            self._say("")
            return
        values = []
        for side, frame, at in zip(self._comparison.sides, views.frames, points, strict=True):
            pixel = frame.at(at)
            values.append(None if pixel is None else float(side.map[pixel]))
        self._say(words.readout(views.frames[leader].at(point), values, self._limits))

    def _say(self, text: str) -> None:
        # The line keeps its room: the views would jump.
        self.readout.setText(text or " ")


def _under(title: QWidget, canvas: QWidget) -> QWidget:
    pane = QWidget()
    layout = QVBoxLayout(pane)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    layout.addWidget(title)
    layout.addWidget(canvas, 1)
    return pane
