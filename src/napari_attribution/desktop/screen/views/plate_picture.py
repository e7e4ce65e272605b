"""The picture of a plate: where each well is drawn, and how. One picture, however many wells there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QFontMetrics, QImage, QPainter, QPen, QPolygonF

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


@dataclass(frozen=True)
class Grid:
    """Where the wells are drawn.

    Parameters
    ----------
    layout : (int, int)
        Rows and columns.
    left, top : int
        Pixels for the names of rows and columns.
    side : int
        Pixels of a well.
    """

    layout: Place
    left: int
    top: int
    side: int

    @classmethod
    def within(cls, layout: Place, letters: QFontMetrics, width: int, height: int | None = None) -> Grid:
        """As large as there is room for: in all of a widget, or where only its width is known."""
        left, top = letters.horizontalAdvance("AA") + 5, letters.height() + 2
        side = (width - left - 2) // layout[1]
        if height is not None:
            side = min(side, (height - top - 2) // layout[0])
        return cls(layout, left, top, max(3, min(LARGEST, side)))

    @property
    def height(self) -> int:
        """Pixels that it takes."""
        return self.top + self.layout[0] * self.side + 3

    @property
    def box(self) -> QRect:
        """All wells."""
        return QRect(self.left, self.top, self.layout[1] * self.side, self.layout[0] * self.side)

    @property
    def places(self) -> Iterable[Place]:
        """Row by row."""
        return ((row, column) for row in range(self.layout[0]) for column in range(self.layout[1]))

    def rect_of(self, place: Place) -> QRect:
        """Where a well is drawn."""
        return QRect(self.left + place[1] * self.side, self.top + place[0] * self.side, self.side, self.side)

    def place_at(self, x: float, y: float) -> Place | None:
        """The (row, column) at a point; None beside the plate."""
        row, column = (int(y) - self.top) // self.side, (int(x) - self.left) // self.side
        return (row, column) if 0 <= row < self.layout[0] and 0 <= column < self.layout[1] else None


def row_name(row: int) -> str:
    """0 as "A", 26 as "AA"."""
    return chr(65 + row) if row < 26 else "A" + chr(65 + row - 26)


def draw_plate(painter: QPainter, grid: Grid, marked: Marked, font: QFont, paper: QColor, ink: QColor) -> None:
    """Names, wells, marks.

    Parameters
    ----------
    painter : QPainter
    grid : Grid
    marked : Marked
    font : QFont
        Of the names.
    paper, ink : QColor
        Of what lies behind, and of all that must be seen on it.
    """
    painter.setFont(font)
    painter.setPen(ink)
    _draw_names(painter, grid)
    _draw_wells(painter, grid, marked, paper, ink)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _draw_flags(painter, grid, marked, paper, ink)
    _draw_strokes(painter, grid, marked, paper, ink)


def _draw_names(painter: QPainter, grid: Grid) -> None:
    """Of rows and columns, as many as there is room for."""
    letters = painter.fontMetrics()
    every = -(-(letters.horizontalAdvance("00") + 5) // grid.side)
    for column in range(grid.layout[1]):
        if (column + 1) % every == 0 or column == 0:
            room = QRect(grid.left + column * grid.side - 20, 0, grid.side + 40, grid.top - 2)
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter, str(column + 1))
    every = -(-(letters.height() - 3) // grid.side)
    for row in range(0, grid.layout[0], every):
        room = QRect(0, grid.top + row * grid.side - 10, grid.left - 4, grid.side + 20)
        painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, row_name(row))


def _draw_wells(painter: QPainter, grid: Grid, marked: Marked, paper: QColor, ink: QColor) -> None:
    """All wells as one small image that is scaled up, over what a well without a value looks like."""
    there = set(marked.there)
    painter.fillRect(grid.box, _faint(ink, 30))
    for place in grid.places:
        if place not in there:
            painter.fillRect(grid.rect_of(place), QBrush(_faint(ink, 110), Qt.BrushStyle.BDiagPattern))
    colours = marked.colours.copy()
    for place in marked.dimmed:
        colours[(*place, 3)] = min(int(colours[(*place, 3)]), DIMMED)
    rows, columns = grid.layout
    painter.drawImage(grid.box, QImage(colours.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888))
    if grid.side >= 6:
        painter.setPen(QPen(paper, 1))
        left, top = grid.box.left(), grid.box.top()
        right, bottom = left + columns * grid.side, top + rows * grid.side
        painter.drawLines(
            [QLineF(x, top, x, bottom) for x in range(left, right + 1, grid.side)]
            + [QLineF(left, y, right, y) for y in range(top, bottom + 1, grid.side)]
        )


def _draw_flags(painter: QPainter, grid: Grid, marked: Marked, paper: QColor, ink: QColor) -> None:
    """A corner for a flag, solid where it is about the explanation; seen on any colour."""
    doubted = set(marked.doubted)
    size = min(12.0, max(4.0, 0.38 * grid.side))
    for place in marked.flagged:
        solid = place in doubted
        painter.setPen(QPen(paper if solid else ink, 1))
        painter.setBrush(ink if solid else paper)
        corner = QPointF(grid.rect_of(place).topLeft()) + QPointF(1, 1)
        painter.drawPolygon(QPolygonF([corner, corner + QPointF(size, 0), corner + QPointF(0, size)]))


def _draw_strokes(painter: QPainter, grid: Grid, marked: Marked, paper: QColor, ink: QColor) -> None:
    """A stroke through what is left out, a cross through what could not be explained; seen on any colour."""
    strokes: list[QLineF] = []
    for place in (*marked.excluded, *marked.failed):
        box = QRectF(grid.rect_of(place)).adjusted(2, 2, -2, -2)
        strokes.append(QLineF(box.bottomLeft(), box.topRight()))
    for place in marked.failed:
        box = QRectF(grid.rect_of(place)).adjusted(2, 2, -2, -2)
        strokes.append(QLineF(box.topLeft(), box.bottomRight()))
    for color, width in ((paper, 3.4), (ink, 1.6)) if strokes else ():
        painter.setPen(QPen(color, width))
        painter.drawLines(strokes)


def draw_frame(painter: QPainter, grid: Grid, place: Place, width: float, paper: QColor, ink: QColor) -> None:
    """Around a well that is chosen; the open one's is wider."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    edged = ((paper, width + 2), (ink, width))
    # Many frames around small wells would leave nothing of them.
    for color, wide in edged if grid.side >= 12 or width > 2 else ((ink, 1),):
        pen = QPen(color, wide)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.drawRect(QRectF(grid.rect_of(place)).adjusted(0.5, 0.5, -0.5, -0.5))


def _faint(color: QColor, opacity: int) -> QColor:
    return QColor(color.red(), color.green(), color.blue(), opacity)
