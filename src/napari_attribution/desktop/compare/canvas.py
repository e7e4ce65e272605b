"""A view: the well as a picture, the map over it. Drawn by Qt alone, so it can be floated, tabbed and closed as it likes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_attribution.desktop.compare.picture import Picture
from napari_attribution.desktop.compare.views import Frame, Point, Views
from napari_attribution.desktop.layers.maps import diverging

STEPS = 255
"""Colours of a map; odd, so that zero has one of its own, which is clear."""

OPACITY = 0.85
"""Of the map, as in napari's own canvas."""

LEAST = 150
"""Pixels that a view needs at least, either way."""


def map_pixels(values: npt.NDArray[np.floating], limit: float) -> npt.NDArray[np.uint32]:
    """A signed map as premultiplied ARGB pixels: green against, purple for, clear at zero.

    Parameters
    ----------
    values : (H, W) ndarray
    limit : float
        The value at which the colours are full.

    Returns
    -------
    (H, W) uint32 ndarray
    """
    half = STEPS // 2
    steps = values * np.float32(half / limit)
    np.clip(steps, -half, half, out=steps)
    # Half a step more, since the fraction is cut off.
    steps += np.float32(half + 0.5)
    return np.take(_argb(), steps.astype(np.uint8))


def _argb() -> npt.NDArray[np.uint32]:
    """(STEPS,) premultiplied ARGB."""
    colors = np.asarray(diverging().map(np.linspace(0, 1, STEPS)), dtype=float)
    colors[:, :3] *= colors[:, 3:]
    red, green, blue, alpha = (255 * colors).round().astype(np.uint32).T
    return alpha << 24 | red << 16 | green << 8 | blue


