"""The part of a form that asks for a plate: its folder, and what its files do not say of themselves."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLineEdit, QVBoxLayout, QWidget

from napari_attribution.desktop.explain import files
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.plates.wanted import WantedPlate
from napari_attribution.desktop.widgets import parts

PLANES = (("one plane", ""), ("maximum", "max"), ("mean", "mean"), ("middle", "middle"))
"""How focal planes become one."""


class PlateForm(QWidget):
    """The fields of a `WantedPlate`.

    Parameters
    ----------
    controller : Controller
        Remembers where files were chosen last.
    """

    wants = Signal(dict)
    """What was changed: names of fields, and their values."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._wanted = WantedPlate()
        self._build()
        self.form = form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.plate_row = parts.row(self.plate, self.open_plate)
        form.addRow("plate", self.plate_row)
        form.addRow("file names", self.pattern)
        form.addRow("stains", self.stains)
        form.addRow("focal planes", self.project)
        form.addRow("conditions", parts.row(self.conditions, self.open_conditions))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(form)
        # Not a row of the form, which would not ask it again for its height when it gets another width.
        layout.addWidget(self.preview)
        self._connect()

    def _build(self) -> None:
        self.plate = parts.line("plate_source", "a folder, or the address of an OME-Zarr plate")
        self.open_plate = parts.button("choose_plate", "Choose …", "Choose the folder of the plate's images")
        self.pattern = parts.line("plate_pattern", "found by itself")
        self.pattern.setToolTip(
            "How the files are named, where this is not found by itself: a regular expression with the groups well, field and stain"
        )
        self.stains = parts.line("plate_stains", "as the plate says")
        self.stains.setToolTip("The names of the stains in the order of the channels, with commas between them")
        self.project = parts.combo(
            "plate_project", "How several focal planes become one; without it such fields are refused"
        )
        parts.offer(self.project, PLANES, "")
        self.conditions = parts.line("plate_conditions", "none")
        self.conditions.setToolTip(
            "A CSV that says what was done to the wells: a column well, and one for each condition"
        )
        self.open_conditions = parts.button("choose_conditions", "Choose …", "Choose the CSV of the conditions")
        self.preview = parts.text(
            "plate_preview", "What there is of this plate, and how its files are understood", quiet=True
        )

    @property
    def _lines(self) -> tuple[tuple[QLineEdit, str], ...]:
        """The fields of text, and what each is of what is wanted."""
        return (
            (self.plate, "plate"),
            (self.pattern, "pattern"),
            (self.stains, "stains"),
            (self.conditions, "conditions"),
        )

    def _connect(self) -> None:
        self.project.activated.connect(lambda _at: self.wants.emit({"project": self.project.currentData()}))
        for line, name in self._lines:
            line.editingFinished.connect(lambda line=line, name=name: self._typed(name, line.text().strip()))
        self.open_plate.clicked.connect(self._choose_plate)
        self.open_conditions.clicked.connect(self._choose_conditions)

    def _typed(self, name: str, text: str) -> None:
        if text != getattr(self._wanted, name):
            self.wants.emit({name: text})

    def _choose_plate(self) -> None:
        folder = files.ask_folder(self, "The plate's folder", self._controller.state.folder)
        if folder is not None:
            self._controller.state.folder = str(Path(folder).parent)
            self.wants.emit({"plate": str(folder)})

    def _choose_conditions(self) -> None:
        path = files.ask(self, "What was done to the wells", self._controller.state.folder, "CSV", (".csv",))
        if path is not None:
            self.wants.emit({"conditions": str(path)})

    def render_state(self, wanted: WantedPlate, preview: str) -> None:
        """Show what is wanted, and what there is of it."""
        self._wanted = wanted
        for line, name in self._lines:
            parts.show_text(line, getattr(wanted, name))
        parts.offer(self.project, PLANES, wanted.project)
        parts.say(self.preview, preview)
