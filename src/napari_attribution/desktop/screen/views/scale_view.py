"""The colour bar of a column, with the histogram of its values over it; of categories, their names and counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_attribution.screens.report.columns import number
from napari_attribution.screens.report.scale import CATEGORIES, Scale, ramp

BINS = 48
HISTOGRAM, BAR, ROW = 46, 10, 19
"""Heights in pixels: of the histogram, of the colour bar, of a category."""


class ScaleView(QWidget):
    """What the colours of the plate mean, and where the chosen wells lie among all."""

    chosen = Signal(object)
    """The categories that were clicked, a tuple of str."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scale")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._scale = Scale()
        self._values: npt.NDArray[Any] = np.zeros(0)
        self._selected: list[int] = []
        self._column = ""
        self._paper, self._ink = QColor("black"), QColor("white")

    def show_scale(self, scale: Scale, values: npt.NDArray[Any], column: str) -> None:
        """Show the values of this column."""
        self._scale, self._values, self._column = scale, values, column
        self.setToolTip(
            "How many wells there are of each; click one to choose its wells"
            if scale.categories
            else "How many wells have which value; the colours end at the 2nd and the 98th percentile. The white outline is "
            "of the wells that are chosen"
        )
        self.updateGeometry()
        self.update()

    def show_selection(self, selected: Sequence[int]) -> None:
        """Show where these wells (their places in `values`) lie."""
        if list(selected) != self._selected:
            self._selected = list(selected)
            self.update()

    def set_colors(self, paper: str, ink: str) -> None:
        """Of the theme, as "#rrggbb"."""
        self._paper, self._ink = QColor(paper), QColor(ink)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        if self._scale.categories:
            return QSize(300, ROW * len(self._rows()) + 2)
        return QSize(300, HISTOGRAM + BAR + self.fontMetrics().height() + 8)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(120, self.sizeHint().height())

    # ---------------------------------------------------------------------------------------------------- draw

    def paintEvent(self, _event: QEvent) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        if self._scale.categories:
            self._draw_categories(painter)
        else:
            self._draw_numbers(painter)

    def _rows(self) -> list[tuple[str, list[str]]]:
        """The categories that have a colour of their own, and the rest together: a title, and who is meant."""
        names = list(self._scale.categories)
        if not self._scale.merged:
            return [(name, [name]) for name in names]
        own = len(CATEGORIES) - 1
        return [*((name, [name]) for name in names[:own]), (f"{len(names) - own} others", names[own:])]

    def _draw_categories(self, painter: QPainter) -> None:
        rows = self._rows()
        chosen = {self._values[at] for at in self._selected if at < len(self._values)}
        for index, (title, names) in enumerate(rows):
            top = index * ROW
            painter.fillRect(QRectF(2, top + 4, 11, 11), QColor(self._scale.colour(names[0])))
            count = sum(1 for value in self._values if value in names)
            of = [at for at in self._selected if at < len(self._values) and self._values[at] in names]
            told = f"{count}" if not of else f"{len(of)} of {count}"
            painter.setPen(self._ink)
            font = painter.font()
            font.setBold(bool(chosen & set(names)))
            painter.setFont(font)
            room = QRectF(20, top, self.width() - 90, ROW)
            named = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, int(room.width()))
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, named)
            painter.drawText(
                QRectF(self.width() - 110, top, 106, ROW),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
                told,
            )

    def _draw_numbers(self, painter: QPainter) -> None:
        numbers = np.asarray(self._values, dtype=float)
        finite = numbers[np.isfinite(numbers)]
        left, width = 4.0, self.width() - 8.0
        if not finite.size or width < 20:
            painter.setPen(self._ink)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "no well has a value")
            return
        low, high = self._span(finite)
        counts, _ = np.histogram(finite, BINS, (low, high))
        colors = self._scale.colours(low + (np.arange(BINS) + 0.5) / BINS * (high - low))
        step = width / BINS
        for index, count in enumerate(counts):
            tall = 0.0 if not count else max(2.0, HISTOGRAM * count / counts.max())
            bar = QRectF(left + index * step, HISTOGRAM - tall, max(1.0, step - 1), tall)
            painter.fillRect(bar, QColor(*map(int, colors[index])))
        self._draw_selected(painter, numbers, (low, high), (left, step))
        self._draw_bar(painter, (low, high), (left, width))

    def _draw_selected(self, painter: QPainter, numbers, span, at) -> None:
        """An outline of the chosen wells, on a scale of their own; few of them as strokes."""
        chosen = np.array([numbers[i] for i in self._selected if i < len(numbers)], dtype=float)
        chosen = chosen[np.isfinite(chosen)]
        if not chosen.size:
            return
        (low, high), (left, step) = span, at
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if chosen.size <= 3:
            for value in chosen:
                x = left + (value - low) / (high - low) * step * BINS
                for color, width in ((self._paper, 4.0), (self._ink, 1.8)):
                    painter.setPen(QPen(color, width))
                    painter.drawLine(QPointF(x, 1), QPointF(x, HISTOGRAM + BAR + 2))
        else:
            counts, _ = np.histogram(chosen, BINS, (low, high))
            tall = (HISTOGRAM - 3) * counts / counts.max()
            outline = [QPointF(left, HISTOGRAM)]
            for index, one in enumerate(tall):
                outline += [QPointF(left + (index + side) * step, HISTOGRAM - one) for side in (0, 1)]
            outline.append(QPointF(left + BINS * step, HISTOGRAM))
            for color, width in ((self._paper, 3.6), (self._ink, 1.5)):
                painter.setPen(QPen(color, width))
                painter.drawPolyline(QPolygonF(outline))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_bar(self, painter: QPainter, span, at) -> None:
        (low, high), (left, width) = span, at
        first, last = self._scale.limits
        shares = [(limit - low) / (high - low) for limit in (first, last)]
        start, end = (left + width * share for share in shares)
        top = HISTOGRAM + 2
        painter.fillRect(QRectF(left, top, width, BAR), QColor(*map(int, ramp()[0])))
        painter.fillRect(QRectF(end, top, left + width - end, BAR), QColor(*map(int, ramp()[-1])))
        image = QImage(ramp().tobytes(), 256, 1, 1024, QImage.Format.Format_RGBA8888)
        painter.drawImage(QRectF(start, top, max(1.0, end - start), BAR), image)
        painter.setPen(self._ink)
        told = [number(limit, self._column) for limit in (first, last)]
        height = self.fontMetrics().height()
        room = QRectF(left, top + BAR + 2, width, height)
        sizes = [self.fontMetrics().horizontalAdvance(one) for one in told]
        near = min(max(start - sizes[0] / 2, left), left + width - sizes[0] - sizes[1] - 12)
        far = max(min(end - sizes[1] / 2, left + width - sizes[1]), near + sizes[0] + 8)
        painter.drawText(QPointF(near, room.top() + height - 4), told[0])
        painter.drawText(QPointF(far, room.top() + height - 4), told[1])

    def _span(self, finite) -> tuple[float, float]:
        """From where to where the histogram goes: all values, but for what lies far out."""
        first, last = self._scale.limits
        reach = 0.35 * (last - first)
        low, high = max(float(finite.min()), first - reach), min(float(finite.max()), last + reach)
        low, high = min(low, first), max(high, last)
        return (low, high) if high > low and math.isfinite(high - low) else (first, last)

    def mouseReleaseEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Choose a category's wells."""
        row = int(event.position().y()) // ROW
        rows = self._rows() if self._scale.categories else []
        if event.button() == Qt.MouseButton.LeftButton and 0 <= row < len(rows):
            self.chosen.emit(tuple(rows[row][1]))
