"""What is explained: the well, the classifier, and what there is to say of either."""

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFormLayout, QLineEdit, QVBoxLayout, QWidget

from napari_attribution.desktop.explain import files
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.widgets import parts

NO_CLASSIFIER = "The classifier's file: TorchScript or .pt2"


class SubjectView(QWidget):
    """A row for the well and one for the classifier.

    Parameters
    ----------
    controller : Controller
    """

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("subject_view")
        self._controller = controller
        self.well = parts.combo("well", "The well to explain, among the layers that are open")
        self.open_well = parts.button("open_well", "Open …", "Open a well: an OME-TIFF, or one of its stains' files")
        self.classifier = QLineEdit()
        self.classifier.setObjectName("classifier")
        self.classifier.setReadOnly(True)
        self.classifier.setPlaceholderText("none chosen")
        self.classifier.setToolTip(NO_CLASSIFIER)
        self.open_classifier = parts.button(
            "open_classifier",
            "Open …",
            "Choose a classifier: a TorchScript or .pt2 file. It can be dropped here as well",
        )
        self.unload = parts.button("unload", "Unload", "Let go of the classifier, and give its memory back")
        self.mixed = parts.text(
            "mixed",
            "The trained weights of the layer that mixes the stains; the dock Channel importance shows them as bars",
        )
        self.notice = parts.text("notice", "What happened last", quiet=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(7)
        layout.addLayout(self._rows())
        layout.addWidget(self.mixed)
        layout.addWidget(self.notice)
        self.open_well.clicked.connect(self._ask_well)
        self.open_classifier.clicked.connect(self._ask_classifier)
        self.unload.clicked.connect(controller.unload)
        self.well.activated.connect(lambda index: controller.choose_well(controller.state.wells[index]))

    def _rows(self) -> QFormLayout:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(5)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Well", parts.row(self.well, self.open_well))
        form.addRow("Classifier", parts.row(self.classifier, self.open_classifier, self.unload))
        return form

    def _ask_well(self) -> None:
        folder = self._controller.state.folder
        self._open(files.ask(self, "Open a well", folder, "Images", files.WELLS), self._controller.open_well)

    def _ask_classifier(self) -> None:
        kind = "TorchScript or .pt2"
        path = files.ask(self, "Open a classifier", self._controller.state.folder, kind, files.CLASSIFIERS)
        self._open(path, self._controller.open_classifier)

    def take(self, path: Path) -> None:
        """Open a file that was dropped onto the dock."""
        c = self._controller
        self._open(path, c.open_classifier if files.is_classifier(path) else c.open_well)

    def _open(self, path: Path | None, opens: Any) -> None:
        if path is not None:
            self._controller.state.folder = str(path.parent)
            opens(path)

    def render_state(self, state: State) -> None:
        """Show what is open, and what happened last."""
        wells = [(parts.bounded(w.name), index) for index, w in enumerate(state.wells)]
        chosen = next((i for i, w in enumerate(state.wells) if w is state.well), None)
        parts.offer(self.well, wells or [("none open", None)], chosen)
        self.well.setEnabled(bool(wells))
        if state.well is not None:
            self.well.setToolTip(f"{state.well.name}: {', '.join(state.well.stains)}")
        name = state.path.name if state.path else ""
        if self.classifier.text() != name:
            self.classifier.setText(name)
            self.classifier.setToolTip(str(state.path) if state.path else NO_CLASSIFIER)
        self.unload.setVisible(state.classifier is not None)
        parts.say(self.mixed, state.mixed.told if state.mixed else "")
        parts.say(self.notice, state.notice)