class Canvas(QWidget):
    """One view of several that are linked.

    Parameters
    ----------
    name : str
    views : Views
    index : int
        Which of them it is.
    """

    pointed = Signal(object)
    """The point under the mouse, from the well's upper left corner; None where it left."""

    def __init__(self, name: str, views: Views, index: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setToolTip("Drag to move, turn the wheel to zoom, double click to see all: the other view follows")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(LEAST, LEAST)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.views, self.index = views, index
        self.maps_shown = True
        self._well, self._map = QImage(), QImage()
        self._cross: Point | None = None
        self._dragged: QPointF | None = None
        self._background = QColor("black")

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Small; it takes what room there is."""
        return QSize(180, 220)

    # ------------------------------------------------------------------------------------------------------ show

    def show_well(self, picture: Picture) -> None:
        """The well under the map, (H, W, 3)."""
        pixels = np.ascontiguousarray(picture)
        height, width, _ = pixels.shape
        self._well = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        self.update()

    def show_map(self, values: npt.NDArray[np.floating], limit: float) -> None:
        """The map over the well, (H, W)."""
        pixels = map_pixels(values, limit)
        height, width = pixels.shape
        self._map = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied).copy()
        self.update()

    def show_maps(self, shown: bool) -> None:
        """Show or hide the map, and so see what lies under it."""
        self.maps_shown = shown
        self.update()

    def show_cross(self, point: Point | None) -> None:
        """Mark a point of the well."""
        if point != self._cross:
            self._cross = point
            self.update()

    def set_background(self, color: tuple[int, int, int]) -> None:
        """What lies beside the well."""
        self._background = QColor(*color)
        self.update()

    # ------------------------------------------------------------------------------------------------------ draw

    def paintEvent(self, _event):  # noqa: N802 - Qt's name
        """Well, map, scale bar, cross."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._background)
        if self.views.looks:
            frame, look = self.views.frames[self.index], self.views.looks[self.index]
            # What is drawn smaller than it is would flicker, were single pixels left out.
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, look.zoom * min(frame.pixel) < 1)
            self._draw(painter, self._well, frame)
            if self.maps_shown:
                painter.setOpacity(OPACITY)
                self._draw(painter, self._map, frame)
                painter.setOpacity(1.0)
            painter.setPen(QPen(self._ink(), 1))
            self._draw_cross(painter)
            if frame.in_um:
                self._draw_scale_bar(painter, look.zoom)
        painter.end()

    def _draw(self, painter: QPainter, image: QImage, frame: Frame) -> None:
        """The part of an image that is in view: Qt draws no picture right that is many times larger than the screen."""
        if image.isNull() or (image.height(), image.width()) != frame.shape:
            return
        corners = [self.views.point(self.index, at) for at in ((0, 0), (self.height(), self.width()))]
        top, left = (math.floor(a / side) for a, side in zip(corners[0], frame.pixel, strict=True))
        bottom, right = (math.ceil(a / side) for a, side in zip(corners[1], frame.pixel, strict=True))
        top, left = max(top, 0), max(left, 0)
        bottom, right = min(bottom, frame.shape[0]), min(right, frame.shape[1])
        if bottom <= top or right <= left:
            return
        start = self.views.place(self.index, (top * frame.pixel[0], left * frame.pixel[1]))
        end = self.views.place(self.index, (bottom * frame.pixel[0], right * frame.pixel[1]))
        target = QRectF(start[1], start[0], end[1] - start[1], end[0] - start[0])
        painter.drawImage(target, image, QRectF(QRect(left, top, right - left, bottom - top)))

    def _draw_cross(self, painter: QPainter) -> None:
        if self._cross is None:
            return
        y, x = self.views.place(self.index, self._cross)
        for near, far in ((4, 12), (-4, -12)):
            painter.drawLine(QPointF(x + near, y), QPointF(x + far, y))
            painter.drawLine(QPointF(x, y + near), QPointF(x, y + far))

    def _draw_scale_bar(self, painter: QPainter, zoom: float) -> None:
        length = round_length(0.3 * self.width() / zoom)
        x, y, width = self.width() - 10.0, self.height() - 10.0, length * zoom
        box = painter.boundingRect(self.rect(), Qt.AlignmentFlag.AlignLeft, f"{length:g} µm").toRectF()
        box.moveBottomRight(QPointF(x, y - 4))
        behind = QRectF(min(x - width, box.left()) - 5, box.top() - 3, max(width, box.width()) + 10, box.height() + 12)
        shade = QColor(self._background)
        shade.setAlpha(150)
        painter.fillRect(behind, shade)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight, f"{length:g} µm")
        painter.fillRect(QRectF(x - width, y - 2, width, 2), self._ink())

    def _ink(self) -> QColor:
        return QColor("white" if self._background.lightness() < 128 else "black")

    # ----------------------------------------------------------------------------------------------------- mouse

    def resizeEvent(self, event):  # noqa: N802 - Qt's name
        """Tell the views."""
        super().resizeEvent(event)
        self.views.resize(self.index, (self.height(), self.width()))

    def mousePressEvent(self, event):  # noqa: N802 - Qt's name
        """Take hold."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragged = event.position()

    def mouseMoveEvent(self, event):  # noqa: N802 - Qt's name
        """Drag, or point."""
        if not self.views.looks:
            return
        at = event.position()
        if self._dragged is not None:
            moved = at - self._dragged
            self._dragged = at
            self.views.drag(self.index, moved.y(), moved.x())
        self.pointed.emit(self.views.point(self.index, (at.y(), at.x())))

    def mouseReleaseEvent(self, _event):  # noqa: N802 - Qt's name
        """Let go."""
        self._dragged = None

    def mouseDoubleClickEvent(self, _event):  # noqa: N802 - Qt's name
        """All of the well."""
        self.views.fit()

    def wheelEvent(self, event):  # noqa: N802 - Qt's name
        """Zoom; the dock does not scroll meanwhile."""
        event.accept()
        if self.views.looks:
            at = event.position()
            self.views.zoom(self.index, 1.1 ** (event.angleDelta().y() / 60), (at.y(), at.x()))

    def leaveEvent(self, _event):  # noqa: N802 - Qt's name
        """Point no longer."""
        self.pointed.emit(None)


def round_length(most: float) -> float:
    """The largest of 1, 2, 5, 10, 20 ... um (or their tenths) that is not longer."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most * 1.000001)
