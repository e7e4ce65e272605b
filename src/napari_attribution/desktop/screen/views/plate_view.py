"""A plate to look at and to click: one cell a well, in the colour of its value."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_attribution.desktop.screen.views.plate_picture import Grid, Marked, Place, draw_frame, draw_plate

ADDING = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


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

    @property
    def _layout(self) -> Place:
        return self._marked.layout if self._marked is not None else (8, 12)

    @property
    def grid(self) -> Grid:
        """Where the wells are drawn."""
        return Grid.within(self._layout, self.fontMetrics(), self.width(), self.height())

    def rect_of(self, place: Place) -> QRect:
        """Where a well is drawn."""
        return self.grid.rect_of(place)

    def _place_at(self, at: QPointF) -> Place | None:
        return None if self._marked is None else self.grid.place_at(at.x(), at.y())

    def hasHeightForWidth(self) -> bool:  # noqa: N802 - Qt's name
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt's name
        """As high as the wells of this width need."""
        return Grid.within(self._layout, self.fontMetrics(), width).height

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
        grid, painter = self.grid, QPainter(self)
        if self._picture is None:
            self._picture = self._drawn(grid, self._marked)
        painter.drawPixmap(0, 0, self._picture)
        for place in self._selected:
            draw_frame(painter, grid, place, 1.5, self._paper, self._ink)
        if self._current is not None:
            draw_frame(painter, grid, self._current, 2.5, self._paper, self._ink)
        if self._box is not None:
            painter.setBrush(QColor(self._ink.red(), self._ink.green(), self._ink.blue(), 40))
            painter.setPen(QPen(self._ink, 1, Qt.PenStyle.DashLine))
            painter.drawRect(self._box)

    def _drawn(self, grid: Grid, marked: Marked) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        draw_plate(painter, grid, marked, self.font(), self._paper, self._ink)
        painter.end()
        return picture

    # ------------------------------------------------------------------------------------------- mouse and keys

    def mousePressEvent(self, event) -> None:  # noqa: N802 - Qt's name
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position().toPoint()

    def mouseMoveEvent(self, event) -> None:  # noqa: N802 - Qt's name
        at = event.position().toPoint()
        if self._pressed is not None:
            far = (at - self._pressed).manhattanLength() > max(5, self.grid.side // 2)
            if self._box is not None or far:
                self._box = QRect(self._pressed, at).normalized()
                self.update()
        self._hover(self._place_at(event.position()))

    def mouseReleaseEvent(self, event) -> None:  # noqa: N802 - Qt's name
        if event.button() != Qt.MouseButton.LeftButton or self._pressed is None:
            return
        adds = bool(event.modifiers() & ADDING)
        pressed, box, grid = self._pressed, self._box, self.grid
        self._pressed = self._box = None
        if box is not None:
            self.boxed.emit([place for place in grid.places if grid.rect_of(place).intersects(box)], adds)
        else:
            place = self._place_at(event.position())
            if place is not None and place == self._place_at(QPointF(pressed)):
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
