"""What is to be trained: the plates, what their wells are, and the recipe."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from napari_attribution.desktop.plates.form import PlateForm
from napari_attribution.desktop.train import words
from napari_attribution.desktop.train.more_plates import MorePlates
from napari_attribution.desktop.train.training import Training
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.form import Form
from napari_attribution.desktop.widgets.section import Section
from napari_attribution.training.recipe import Recipe

IN_SIGHT = ("size", "seeds", "epochs", "compare")
"""What of the recipe is asked first: it decides how long it takes."""


GO_ON = (
    "Go on where it was stopped: what is trained already is not trained again, also where there are to be more seeds"
)


class AskView(QWidget):
    """The form of a training.

    Parameters
    ----------
    training : Training
    """

    def __init__(self, training: Training, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("ask_view")
        self.training = training
        self.plate = PlateForm(training.controller)
        self.more_plates = MorePlates(training.controller)
        self.labels = parts.combo("train_labels", "Which of the conditions is the class of a well")
        self.counts = parts.text("train_counts", "The classes, and how many wells and fields are of each", quiet=True)
        self.doubts = parts.text("train_doubts", "What of the labels would make the answer doubtful")
        self.few = Form(Recipe, names=IN_SIGHT)
        rest = [name for name in Recipe.model_fields if name not in IN_SIGHT]
        self.many = Form(Recipe, names=rest)
        self.more = Section("recipe", "More choices", self.many, "How the network is trained, in all detail")
        self.missing = parts.text("train_missing", "What is needed before it can be trained", quiet=True)
        self.failed = parts.text("train_failed", "Why the training stopped")
        self.run = parts.button("train", "Train", "Train the classifier")
        self.anew = parts.button("train_anew", "Begin anew", "Forget what is done of this training, and begin again")
        self.earlier = parts.button(
            "earlier",
            "Go on with the last training",
            "Choose the training again that was begun and not finished or saved",
        )
        self.cancel = parts.button(
            "cancel_training", "Cancel", "Stop; what is done is kept, and the training can go on"
        )
        self.progress = QProgressBar()
        self.progress.setObjectName("train_progress")
        self.progress.setToolTip("How much is done of what is under way; networks may stop before their last epoch")
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        asked = QWidget()
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("class", self.labels)
        self.plate.plate_row.addWidget(self.more_plates.add)
        self.plate.form.insertRow(1, "and", self.more_plates)
        self._forms = (self.plate.form, form, self.few.layout())
        inside = QVBoxLayout(asked)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(6)
        inside.addWidget(self.plate)
        inside.addLayout(form)
        for part in (self.counts, self.doubts, self.few, self.more):
            inside.addWidget(part)
        self.asked = Section("ask", "What to train on", asked, "The plates, the classes, and how to train")
        self.asked.heading.setChecked(True)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for part in (self.run, self.earlier, self.progress):
            buttons.addWidget(part, 1)
        for part in (self.anew, self.cancel):
            buttons.addWidget(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for part in (self.asked, self.failed, self.missing):
            layout.addWidget(part)
        layout.addLayout(buttons)

    def _connect(self) -> None:
        training = self.training
        for part in (self.plate, self.more_plates):
            part.wants.connect(lambda values: training.want(**values))
        self.labels.activated.connect(lambda _at: training.want(labels=self.labels.currentData()))
        for form in (self.few, self.many):
            form.changed.connect(self._recipe_changed)
        self.run.clicked.connect(lambda: training.run(anew=training.state.again))
        self.anew.clicked.connect(lambda: training.run(anew=True))
        self.earlier.clicked.connect(training.go_on_with_earlier)
        self.cancel.clicked.connect(training.cancel)

    def showEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Only now do the labels have the letters that they are shown in."""
        super().showEvent(event)
        parts.align(*self._forms)

    def _recipe_changed(self) -> None:
        chosen = {**self.few.values(), **self.many.values()}
        wanted = {name: value for name, value in chosen.items() if value != Recipe.model_fields[name].get_default()}
        if wanted != self.training.state.wanted.recipe:
            self.training.want(recipe=wanted)

    def _show_recipe(self, recipe: dict[str, Any]) -> None:
        """The recipe as it is wanted, without telling anyone."""
        values = Recipe(**recipe).model_dump()
        for form in (self.few, self.many):
            own = {name: values[name] for name in form.fields}
            if form.values() != own:
                blocked = form.blockSignals(True)
                form.set_values(own)
                form.blockSignals(blocked)

    def render_state(self) -> None:
        """Show what is wanted, and how it stands."""
        training = self.training
        state, wanted = training.state, training.state.wanted
        self.plate.render_state(wanted, state.preview)
        self.more_plates.render_state(wanted)
        for part in (self.more_plates, self.plate.form.labelForField(self.more_plates)):
            part.setVisible(bool(wanted.more))
        parts.offer(self.labels, [(name, name) for name in state.columns] or [("none known", "")], wanted.labels)
        self.labels.setEnabled(bool(state.columns) and not state.running)
        counts = state.counts
        parts.say(self.counts, words.counts(counts) if counts else "")
        parts.say(self.doubts, "\n".join(f"! {one}" for one in counts.warnings) if counts else "", "warn")
        self._show_recipe(wanted.recipe)
        obstacle = training.obstacle()
        failure = state.failure.sentence if state.failure else ""
        parts.say_why_not(self.failed, self.missing, failure, obstacle, state.running)
        for part in (self.progress, self.cancel):
            part.setVisible(state.running)
        self.run.setVisible(not state.running)
        self.run.setEnabled(not obstacle)
        begun = state.begun and not state.again
        self.run.setText("Go on" if begun else "Train again" if state.again else "Train")
        self.run.setToolTip(GO_ON if begun else "Train the classifier")
        self.anew.setVisible(not state.running and begun and not obstacle)
        self.earlier.setVisible(not state.running and state.earlier is not None)
        self.progress.setRange(0, state.course.total)
        self.progress.setValue(state.course.done)
        for part in (self.plate, self.few, self.many):
            part.setEnabled(not state.running)
