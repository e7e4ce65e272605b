"""The range of each stain before and after normalisation, red where it cannot be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_attribution.desktop.widgets import figures
from napari_attribution.desktop.widgets.section import MARKS, Elided, paint

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
        columns = [1, 2, 3] if any(found.expected for found in ranges) else [1, 3]
        # The figures take the room that they need, the names what is left.
        self._layout.setColumnStretch(1, 1)
        for place, column in enumerate((0, *columns), start=1):
            title, tip = _HEADS[column]
            heading = QLabel(title)
            heading.setToolTip(tip)
            heading.setProperty("quiet", True)
            heading.setAlignment(_LEFT if column == 0 else _RIGHT)
            self._layout.addWidget(heading, 0, 0 if column == 0 else place, 1, 2 if column == 0 else 1)
        for number, found in enumerate(ranges, start=1):
            self._add_row(number, found, columns, colors.get(found.well_stain, ""))

    def _add_row(self, number: int, found: StainRange, columns: Sequence[int], color: str) -> None:
        dot = QLabel(f'<span style="color: {color}">●</span>' if color else "")
        name = Elided()
        name.setMinimumWidth(48)
        name.set_whole(found.well_stain if found.ok else f"{MARKS['wrong']} {found.well_stain}")
        five = "minimum {0:g}, 1 % {1:g}, median {2:g}, 99 % {3:g}, maximum {4:g}"
        figure = (
            ("", ""),
            (figures.pixels(found), f"{found.well_stain}: {five.format(*found.raw)}"),
            (figures.expected(found), _HEADS[2][1]),
            (
                figures.normalised(found),
                f"{found.well_stain}: {five.format(*(round(value, 3) for value in found.normalised))}",
            ),
        )
        self._layout.addWidget(dot, number, 0)
        self._layout.addWidget(name, number, 1)
        stands_for = "" if found.stain == found.well_stain else f", which stands for {found.stain}"
        tips = [(dot, found.well_stain + stands_for), (name, found.well_stain + stands_for)]
        for place, column in enumerate(columns, start=2):
            text, tip = figure[column]
            cell = QLabel(text)
            cell.setWordWrap(True)
            cell.setAlignment(_RIGHT)
            cell.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._layout.addWidget(cell, number, place)
            tips.append((cell, tip))
        for cell, tip in tips:
            cell.setObjectName(f"range_{found.stain}")
            cell.setToolTip(tip if found.ok else found.sentence)
            if not found.ok:
                paint(cell, "wrong")


_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
