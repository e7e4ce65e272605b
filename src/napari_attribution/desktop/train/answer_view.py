"""The answer of a training: which stain matters, how sure that is, and what speaks against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_attribution.desktop.channels.chart import Chart
from napari_attribution.desktop.keeping import dialogs
from napari_attribution.desktop.train import words
from napari_attribution.desktop.train.training import Training
from napari_attribution.desktop.widgets import parts

if TYPE_CHECKING:
    from napari_attribution.training.answers.answer import TrainedClassifier

BARS_TIP = "The stains' mixing weights as shares, mean and standard deviation over the seeds"
KINDS = "TorchScript, with .pt2, card and findings beside it (*.pt)"


class AnswerView(QWidget):
    """What was found, and what can be done with it.

    Parameters
    ----------
    training : Training
    """

    def __init__(self, training: Training, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train_answer")
        self.training = training
        self.headline = parts.text("answer_headline", "Which stain matters most")
        self.accuracy = parts.text(
            "train_accuracy", "How often the networks are right on wells that they have not seen"
        )
        self.bars = Chart("answer_bars", BARS_TIP, clickable=False)
        self.beside = Beside()
        self.warnings = parts.text("train_warnings", "What makes the answer doubtful")
        self.save = parts.button(
            "save_trained",
            "Save …",
            "Save the classifier (.pt and .pt2), its card, and all that was found (.training.json)",
        )
        self.explain = parts.button(
            "explain_with_this",
            "Explain with this",
            "Open the classifier in the dock Explain well, with a well of the plate",
        )
        self.copy = parts.button("copy_trained", "Copy table", "Copy the stains and their figures, for a spreadsheet")
        self.said = parts.text("train_saved", "Where the answer was saved", quiet=True)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for part in (self.explain, self.save, self.copy):
            buttons.addWidget(part, 1 if part is self.explain else 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(7)
        for part in (self.headline, self.accuracy, self.bars, self.beside, self.warnings):
            layout.addWidget(part)
        layout.addLayout(buttons)
        layout.addWidget(self.said)
        self.save.clicked.connect(self._save)
        self.explain.clicked.connect(training.explain)
        self.copy.clicked.connect(self._copy)
        self._shown: TrainedClassifier | None = None

    def _save(self) -> None:
        own = self.training.controller.state
        proposed = f"{own.export_folder}/dcmix.pt" if own.export_folder else "dcmix.pt"
        path = dialogs.save(self, "Save the trained classifier", proposed, KINDS)
        if path is not None:
            own.export_folder = str(path.parent)
            self.training.save(path)

    def _copy(self) -> None:
        if self._shown is not None:
            QApplication.clipboard().setText(words.table(self._shown))
            parts.say(self.said, "The table was copied; paste it into a spreadsheet.")

    def render_state(self, colors: dict[str, str], theme: str) -> None:
        """Show the answer; nothing takes no room."""
        state = self.training.state
        answer = state.answer
        self.setVisible(answer is not None)
        if answer is None:
            return
        self.bars.show_rows(words.rows(answer), colors, "", theme)
        for part in (self.save, self.explain):
            part.setEnabled(not state.keeping)
        parts.say(self.said, "Writing ..." if state.keeping else f"Saved: {state.saved}." if state.saved else "")
        if answer is self._shown:
            return
        self._shown = answer
        parts.say(self.headline, words.headline(answer))
        parts.say(self.accuracy, words.accuracies(answer))
        self.beside.show_answer(answer, colors)
        parts.say(self.warnings, "\n".join(f"! {warning}" for warning in answer.warnings), "warn")


class Beside(QWidget):
    """What else is known of the stains: a row each, in the order of the bars."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("beside")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)

    def show_answer(self, answer: TrainedClassifier, colors: dict[str, str]) -> None:
        """Draw the rows."""
        while self._grid.count():
            gone = self._grid.takeAt(0).widget()
            gone.hide()
            gone.deleteLater()
        for column, (title, tip) in enumerate(words.COLUMNS, start=2):
            self._add(0, column, title, tip).setProperty("quiet", True)
        found = words.beside(answer)
        for number, row in enumerate(words.rows(answer), start=1):
            self._add(number, 0, f'<span style="color: {colors.get(row.stain, "")}">●</span>', row.stain)
            name = self._add(number, 1, row.stain, row.stain)
            name.setAlignment(Qt.AlignmentFlag.AlignLeft)
            for column, (text, (_, tip)) in enumerate(zip(found[row.stain], words.COLUMNS, strict=True), start=2):
                self._add(number, column, text, tip)

    def _add(self, row: int, column: int, text: str, tip: str) -> QLabel:
        made = QLabel(text)
        made.setToolTip(tip)
        made.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._grid.addWidget(made, row, column)
        return made
