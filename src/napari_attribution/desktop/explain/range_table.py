"""The range of each stain before and after normalisation, red where it cannot be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_attribution.desktop.explain import figures
from napari_attribution.desktop.explain.section import MARKS, paint

if TYPE_CHECKING:
    from napari_attribution.classifiers.preparation.ranges import StainRange

_HEADS = (
    ("stain", "The well's stains, in the order of the classifier's input channels"),
    ("in the well", "Where nearly all pixels lie (1st to 99th percentile), in detector units"),
    ("expected", "Where most pixels of the training wells lay (mean ± 3 std, or up to the divisor), in detector units"),
    ("normalised", "Where nearly all values of the classifier's input lie (1st to 99th percentile)"),
)


class RangeTable(QWidget):
    """A row for each stain."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("range_table")
        self._shown: tuple[object, ...] = ()
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setHorizontalSpacing(6)
        self._layout.setVerticalSpacing(2)

    def show_ranges(self, ranges: Sequence[StainRange], colors: Mapping[str, str]) -> None:
        """Draw the rows; `colors` are those of the well's stains, as "#rrggbb"."""
        wanted = (tuple(ranges), tuple(colors.items()))
        if wanted == self._shown:
            return
        self._shown = wanted
        while self._layout.count():
            widget = self._layout.takeAt(0).widget()
            widget.hide()
            widget.deleteLater()
        self.setVisible(bool(ranges))
        columns = [0, 1, 2, 3] if any(found.expected for found in ranges) else [0, 1, 3]
        for place, column in enumerate(columns):
            title, tip = _HEADS[column]
            heading = QLabel(title)
            heading.setToolTip(tip)
            heading.setProperty("quiet", True)
            heading.setAlignment(_side(column))
            self._layout.addWidget(heading, 0, place)
            self._layout.setColumnStretch(place, 1)
        for number, found in enumerate(ranges, start=1):
            self._add_row(number, found, columns, colors.get(found.well_stain, ""))

    def _add_row(self, number: int, found: StainRange, columns: Sequence[int], color: str) -> None:
        name = found.well_stain if len(found.well_stain) <= 14 else found.well_stain[:13] + "…"
        dot = f'<span style="color: {color}">●</span> ' if color else ""
        mark = "" if found.ok else f"{MARKS['wrong']} "
        cells = (
            f"{dot}{mark}{escape(name)}",
            figures.pixels(found),
            figures.expected(found),
            figures.normalised(found),
        )
        five = "minimum {0:g}, 1 % {1:g}, median {2:g}, 99 % {3:g}, maximum {4:g}"
        tips = (
            found.well_stain
            if found.stain == found.well_stain
            else f"{found.well_stain}, which stands for {found.stain}",
            f"{found.well_stain}: {five.format(*found.raw)}",
            _HEADS[2][1],
            f"{found.well_stain}: {five.format(*(round(value, 3) for value in found.normalised))}",
        )
        for place, column in enumerate(columns):
            cell = QLabel(cells[column])
            cell.setObjectName(f"range_{found.stain}_{_HEADS[column][0]}")
            cell.setTextFormat(Qt.TextFormat.RichText if column == 0 else Qt.TextFormat.PlainText)
            cell.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            cell.setAlignment(_side(column))
            cell.setWordWrap(True)
            cell.setToolTip(tips[column] if found.ok else found.sentence)
            if not found.ok:
                paint(cell, "wrong")
            self._layout.addWidget(cell, number, place)


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter
