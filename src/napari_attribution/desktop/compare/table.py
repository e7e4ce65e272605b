"""Both answers in a table, how far the maps agree, and what to be careful about."""

from __future__ import annotations

from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_attribution.desktop.compare import words
from napari_attribution.desktop.compare.request import Comparison
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.section import Elided

LETTERS = "AB"


class Table(QWidget):
    """The comparison in words and numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("comparison")
        self.gone = parts.text("comparison_gone", "What is no longer as it was when this was compared")
        self.headline = parts.text("comparison_headline", "What the comparison says")
        self.correlation = parts.text("correlation", words.CORRELATION_TIP)
        self.overlap = parts.text("overlap", words.OVERLAP_TIP)
        self.notes = parts.text("comparison_notes", "What the reader of the maps should know", quiet=True)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        self.heads = [Elided() for _ in LETTERS]
        for column, (letter, head) in enumerate(zip(LETTERS, self.heads, strict=True), 1):
            head.setObjectName(f"head_{letter.lower()}")
            grid.addWidget(head, 0, column)
        self.cells: dict[tuple[str, str], Elided] = {}
        for row, (name, title, tip) in enumerate(words.ROWS, 1):
            label = QLabel(title)
            label.setToolTip(tip)
            label.setProperty("quiet", True)
            grid.addWidget(label, row, 0)
            for column, letter in enumerate(LETTERS, 1):
                cell = self.cells[name, letter] = Elided()
                cell.setObjectName(f"{name}_{letter.lower()}")
                grid.addWidget(cell, row, column)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(7)
        layout.addWidget(self.gone)
        layout.addWidget(self.headline)
        layout.addLayout(grid)
        for label in (self.correlation, self.overlap, self.notes):
            layout.addWidget(label)

    def show_comparison(self, comparison: Comparison, gone: str) -> None:
        """Fill it; `gone` says what is no longer so."""
        parts.say(self.gone, f"! {gone}" if gone else "", "warn")
        parts.say(self.headline, words.headline(comparison))
        for letter, head, side in zip(LETTERS, self.heads, comparison.sides, strict=True):
            head.set_whole(f"{letter}: {side.name}")
            for name, text in words.cells(side.attribution).items():
                self.cells[name, letter].set_whole(text)
        found = comparison.agreement
        parts.say(self.correlation, words.correlation(found) if found else "")
        parts.say(self.overlap, words.overlap(found) if found else "")
        parts.say(self.notes, "\n".join(words.notes(comparison)))
