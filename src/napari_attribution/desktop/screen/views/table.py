"""The wells as a table: sorted by any column, one row a well that passes the filter."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_attribution.screens.report.columns import FLAGGED, title

if TYPE_CHECKING:
    from napari_attribution.screens.report.wells import Wells
    from napari_attribution.screens.results.notes import Note

WELL, FLAGS, NOTED = "well", "flags", "noted"
"""Columns that are not numbers: the well's name, its flags, what a person noted."""

_TITLES = {WELL: "well", FLAGS: "flags", NOTED: "note"}


class WellModel(QAbstractTableModel):
    """The rows in the order of a sort, of the wells that pass a filter."""

    def __init__(self) -> None:
        super().__init__()
        self.wells: Wells | None = None
        self.notes: Mapping[str, Note] = {}
        self.columns: list[str] = []
        self.order: list[int] = []
        self.sorted_by: tuple[str, bool] = (WELL, False)
        self._passing: frozenset[int] = frozenset()

    def show(self, wells: Wells, notes: Mapping[str, Note], first: str, passing: Sequence[int]) -> None:
        """Show these wells; `first` is the column that stands beside the names."""
        self.beginResetModel()
        self.wells, self.notes, self._passing = wells, notes, frozenset(passing)
        rest = [column for column in wells.offered if column not in (first, FLAGGED)]
        said = [column for column in ("predicted", *wells.conditions) if column in rest]
        self.columns = [WELL, first, FLAGS, *said, NOTED, *(column for column in rest if column not in said)]
        if self.sorted_by[0] not in self.columns:
            self.sorted_by = (WELL, False)
        self._sort()
        self.endResetModel()

    def rowCount(self, _parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        return len(self.order)

    def columnCount(self, _parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        return len(self.columns)

    def headerData(self, section, orientation, role=Qt.ItemDataRole.DisplayRole):  # noqa: N802 - Qt's name
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole) or self.wells is None:
            return None
        if orientation == Qt.Orientation.Horizontal:
            return self._title(self.columns[section])
        return str(section + 1) if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: QModelIndex, role=Qt.ItemDataRole.DisplayRole):
        if self.wells is None or not index.isValid():
            return None
        column = self.columns[index.column()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._text(self.order[index.row()], column)
        if role == Qt.ItemDataRole.TextAlignmentRole and column not in (WELL, FLAGS, NOTED):
            side = (
                Qt.AlignmentFlag.AlignLeft if self.wells.values(column).dtype == object else Qt.AlignmentFlag.AlignRight
            )
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; wells without a value come last."""
        if 0 <= column < len(self.columns):
            self.layoutAboutToBeChanged.emit()
            self.sorted_by = (self.columns[column], order == Qt.SortOrder.DescendingOrder)
            self._sort()
            self.layoutChanged.emit()

    def table(self, rows: Iterable[int]) -> str:
        """These rows with all columns, as comma-separated values."""
        assert self.wells is not None
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([WELL, *self.wells.offered, FLAGS, "note", "left out"])
        for row in rows:
            at = self.order[row]
            well = self.wells.positions[at]
            note = self.notes.get(well) or {"note": "", "excluded": None}
            values = [_plain(self.wells.frame[column].iloc[at]) for column in self.wells.offered]
            writer.writerow([well, *values, "; ".join(self.wells.flags(well)), note["note"], note["excluded"] or ""])
        return out.getvalue()

    def _title(self, column: str) -> str:
        return _TITLES.get(column) or title(column, self.wells.methods)

    def _text(self, at: int, column: str) -> str:
        well = self.wells.positions[at]
        if column == WELL:
            return well
        if column == FLAGS:
            return ", ".join(self.wells.flags(well)) or ("failed" if self.wells.failed[at] else "")
        if column == NOTED:
            return _noted(self.notes.get(well))
        return self.wells.text(well, column).replace("no value", "")

    def _sort(self) -> None:
        column, descending = self.sorted_by
        if column == WELL:
            order = range(len(self.wells.positions))
            order = list(order)[::-1] if descending else list(order)
        elif column == NOTED:
            keys = [_noted(self.notes.get(well)).casefold() for well in self.wells.positions]
            order = sorted(range(len(keys)), key=lambda at: keys[at], reverse=descending)
            order.sort(key=lambda at: not keys[at])
        else:
            order = self.wells.order(FLAGGED if column == FLAGS else column, descending)
        self.order = [at for at in order if at in self._passing]


class WellTable(QTableView):
    """The table; what is chosen in it is chosen on the plate, and the other way round."""

    chosen = Signal(object)
    """The wells whose rows were chosen, a list of str."""

    opened = Signal(str)
    """The well whose row was clicked."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self.setObjectName("wells")
        self.setToolTip("Click a row to open the well; a heading, to sort by it; Ctrl+C copies the rows")
        self.wells = WellModel()
        self.setModel(self.wells)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 7)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._taking = False
        self._shown: tuple[object, ...] = ()
        self.selectionModel().selectionChanged.connect(self._selected)
        self.clicked.connect(lambda index: self._open(index))

    def show(self, wells: Wells, notes: Mapping[str, Note], column: str, passing: Sequence[int]) -> None:
        """Show these wells, unless they are shown already."""
        wanted = (wells, dict(notes), column, tuple(passing))
        if len(self._shown) == len(wanted) and all(a is b or a == b for a, b in zip(self._shown, wanted, strict=True)):
            return
        fresh = not self._shown or self._shown[0] is not wells or self._shown[2] != column
        self._shown = wanted
        self._taking = True
        self.wells.show(wells, notes, column, passing)
        place = self.wells.columns.index(self.wells.sorted_by[0])
        order = Qt.SortOrder.DescendingOrder if self.wells.sorted_by[1] else Qt.SortOrder.AscendingOrder
        header = self.horizontalHeader()
        blocked = header.blockSignals(True)
        header.setSortIndicator(place, order)
        header.blockSignals(blocked)
        self._taking = False
        if fresh:
            self._fit()

    def show_selection(self, selected: Sequence[str], current: str) -> None:
        """Choose the rows of these wells, and bring the open one into view."""
        chosen = set(selected)
        rows = [row for row, at in enumerate(self.wells.order) if self.wells.wells.positions[at] in chosen]
        if rows == self.rows():
            return
        from qtpy.QtCore import QItemSelection

        last = self.wells.columnCount() - 1
        selection = QItemSelection()
        for row in rows:
            selection.select(self.wells.index(row, 0), self.wells.index(row, last))
        self._taking = True
        self.selectionModel().select(selection, self.selectionModel().SelectionFlag.ClearAndSelect)
        self._taking = False
        focus = next((row for row in rows if self.wells.wells.positions[self.wells.order[row]] == current), None)
        if focus is not None:
            self.scrollTo(self.wells.index(focus, 0))

    def rows(self) -> list[int]:
        """The rows that are chosen."""
        return sorted(index.row() for index in self.selectionModel().selectedRows())

    def copied(self) -> tuple[str, int]:
        """The chosen rows (all, where fewer than two are) as comma-separated values, and how many they are."""
        rows = self.rows()
        rows = rows if len(rows) > 1 else list(range(self.wells.rowCount()))
        return self.wells.table(rows), len(rows)

    def _fit(self) -> None:
        letters = self.fontMetrics()
        for at in range(self.wells.columnCount()):
            texts = [self.wells.data(self.wells.index(row, at)) or "" for row in range(min(12, self.wells.rowCount()))]
            head = self.wells.headerData(at, Qt.Orientation.Horizontal) or ""
            wide = max(
                [letters.horizontalAdvance(text) for text in texts] + [min(letters.horizontalAdvance(head), 150) + 14]
            )
            self.setColumnWidth(at, min(190, wide + 18))

    def _selected(self, *_changes) -> None:
        if not self._taking:
            self.chosen.emit([self.wells.wells.positions[self.wells.order[row]] for row in self.rows()])

    def _open(self, index: QModelIndex) -> None:
        if len(self.rows()) == 1:
            self.opened.emit(self.wells.wells.positions[self.wells.order[index.row()]])


def _noted(note: Any) -> str:
    if not note:
        return ""
    out = f"left out: {note['excluded']}" if note["excluded"] is not None else ""
    return ". ".join(part for part in (out, note["note"]) if part)


def _plain(value: Any) -> Any:
    """A value as a spreadsheet takes it; nothing where there is none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else ""
    return "" if value is None else value
