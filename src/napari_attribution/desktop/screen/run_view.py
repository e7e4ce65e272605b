"""Running a screen from the dock: what, with what, where to, and how far it is."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_attribution.desktop.explain import files
from napari_attribution.desktop.screen.running import Running
from napari_attribution.desktop.widgets import parts
from napari_attribution.methods.catalogue import METHODS

PLANES = (("one plane", ""), ("maximum", "max"), ("mean", "mean"), ("middle", "middle"))
"""How focal planes become one."""

TICK = 500
"""Milliseconds between two looks at the clock while it runs."""


class RunView(QWidget):
    """The form of a run.

    Parameters
    ----------
    running : Running
    """

    def __init__(self, running: Running, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("run_view")
        self.running = running
        self._build()
        self._lay_out()
        self._connect()
        self._clock = QTimer(self)
        self._clock.setInterval(TICK)
        self._clock.timeout.connect(self.render_state)

    def _build(self) -> None:
        self.plate = _line("plate_source", "a folder, or the address of an OME-Zarr plate")
        self.open_plate = parts.button("choose_plate", "Choose …", "Choose the folder of the plate's images")
        self.pattern = _line("plate_pattern", "found by itself")
        self.pattern.setToolTip(
            "How the files are named, where this is not found by itself: a regular expression with the groups well, field and stain"
        )
        self.stains = _line("plate_stains", "as the plate says")
        self.stains.setToolTip("The names of the stains in the order of the channels, with commas between them")
        self.project = parts.combo(
            "plate_project", "How several focal planes become one; without it such fields are refused"
        )
        parts.offer(self.project, PLANES, "")
        self.conditions = _line("plate_conditions", "none")
        self.conditions.setToolTip(
            "A CSV that says what was done to the wells: a column well, and one for each condition"
        )
        self.open_conditions = parts.button("choose_conditions", "Choose …", "Choose the CSV of the conditions")
        self.preview = parts.text(
            "plate_preview", "What there is of this plate, and how its files are understood", quiet=True
        )
        self.classifier = _line("screen_classifier", "that of Explain well")
        self.classifier.setReadOnly(True)
        self.open_classifier = parts.button(
            "choose_screen_classifier", "Choose …", "Choose a classifier: a TorchScript or .pt2 file with a card"
        )
        self.methods = QListWidget()
        self.methods.setObjectName("screen_methods")
        self.methods.setToolTip("How to explain each field; two methods can be compared, and take the time of both")
        for method in METHODS.values():
            item = QListWidgetItem(method.title)
            item.setData(Qt.ItemDataRole.UserRole, method.name)
            item.setToolTip(method.summary)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked)
            self.methods.addItem(item)
        self.methods.setFixedHeight(self.methods.sizeHintForRow(0) * self.methods.count() + 6)
        self.out = _line("results_folder", "a new folder")
        self.open_out = parts.button(
            "choose_out", "Choose …", "Choose the folder for the results; it is made if need be"
        )
        self.missing = parts.text("run_missing", "What is needed before it can be run", quiet=True)
        self.failed = parts.text("run_failed", "Why the run stopped")
        self.run = parts.button("run", "Run the screen", "Explain every field of the plate")
        self.resume = parts.button("resume", "Go on", "Go on with the run that was stopped, as it was asked for then")
        self.cancel = parts.button("cancel_run", "Stop", "Stop; what is done is kept, and the run can go on later")
        self.progress = QProgressBar()
        self.progress.setObjectName("run_progress")
        self.progress.setToolTip("Fields done")
        self.told = parts.text("run_told", "How far the run is", quiet=True)

        self._asks = (*(line for line, _ in self._lines), self.project, self.methods, self.out, self.open_plate,
                      self.open_conditions, self.open_classifier, self.open_out)  # fmt: skip

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("plate", parts.row(self.plate, self.open_plate))
        form.addRow("file names", self.pattern)
        form.addRow("stains", self.stains)
        form.addRow("focal planes", self.project)
        form.addRow("conditions", parts.row(self.conditions, self.open_conditions))
        form.addRow("", self.preview)
        form.addRow("classifier", parts.row(self.classifier, self.open_classifier))
        form.addRow("methods", self.methods)
        form.addRow("results", parts.row(self.out, self.open_out))
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.run, 1)
        buttons.addWidget(self.resume, 1)
        buttons.addWidget(self.progress, 1)
        buttons.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(form)
        layout.addWidget(self.failed)
        layout.addWidget(self.missing)
        layout.addLayout(buttons)
        layout.addWidget(self.told)

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
        running = self.running
        self.project.activated.connect(lambda _at: running.want(project=self.project.currentData()))
        for line, name in self._lines:
            line.editingFinished.connect(lambda line=line, name=name: self._typed(name, line.text().strip()))
        self.out.editingFinished.connect(self._typed_out)
        self.open_plate.clicked.connect(self._choose_plate)
        self.open_conditions.clicked.connect(self._choose_conditions)
        self.open_classifier.clicked.connect(self._choose_classifier)
        self.open_out.clicked.connect(self._choose_out)
        self.methods.itemChanged.connect(lambda _item: running.want(methods=self._chosen()))
        self.run.clicked.connect(running.run)
        self.resume.clicked.connect(running.resume)
        self.cancel.clicked.connect(running.cancel)

    # ---------------------------------------------------------------------------------------------------- actions

    def _typed(self, name: str, text: str) -> None:
        if text != getattr(self.running.state.wanted, name):
            self.running.want(**{name: text})

    def _typed_out(self) -> None:
        text = self.out.text().strip()
        wanted = Path(text).expanduser() if text else None
        if wanted != self.running.state.wanted.out:
            self.running.want(out=wanted)

    def _choose_plate(self) -> None:
        folder = ask_folder(self, "The plate's folder", self.running.controller.state.folder)
        if folder is not None:
            self.running.controller.state.folder = str(folder.parent)
            self.running.want(plate=str(folder))

    def _choose_conditions(self) -> None:
        path = files.ask(self, "What was done to the wells", self.running.controller.state.folder, "CSV", (".csv",))
        if path is not None:
            self.running.want(conditions=str(path))

    def _choose_classifier(self) -> None:
        kind, folder = "TorchScript or .pt2", self.running.controller.state.folder
        path = files.ask(self, "The classifier of the screen", folder, kind, files.CLASSIFIERS)
        if path is not None:
            self.running.want(classifier=path)

    def _choose_out(self) -> None:
        folder = ask_folder(self, "The folder for the results", self.running.controller.state.export_folder)
        if folder is not None:
            self.running.want(out=folder)

    def _chosen(self) -> tuple[str, ...]:
        items = [self.methods.item(at) for at in range(self.methods.count())]
        return tuple(
            item.data(Qt.ItemDataRole.UserRole) for item in items if item.checkState() == Qt.CheckState.Checked
        )

    # ----------------------------------------------------------------------------------------------------- render

    def render_state(self) -> None:
        """Show what is wanted, and how far it is."""
        running = self.running
        state, wanted = running.state, running.state.wanted
        for line, text in (
            *((line, getattr(wanted, name)) for line, name in self._lines),
            (self.classifier, running.classifier.name if running.classifier else ""),
            (self.out, str(wanted.out) if wanted.out else ""),
        ):
            if line.text() != text and not line.hasFocus():
                line.setText(text)
        if self._chosen() != wanted.methods:
            blocked = self.methods.blockSignals(True)
            for at in range(self.methods.count()):
                item = self.methods.item(at)
                on = item.data(Qt.ItemDataRole.UserRole) in wanted.methods
                item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.methods.blockSignals(blocked)
        parts.offer(self.project, PLANES, wanted.project)
        parts.say(self.preview, state.preview)
        parts.say(
            self.failed, f"✗ {state.failure.sentence}" if state.failure else "", "wrong" if state.failure else None
        )
        obstacle = running.obstacle()
        told_already = state.failure is not None and obstacle == state.failure.sentence
        parts.say(self.missing, "" if state.running or told_already else obstacle)
        for part in (self.progress, self.cancel):
            part.setVisible(state.running)
        self.run.setVisible(not state.running)
        self.run.setEnabled(not obstacle)
        self.resume.setVisible(not state.running and state.unfinished is not None)
        done, total = state.progress
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        parts.say(self.told, running.told() if state.running else state.said)
        for part in self._asks:
            part.setEnabled(not state.running)
        if state.running != self._clock.isActive():
            self._clock.start() if state.running else self._clock.stop()


def ask_folder(parent: QWidget, title: str, folder: str) -> Path | None:
    """Let the user choose a folder; None where the user does not."""
    path = QFileDialog.getExistingDirectory(parent, title, folder)
    return Path(path) if path else None


def _line(name: str, hint: str) -> QLineEdit:
    made = QLineEdit()
    made.setObjectName(name)
    made.setPlaceholderText(hint)
    made.setToolTip(hint[0].upper() + hint[1:])
    return made
