"""Horizontal bars, one a stain: hover to read a row, click to choose it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

# Before pyqtgraph, which takes the Qt that is there already.
from qtpy.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QGraphicsRectItem, QWidget

import pyqtgraph as pg  # isort: skip

from napari_attribution.desktop.channels.rows import Row
from napari_attribution.desktop.widgets.style import paper_and_ink

ROW = 30
"""Height of a row on the screen, in pixels; less where there are many."""

CROWDED, LOW_ROW = 10, 24
AXIS = 24
WIDEST_NAME = 0.34
"""Share of the chart's width that the names may take; of longer ones the middle is left out: many names begin alike."""

TIP = "Each stain's share of the explanation. Click a bar or its name to see that stain alone"

Stroke = tuple[tuple[float, float], tuple[float, float]]


class Shares(pg.AxisItem):
    """An axis that writes its numbers as per cents."""

    def tickStrings(self, values, _scale, _spacing):  # noqa: N802 - pyqtgraph's name
        return [f"{100 * value:.0f} %".replace("-", "−") for value in values]

    def tickSpacing(self, low, high, _size):  # noqa: N802 - pyqtgraph's name
        """Three to five round steps."""
        span = max(high - low, 1e-6)
        step = next((step for step in (0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0) if span / step <= 5), 5.0)
        return [(step, 0)]


