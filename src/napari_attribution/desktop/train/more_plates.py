"""More plates than one: a line each below the first, and a button that adds one."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_attribution.desktop.explain import files
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.train.wanted import Wanted
from napari_attribution.desktop.widgets import parts


class MorePlates(QWidget):
    """The plates beside the first.

    Parameters
    ----------
    controller : Controller
        Remembers where files were chosen last.

    Attributes
    ----------
    add : QPushButton
        Stands beside the first plate.
    """

    wants = Signal(dict)
    """What was changed: names of fields, and their values."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("more_plates")
        self._controller = controller
        self._more: tuple[str, ...] = ()
        self._lines: list[tuple[QLineEdit, QPushButton]] = []
        self.add = parts.button(
            "add_plate", "+", "Add another plate: all are read in the same way, and trained on together"
        )
        self.add.clicked.connect(self._add)
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(6)

    def _add(self) -> None:
        folder = files.ask_folder(self, "Another plate's folder", self._controller.state.folder)
        if folder is not None:
            self._controller.state.folder = str(Path(folder).parent)
            self.wants.emit({"more": (*self._more, str(folder))})

    def _typed(self, number: int) -> None:
        text = self._lines[number][0].text().strip()
        if number < len(self._more) and text != self._more[number]:
            self._put(number, (text,) if text else ())

    def _put(self, number: int, instead: tuple[str, ...] = ()) -> None:
        self.wants.emit({"more": (*self._more[:number], *instead, *self._more[number + 1 :])})

    def _make(self, number: int) -> None:
        line = parts.line(f"plate_{number + 2}", "a folder, or the address of an OME-Zarr plate")
        remove = parts.button(f"remove_plate_{number + 2}", "✕", "Take this plate out again")
        line.editingFinished.connect(lambda: self._typed(number))
        remove.clicked.connect(lambda: self._put(number))
        self._rows.addLayout(parts.row(line, remove))
        self._lines.append((line, remove))

    def render_state(self, wanted: Wanted) -> None:
        """Show the plates that are wanted."""
        self._more = wanted.more
        self.add.setVisible(bool(wanted.plate))
        while len(self._lines) < len(self._more):
            self._make(len(self._lines))
        for number, (line, remove) in enumerate(self._lines):
            there = number < len(self._more)
            for part in (line, remove):
                part.setVisible(there)
            parts.show_text(line, self._more[number] if there else "")
