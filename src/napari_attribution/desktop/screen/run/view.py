"""Running a screen from the dock: what, with what, where to, and how far it is."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_attribution.desktop.explain import files
from napari_attribution.desktop.explain.views.stain_table import StainTable
from napari_attribution.desktop.plates.form import PlateForm
from napari_attribution.desktop.screen.run.more_view import MoreView
from napari_attribution.desktop.screen.run.running import Running
from napari_attribution.desktop.widgets import parts
from napari_attribution.methods.choice.catalogue import METHODS

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
        self.plate = PlateForm(self.running.controller)
        self.classifier = parts.line("screen_classifier", "that of Explain well")
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
        self.stains = StainTable("plate")
        self.more = MoreView(self.running)
        self.out = parts.line("results_folder", "a new folder")
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

        self._asks = (
            self.plate,
            self.stains,
            self.methods,
            self.more.body,
            self.out,
            self.open_classifier,
            self.open_out,
        )

    def _lay_out(self) -> None:
        self.form = form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("classifier", parts.row(self.classifier, self.open_classifier))
        form.addRow("stain map", self.stains)
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
        layout.addWidget(self.plate)
        layout.addLayout(form)
        layout.addWidget(self.more)
        layout.addWidget(self.failed)
        layout.addWidget(self.missing)
        layout.addLayout(buttons)
        layout.addWidget(self.told)

    def _connect(self) -> None:
        running = self.running
        self.plate.wants.connect(lambda values: running.want(**values))
        self.out.editingFinished.connect(self._typed_out)
        self.open_classifier.clicked.connect(self._choose_classifier)
        self.open_out.clicked.connect(self._choose_out)
        self.stains.mapped.connect(running.map_stain)
        self.methods.itemChanged.connect(lambda _item: running.want(methods=self._chosen()))
        self.run.clicked.connect(running.run)
        self.resume.clicked.connect(running.resume)
        self.cancel.clicked.connect(running.cancel)

    # ---------------------------------------------------------------------------------------------------- actions

    def _typed_out(self) -> None:
        text = self.out.text().strip()
        wanted = Path(text).expanduser() if text else None
        if wanted != self.running.state.wanted.out:
            self.running.want(out=wanted)

    def _choose_classifier(self) -> None:
        kind, folder = "TorchScript or .pt2", self.running.controller.state.folder
        path = files.ask(self, "The classifier of the screen", folder, kind, files.CLASSIFIERS)
        if path is not None:
            self.running.want(classifier=path)

    def _choose_out(self) -> None:
        folder = files.ask_folder(self, "The folder for the results", self.running.controller.state.export_folder)
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
        self.plate.render_state(wanted, state.preview)
        parts.show_text(self.classifier, running.classifier.name if running.classifier else "")
        differ = running.names_differ
        self.form.setRowVisible(self.stains, differ)
        if differ:
            self.stains.show_map(state.plate.stains, running.stain_map)
        self.more.render_state()
        parts.show_text(self.out, str(wanted.out) if wanted.out else "")
        if self._chosen() != wanted.methods:
            blocked = self.methods.blockSignals(True)
            for at in range(self.methods.count()):
                item = self.methods.item(at)
                on = item.data(Qt.ItemDataRole.UserRole) in wanted.methods
                item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.methods.blockSignals(blocked)
        obstacle = running.obstacle()
        failure = state.failure.sentence if state.failure else ""
        parts.say_why_not(self.failed, self.missing, failure, obstacle, state.running)
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