class Chart(pg.PlotWidget):
    """The bars of the stains, with their names on the left and their figures on the right.

    Parameters
    ----------
    name : str
        By which tests and style sheets find it.
    tip : str
    clickable : bool
        Whether a row can be chosen.
    """

    hovered = Signal(str)
    """The stain under the mouse; empty where there is none."""

    chosen = Signal(str)
    """The stain that was clicked."""

    def __init__(
        self, name: str = "channel_bars", tip: str = TIP, clickable: bool = True, parent: QWidget | None = None
    ) -> None:
        axes = {"bottom": Shares("bottom"), "left": pg.AxisItem("left"), "right": pg.AxisItem("right")}
        super().__init__(parent, axisItems=axes)
        self.setObjectName(name)
        self._tip = tip
        self.setToolTip(self._tip)
        self.setMenuEnabled(False)
        self.setMouseEnabled(False, False)
        self.hideButtons()
        self.setFrameShape(pg.PlotWidget.Shape.NoFrame)
        self.setMouseTracking(True)
        if clickable:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        plot = self.getPlotItem()
        plot.showAxis("right")
        plot.invertY(True)
        plot.setContentsMargins(0, 0, 0, 0)
        self._rows: tuple[Row, ...] = ()
        self._colors: Mapping[str, str] = {}
        self._alone = ""
        self._under = -1
        self._pressed = -1
        self._theme = "dark"

    # -------------------------------------------------------------------------------------------------------- show

    def show_rows(self, rows: Sequence[Row], colors: Mapping[str, str], alone: str, theme: str) -> None:
        """Draw these rows, in the colours of their stains ("#rrggbb"); `alone` is the stain that is seen alone, or empty."""
        wanted = (tuple(rows), dict(colors), alone, theme)
        if wanted != (self._rows, self._colors, self._alone, self._theme):
            if self._rows != wanted[0]:
                self._under = -1
            self._rows, self._colors, self._alone, self._theme = wanted
            self._draw()

    def row_at(self, y: float) -> int:
        """The row at a height in the widget; -1 where there is none."""
        row = round(self.getPlotItem().getViewBox().mapSceneToView(self.mapToScene(0, int(y))).y())
        return row if 0 <= row < len(self._rows) else -1

    def _draw(self) -> None:
        plot = self.getPlotItem()
        paper, ink = paper_and_ink(self._theme)
        plot.clear()
        self.setBackground(paper)
        count = len(self._rows)
        height = ROW if count <= CROWDED else LOW_ROW
        self.setFixedHeight(count * height + AXIS)
        low, high = _span(self._rows)
        plot.setXRange(low, high, padding=0)
        plot.setYRange(-0.5, max(count, 1) - 0.5, padding=0)
        quiet = QColor(ink)
        quiet.setAlpha(110)
        self._band = QGraphicsRectItem()
        self._band.setPen(pg.mkPen(None))
        plot.addItem(self._band, ignoreBounds=True)
        plot.addItem(pg.InfiniteLine(0, angle=90, pen=pg.mkPen(quiet)), ignoreBounds=True)
        self._bars(ink)
        self._whiskers(paper, ink)
        self._marks(paper, ink)
        for name in ("left", "right", "bottom"):
            axis, measures = plot.getAxis(name), name == "bottom"
            axis.setPen(pg.mkPen(quiet if measures else None))
            axis.setTextPen(pg.mkPen(ink))
            axis.setStyle(tickLength=-4 if measures else 0, tickAlpha=None if measures else 0)
            axis.setStyle(tickFont=self.font(), tickTextOffset=6, hideOverlappingLabels=False)
        plot.getAxis("bottom").setHeight(AXIS)
        self._name_rows()
        self._highlight()

    def _bars(self, ink: str) -> None:
        drawn = [(index, row) for index, row in enumerate(self._rows) if math.isfinite(row.share)]
        brushes = []
        for _, row in drawn:
            color = QColor(self._colors.get(row.stain, ink))
            if self._alone and row.stain != self._alone:
                color.setAlpha(70)
            brushes.append(color)
        edge = QColor(ink)
        edge.setAlpha(90)
        lefts, widths = [min(0.0, row.share) for _, row in drawn], [abs(row.share) for _, row in drawn]
        bars = pg.BarGraphItem(
            x0=lefts, width=widths, y=[i for i, _ in drawn], height=0.62, brushes=brushes, pen=pg.mkPen(edge)
        )
        self.getPlotItem().addItem(bars, ignoreBounds=True)

    def _whiskers(self, paper: str, ink: str) -> None:
        """One standard deviation to either side."""
        strokes: list[Stroke] = []
        for index, row in enumerate(self._rows):
            if row.spread and math.isfinite(row.share + row.spread):
                low, high = row.share - row.spread, row.share + row.spread
                strokes += [((low, index), (high, index))]
                strokes += [((end, index - 0.12), (end, index + 0.12)) for end in (low, high)]
        self._strokes(strokes, paper, 3, ink, 1.2)

    def _marks(self, paper: str, ink: str) -> None:
        """What brightness alone explains: a line across the row."""
        shares = [(index, row.brightness) for index, row in enumerate(self._rows) if row.brightness is not None]
        strokes = [((x, index - 0.4), (x, index + 0.4)) for index, x in shares if math.isfinite(x)]
        self._strokes(strokes, paper, 5, ink, 2)

    def _strokes(self, strokes: Sequence[Stroke], paper: str, wide: float, ink: str, thin: float) -> None:
        """Lines that are seen on a bright bar as well as on the dark paper beside it."""
        x, y = ([point[axis] for stroke in strokes for point in stroke] for axis in (0, 1))
        for color, width in ((paper, wide), (ink, thin)) if strokes else ():
            curve = pg.PlotCurveItem(x, y, connect="pairs", pen=pg.mkPen(color, width=width))
            self.getPlotItem().addItem(curve, ignoreBounds=True)

    def _name_rows(self) -> None:
        """Names and figures beside the bars, as long as there is room for them."""
        plot, letters = self.getPlotItem(), self.fontMetrics()
        room = max(30, int(WIDEST_NAME * self.width()))
        names = [letters.elidedText(row.stain, Qt.TextElideMode.ElideMiddle, room) for row in self._rows]
        figures = [row.figure for row in self._rows]
        for axis, texts in (("left", names), ("right", figures)):
            plot.getAxis(axis).setTicks([list(enumerate(texts))])
            plot.getAxis(axis).setWidth(max((letters.horizontalAdvance(text) for text in texts), default=0) + 12)

    def _highlight(self) -> None:
        """A band behind the row under the mouse, and behind the one that is seen alone."""
        marked = self._under
        if marked < 0:
            marked = next((i for i, row in enumerate(self._rows) if row.stain == self._alone), -1)
        self._band.setVisible(marked >= 0)
        if marked >= 0:
            low, high = self.getPlotItem().getViewBox().viewRange()[0]
            color = QColor(paper_and_ink(self._theme)[1])
            color.setAlpha(38)
            self._band.setBrush(color)
            self._band.setRect(QRectF(QPointF(low, marked - 0.5), QPointF(high, marked + 0.5)))

    # ------------------------------------------------------------------------------------------------------- mouse

    def resizeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        if getattr(self, "_rows", ()):
            self._name_rows()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and getattr(self, "_rows", ()):
            self._draw()

    def mouseMoveEvent(self, event) -> None:  # noqa: N802 - Qt's name
        self._hover(self.row_at(event.position().y()))

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().leaveEvent(event)
        self._hover(-1)

    def mousePressEvent(self, event) -> None:  # noqa: N802 - Qt's name
        self._pressed = self.row_at(event.position().y()) if event.button() == Qt.MouseButton.LeftButton else -1

    def mouseReleaseEvent(self, event) -> None:  # noqa: N802 - Qt's name
        row = self.row_at(event.position().y())
        if event.button() == Qt.MouseButton.LeftButton and row >= 0 and row == self._pressed:
            self.chosen.emit(self._rows[row].stain)
        self._pressed = -1

    def mouseDoubleClickEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """The second press of two quick clicks."""
        self.mousePressEvent(event)

    def wheelEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """The dock's to scroll."""
        event.ignore()

    def _hover(self, row: int) -> None:
        if row != self._under and self._rows:
            self._under = row
            self.setToolTip(self._rows[row].told if row >= 0 else self._tip)
            self._highlight()
            self.hovered.emit(self._rows[row].stain if row >= 0 else "")


def _span(rows: Sequence[Row]) -> tuple[float, float]:
    """From where to where the axis goes: all bars, their spread, and what is beside them."""
    ends = [0.0]
    for row in rows:
        if math.isfinite(row.share):
            spread = row.spread or 0.0
            ends += [row.share - spread if row.share < 0 else 0.0, row.share, row.share + spread]
        if row.brightness is not None and math.isfinite(row.brightness):
            ends.append(row.brightness)
    low, high = min(ends), max(max(ends), 0.05)
    room = 0.04 * (high - low)
    return (low - room if low < 0 else -room / 2), high + room
