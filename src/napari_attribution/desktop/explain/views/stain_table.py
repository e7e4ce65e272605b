"""Which of a well's or a plate's stains is which of the classifier's: by name, red where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget

from napari_attribution.desktop.widgets.form import shrinkable


class StainTable(QWidget):
    """A row for each of the classifier's stains, with a combo of those that there are.

    Parameters
    ----------
    owner : str
        What has these: "well" or "plate".
    """

    mapped = Signal(str, object)
    """A stain of the classifier, and the stain chosen for it (or None)."""

    def __init__(self, owner: str = "well", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("stain_table")
        self._owner = owner
        self.combos: dict[str, QComboBox] = {}
        self._shown: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setColumnStretch(1, 1)
        self._layout.setVerticalSpacing(3)

    def show_map(self, well_stains: Sequence[str], mapping: Mapping[str, str | None]) -> None:
        """Draw the rows, or change those that are there."""
        stains = (tuple(mapping), tuple(well_stains))
        if stains != self._shown:
            self._draw(*stains)
            self._shown = stains
        used = list(mapping.values())
        for stain, combo in self.combos.items():
            own = mapping[stain]
            combo.blockSignals(True)
            combo.setCurrentIndex(0 if own is None else well_stains.index(own) + 1)
            combo.blockSignals(False)
            wrong = own is None or used.count(own) > 1
            if combo.property("wrong") != wrong:
                combo.setProperty("wrong", wrong)
                combo.style().unpolish(combo)
                combo.style().polish(combo)

    def _draw(self, card: tuple[str, ...], well: tuple[str, ...]) -> None:
        while self._layout.count():
            widget = self._layout.takeAt(0).widget()
            widget.hide()
            widget.deleteLater()
        self.combos = {}
        if not card:
            return
        for column, (title, tip) in enumerate(
            (("Classifier wants", "The stains that the classifier was trained on, in its order"),
             (f"{self._owner.capitalize()} has", f"The stain of this {self._owner} that stands for it"))
        ):  # fmt: skip
            heading = QLabel(title)
            heading.setToolTip(tip)
            heading.setProperty("quiet", True)
            self._layout.addWidget(heading, 0, column)
        for row, stain in enumerate(card, start=1):
            label = QLabel(stain)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setToolTip(f"The classifier's input channel {row}")
            combo = shrinkable(QComboBox())
            combo.setObjectName(f"stain_{stain}")
            combo.setToolTip(f"Which of the {self._owner}'s stains is {stain}?")
            combo.addItem("choose ...", None)
            for name in well:
                combo.addItem(name, name)
            combo.currentIndexChanged.connect(lambda _index, s=stain, c=combo: self.mapped.emit(s, c.currentData()))
            self.combos[stain] = combo
            self._layout.addWidget(label, row, 0)
            self._layout.addWidget(combo, row, 1)
