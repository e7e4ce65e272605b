"""The colour scale under the views: what purple and green mean, in the maps' unit."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_attribution.desktop.compare import words
from napari_attribution.desktop.compare.limits import Limits
from napari_attribution.desktop.layers.maps import diverging
from napari_attribution.desktop.widgets import parts

BAR = 10
"""Height of a bar, in pixels."""

ROOMY = 330
"""Width from which on there is room to say what the ends are, in pixels."""


class ColorScale(QWidget):
    """A bar of the map's colours, with the numbers at its ends and its middle under it."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setToolTip("What the map's colours mean; stronger values have the colours of the ends")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.limit = 1.0
        self._colors = (255 * np.asarray(diverging().map(np.linspace(0, 1, 256)))).round().astype(np.uint8)
        self._behind = QColor("black")

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A bar and a line of text."""
        return QSize(140, BAR + self.fontMetrics().height() + 4)

    def show_limit(self, limit: float, behind: tuple[int, int, int]) -> None:
        """The value at which the colours are full, and the colour of the canvas, which shows where the map is clear."""
        self.limit, self._behind = limit, QColor(*behind)
        self.update()

    def labels(self) -> tuple[str, str, str]:
        """Left, middle, right."""
        number = f"{self.limit:.3g}"
        if self.width() < ROOMY:
            return f"−{number}", "0", f"+{number}"
        return f"−{number}  against the class", "0", f"for the class  +{number}"

    def paintEvent(self, _event):  # noqa: N802 - Qt's name
        """Draw it."""
        painter = QPainter(self)
        bar = QRectF(0, 0, self.width(), BAR)
        painter.fillRect(bar, self._behind)
        image = QImage(self._colors.tobytes(), 256, 1, 4 * 256, QImage.Format.Format_RGBA8888)
        painter.drawImage(bar, image)
        text = QRectF(0, BAR + 2, self.width(), self.fontMetrics().height() + 2)
        sides = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignRight)
        for side, label in zip(sides, self.labels(), strict=True):
            painter.drawText(text, side, label)
        painter.end()


class Scales(QWidget):
    """One scale for both views, or one for each where their units differ, and a line that says which."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scales")
        self.bars = (ColorScale("scale_a"), ColorScale("scale_b"))
        self.caption = parts.text(
            "scale_caption", "The unit of the maps, and whether one scale holds for both", quiet=True
        )
        row = QHBoxLayout()
        row.setSpacing(10)
        for bar in self.bars:
            row.addWidget(bar)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.caption)

    def show_limits(self, limits: Limits, behind: tuple[int, int, int]) -> None:
        """Show what the colours mean."""
        self.bars[1].setVisible(not limits.shared)
        for bar, limit in zip(self.bars, limits.each, strict=True):
            bar.show_limit(limit, behind)
        parts.say(self.caption, words.scale(limits))
