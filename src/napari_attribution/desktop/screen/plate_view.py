"""A plate: one cell a well, in the colour of its value; drawn by Qt as one picture, however many wells there are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QLineF, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QFont, QImage, QPainter, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

LARGEST = 46
"""Pixels that a well takes at most."""

DIMMED = 45
"""Opacity (of 255) of a well that the filter leaves out."""

Place = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Marked:
    """What a plate shows.

    Parameters
    ----------
    layout : (int, int)
        Rows and columns.
    colours : (R, C, 4) uint8 ndarray
        Opacity 0 where a well has no value.
    there : collection of (row, column)
        Wells of which there are results; the others are hatched.
    doubted, flagged, failed, excluded : collection of (row, column)
        With a flag about the explanation, with any; that could not be explained; that are left out.
    dimmed : collection of (row, column)
        Those that the filter leaves out.
    """

    layout: Place
    colours: npt.NDArray[np.uint8]
    there: Collection[Place]
    doubted: Collection[Place] = ()
    flagged: Collection[Place] = ()
    failed: Collection[Place] = ()
    excluded: Collection[Place] = ()
    dimmed: Collection[Place] = ()


def row_name(row: int) -> str:
    """0 as "A", 26 as "AA"."""
    return chr(65 + row) if row < 26 else "A" + chr(65 + row - 26)


class PlateView(QWidget):
    """The heat map: hover to read a well, click to open it, drag to choose several."""

    hovered = Signal(object)
    """The (row, column) under the mouse, or None."""

    clicked = Signal(object, bool)
    """The (row, column) that was clicked, and whether it is to be added to those that are chosen."""

    boxed = Signal(object, bool)
    """The (row, column)s that were dragged over, and whether they are to be added."""

    stepped = Signal(int, int)
    """An arrow key: rows and columns to go."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("plate")
        self.setToolTip(
            "The plate. Click a well to open it; drag, or hold Ctrl, to choose several; the arrow keys go to its neighbours"
        )
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._marked: Marked | None = None
        self._paper, self._ink = QColor("black"), QColor("white")
        self._selected: tuple[Place, ...] = ()
        self._current: Place | None = None
        self._picture: QPixmap | None = None
        self._under: Place | None = None
        self._pressed: QPoint | None = None
        self._box: QRect | None = None

    # ---------------------------------------------------------------------------------------------------- show

    def show_plate(self, marked: Marked) -> None:
        """Show these wells."""
        new = self._marked is None or self._marked.layout != marked.layout
        self._marked, self._picture = marked, None
        if new:
            self.updateGeometry()
        self.update()

    def show_selection(self, selected: Sequence[Place], current: Place | None) -> None:
        """Frame the wells that are chosen, and the one that is open."""
        if (tuple(selected), current) != (self._selected, self._current):
            self._selected, self._current = tuple(selected), current
            self.update()

    def set_colors(self, paper: str, ink: str) -> None:
        """Of the theme, as "#rrggbb"."""
        self._paper, self._ink, self._picture = QColor(paper), QColor(ink), None
        self.update()

    # -------------------------------------------------------------------------------------------------- places

    def _cell(self, width: int, height: int | None = None) -> int:
        """Pixels of a well's side."""
        rows, columns = self._marked.layout if self._marked else (8, 12)
        side = (width - self._left - 2) // columns
        if height is not None:
            side = min(side, (height - self._top - 2) // rows)
        return max(3, min(LARGEST, side))

    @property
    def _left(self) -> int:
        return self.fontMetrics().horizontalAdvance("AA") + 5

    @property
    def _top(self) -> int:
        return self.fontMetrics().height() + 2

    @property
    def cell(self) -> int:
        """Pixels of a well's side, as it is drawn."""
        return self._cell(self.width(), self.height())

    def rect_of(self, place: Place) -> QRect:
        """Where a well is drawn."""
        side = self.cell
        return QRect(self._left + place[1] * side, self._top + place[0] * side, side, side)

    def place_at(self, at: QPoint | QPointF) -> Place | None:
        """The (row, column) at a point of the widget; None beside the plate."""
        if self._marked is None:
            return None
        row, column = (int(at.y()) - self._top) // self.cell, (int(at.x()) - self._left) // self.cell
        rows, columns = self._marked.layout
        return (row, column) if 0 <= row < rows and 0 <= column < columns else None

    def hasHeightForWidth(self) -> bool:  # noqa: N802 - Qt's name
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt's name
        """As high as the wells of this width need."""
        rows = self._marked.layout[0] if self._marked else 8
        return self._top + rows * self._cell(width) + 3

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(380, self.heightForWidth(380))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(220, 60)

    # ---------------------------------------------------------------------------------------------------- draw

    def resizeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        self._picture = None
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.FontChange:
            self._picture = None
        super().changeEvent(event)

    def paintEvent(self, _event: QEvent) -> None:  # noqa: N802 - Qt's name
        """The wells, drawn once, and over them what is chosen."""
        if self._marked is None:
            return
        painter = QPainter(self)
        if self._picture is None:
            self._picture = self._drawn(self._marked)
        painter.drawPixmap(0, 0, self._picture)
        for place in self._selected:
            self._frame(painter, place, 1.5)
        if self._current is not None:
            self._frame(painter, self._current, 2.5)
        if self._box is not None:
            painter.setBrush(QColor(self._ink.red(), self._ink.green(), self._ink.blue(), 40))
            painter.setPen(QPen(self._ink, 1, Qt.PenStyle.DashLine))
            painter.drawRect(self._box)

    def _drawn(self, marked: Marked) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        self._draw_names(painter, marked.layout)
        self._draw_wells(painter, marked)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_marks(painter, marked)
        painter.end()
        return picture

    def _draw_names(self, painter: QPainter, layout: Place) -> None:
        side, letters = self.cell, painter.fontMetrics()
        font = QFont(self.font())
        painter.setFont(font)
        painter.setPen(self._ink)
        every = 1
        while every * side < letters.horizontalAdvance("00") + 5:
            every += 1
        for column in range(layout[1]):
            if (column + 1) % every == 0 or column == 0:
                room = QRect(self._left + column * side - 20, 0, side + 40, self._top - 2)
                painter.drawText(room, Qt.AlignmentFlag.AlignCenter, str(column + 1))
        every = 1
        while every * side < letters.height() - 3:
            every += 1
        for row in range(0, layout[0], every):
            room = QRect(0, self._top + row * side - 10, self._left - 4, side + 20)
            painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, row_name(row))

    def _draw_wells(self, painter: QPainter, marked: Marked) -> None:
        """All wells as one picture that is scaled up, over what a well without a value looks like."""
        side, (rows, columns) = self.cell, marked.layout
        there = set(marked.there)
        plain = QColor(self._ink)
        plain.setAlpha(30)
        painter.setPen(Qt.PenStyle.NoPen)
        hatch = QColor(self._ink)
        hatch.setAlpha(110)
        painter.fillRect(QRect(self._left, self._top, columns * side, rows * side), plain)
        for place in ((row, column) for row in range(rows) for column in range(columns)):
            if place not in there:
                painter.fillRect(self.rect_of(place), QBrush(hatch, Qt.BrushStyle.BDiagPattern))
        colours = marked.colours.copy()
        for row, column in marked.dimmed:
            colours[row, column, 3] = min(int(colours[row, column, 3]), DIMMED)
        image = QImage(colours.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888)
        painter.drawImage(QRect(self._left, self._top, columns * side, rows * side), image)
        if side >= 6:
            painter.setPen(QPen(self._paper, 1))
            right, bottom = self._left + columns * side, self._top + rows * side
            lines = [QLineF(x, self._top, x, bottom) for x in range(self._left, right + 1, side)]
            lines += [QLineF(self._left, y, right, y) for y in range(self._top, bottom + 1, side)]
            painter.drawLines(lines)

    def _draw_marks(self, painter: QPainter, marked: Marked) -> None:
        """Corners for flags, crosses for failures, strokes for what is left out: each seen on any colour.

        A corner is solid where a flag is about the explanation.
        """
        side = self.cell
        size = min(12.0, max(4.0, 0.38 * side))
        doubted = set(marked.doubted)
        for place in marked.flagged:
            solid = place in doubted
            painter.setPen(QPen(self._paper if solid else self._ink, 1))
            painter.setBrush(self._ink if solid else self._paper)
            corner = QPointF(self.rect_of(place).topLeft()) + QPointF(1, 1)
            painter.drawPolygon(QPolygonF([corner, corner + QPointF(size, 0), corner + QPointF(0, size)]))
        strokes: list[QLineF] = []
        for place in (*marked.excluded, *marked.failed):
            box = QRectF(self.rect_of(place)).adjusted(2, 2, -2, -2)
            strokes.append(QLineF(box.bottomLeft(), box.topRight()))
        for place in marked.failed:
            box = QRectF(self.rect_of(place)).adjusted(2, 2, -2, -2)
            strokes.append(QLineF(box.topLeft(), box.bottomRight()))
        for color, width in ((self._paper, 3.4), (self._ink, 1.6)) if strokes else ():
            painter.setPen(QPen(color, width))
            painter.drawLines(strokes)

    def _frame(self, painter: QPainter, place: Place, width: float) -> None:
        box = QRectF(self.rect_of(place)).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        edged = ((self._paper, width + 2), (self._ink, width))
        # Many frames around small wells would leave nothing of them.
        for color, wide in edged if self.cell >= 12 or width > 2 else ((self._ink, 1),):
            pen = QPen(color, wide)
            pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
            painter.setPen(pen)
            painter.drawRect(box)

    # ------------------------------------------------------------------------------------------- mouse and keys

    def mousePressEvent(self, event) -> None:  # noqa: N802 - Qt's name
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position().toPoint()

    def mouseMoveEvent(self, event) -> None:  # noqa: N802 - Qt's name
        at = event.position().toPoint()
        if self._pressed is not None and (self._box or (at - self._pressed).manhattanLength() > max(5, self.cell // 2)):
            self._box = QRect(self._pressed, at).normalized()
            self.update()
        self._hover(self.place_at(at))

    def mouseReleaseEvent(self, event) -> None:  # noqa: N802 - Qt's name
        if event.button() != Qt.MouseButton.LeftButton or self._pressed is None:
            return
        adds = bool(event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier))
        pressed, box = self._pressed, self._box
        self._pressed = self._box = None
        if box is not None and self._marked is not None:
            rows, columns = self._marked.layout
            places = [(r, c) for r in range(rows) for c in range(columns) if self.rect_of((r, c)).intersects(box)]
            self.boxed.emit(places, adds)
        else:
            place = self.place_at(event.position())
            if place is not None and place == self.place_at(pressed):
                self.clicked.emit(place, adds)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().leaveEvent(event)
        self._hover(None)

    def keyPressEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """The arrow keys."""
        steps = {Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0), Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1)}
        if event.key() in steps:
            self.stepped.emit(*steps[event.key()])
        else:
            super().keyPressEvent(event)

    def _hover(self, place: Place | None) -> None:
        if place != self._under:
            self._under = place
            self.hovered.emit(place)
