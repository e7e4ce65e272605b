"""The table with what narrows it down, chooses in it and copies it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from napari_attribution.desktop.screen.choosing import ABOUT, ANY
from napari_attribution.desktop.screen.screening import Screening
from napari_attribution.desktop.screen.views.table import WellTable
from napari_attribution.desktop.widgets import parts
from napari_attribution.screens.report.columns import title
from napari_attribution.screens.report.scale import is_text
from napari_attribution.screens.report.wells import about, counted

MOST = 60
"""Values of one condition that are offered."""


class TableView(QWidget):
    """Filter, table, select, copy.

    Parameters
    ----------
    screening : Screening
    """

    def __init__(self, screening: Screening, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("table_view")
        self.screening = screening
        self.text = QLineEdit()
        self.text.setObjectName("filter_text")
        self.text.setPlaceholderText("filter …")
        self.text.setClearButtonEnabled(True)
        self.text.setToolTip("Words that a well must have: in its name, conditions, class, flags or note")
        self.predicted = parts.combo("filter_class", "Only the wells that the classifier gives this class")
        self.excluded = parts.combo("filter_excluded", "With or without the wells that were left out")
        self.flag = parts.combo("filter_flag", "Only the wells that are flagged, for anything or for one thing")
        self.controls = parts.combo("select_where", "Choose all wells to which this was done, such as the controls")
        self.copy = parts.button("copy_csv", "Copy CSV", "Copy the rows that are chosen, or all, with every column")
        self.said = parts.text("table_said", "What was copied", quiet=True)
        self.table = WellTable()
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for pair in ((self.text, self.predicted), (self.flag, self.excluded), (self.controls, self.copy)):
            layout.addLayout(parts.row(*pair))
        layout.addWidget(self.table, 1)
        layout.addWidget(self.said)
        self.table.setMinimumHeight(230)

    def _connect(self) -> None:
        screening = self.screening
        self.text.textChanged.connect(lambda text: screening.narrow(text=text))
        self.predicted.activated.connect(lambda _at: screening.narrow(predicted=self.predicted.currentData()))
        self.excluded.activated.connect(lambda _at: screening.narrow(excluded=self.excluded.currentData()))
        self.flag.activated.connect(lambda _at: screening.narrow(flag=self.flag.currentData()))
        self.controls.activated.connect(self._select)
        self.copy.clicked.connect(self._copy)
        shortcut = QShortcut(QKeySequence.StandardKey.Copy, self.table)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(self._copy)
        self.table.chosen.connect(screening.select)
        self.table.opened.connect(screening.open_well)

    def _select(self, _at: int) -> None:
        if (wanted := self.controls.currentData()) is not None:
            self.screening.select_where(wanted[0], [wanted[1]])

    def _copy(self) -> None:
        text, count = self.table.copied()
        QApplication.clipboard().setText(text)
        parts.say(self.said, f"{count} wells were copied, with every column; paste them into a spreadsheet.")

    def render_state(self) -> None:
        """Show the wells that pass."""
        state = self.screening.state
        wells = state.wells
        if wells is None:
            return
        chosen = state.filter
        if self.text.text() != chosen.text:
            self.text.setText(chosen.text)
        parts.offer(self.flag, _flags(wells), chosen.flag)
        parts.offer(self.predicted, [("any class", ""), *((name, name) for name in wells.classes)], chosen.predicted)
        everything = [("all wells", ""), ("not left out", "in"), ("left out", "out")]
        parts.offer(self.excluded, everything, chosen.excluded)
        offered = [(f"{title(column)}: {_told(value)}", (column, value)) for column, value in _values(wells)]
        parts.offer(self.controls, [("select …", None), *offered], None)
        self.controls.setEnabled(bool(offered))
        self.table.show(wells, state.notes, state.column, state.ranked)
        self.table.show_selection(state.selected, state.current)


def _values(wells) -> list[tuple[str, str | float]]:
    """What can be selected by: the values of each condition."""
    found = []
    for column in wells.conditions:
        values = wells.values(column)
        if is_text(values):
            told = sorted({value for value in values if value})
        else:
            told = sorted({float(value) for value in values if value == value})
        found += [(column, value) for value in told[:MOST]]
    return found


def _flags(wells) -> list[tuple[str, str]]:
    """What can be filtered by: any flag, what flags are about, each flag."""
    found = counted(list(wells.frame["flags"])) if "flags" in wells.frame else {}
    kinds = [kind for kind in ABOUT if any(about(name) == kind for name in found)]
    return [
        ("flagged or not", ""),
        ("flagged", ANY),
        *((f"flagged for the {kind}", kind) for kind in kinds),
        *((f"{name} ({count})", name) for name, count in found.items()),
    ]


def _told(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"
