"""What is asked: why this class, rather than which, by which method and with which parameters, and where."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_attribution.desktop.explain import words
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.explain.status import Status
from napari_attribution.desktop.explain.views.method_view import MethodView, ParametersView
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.figures import with_free


class QuestionView(QWidget):
    """A row for each part of the question, and the chosen method's parameters.

    Parameters
    ----------
    controller : Controller
    """

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("question_view")
        self.target = parts.combo("target", "The class to explain")
        self.against = parts.combo("against", "Explain the preference over this class, instead of the class by itself")
        self.method = MethodView()
        self.score = parts.combo("score", "What is explained: the class's logit, or its probability")
        self.device = parts.combo(
            "device", "Where to compute; automatic takes a GPU where there is one", parts.OpeningCombo
        )
        self.per_stain = QCheckBox("one map per stain")
        self.per_stain.setObjectName("per_stain")
        self.per_stain.setToolTip("Also show one map for each stain, where the method tells the stains apart")
        self.parameters = ParametersView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(7)
        layout.addLayout(self._rows())
        layout.addWidget(self.per_stain)
        layout.addWidget(self.parameters)
        self._connect(controller)

    def _rows(self) -> QGridLayout:
        ask = QGridLayout()
        ask.setContentsMargins(0, 0, 0, 0)
        ask.setHorizontalSpacing(8)
        ask.setVerticalSpacing(5)
        ask.setColumnStretch(1, 1)
        for number, (title, field) in enumerate(
            (
                ("Why", self.target),
                ("rather than", self.against),
                ("Method", self.method),
                ("Score", self.score),
                ("Device", self.device),
            )
        ):
            label = QLabel(title)
            named = self.method.combo if field is self.method else field
            label.setToolTip(named.toolTip())
            if field is self.method:
                # Beside the combo, not beside the middle of all that is said under it.
                label.setFixedHeight(named.sizeHint().height())
                ask.addWidget(label, number, 0, Qt.AlignmentFlag.AlignTop)
            else:
                ask.addWidget(label, number, 0, Qt.AlignmentFlag.AlignVCenter)
            ask.addWidget(field, number, 1)
        return ask

    def _connect(self, c: Controller) -> None:
        self.target.activated.connect(lambda _index: c.set(target=self.target.currentData(), against=None))
        self.against.activated.connect(lambda _index: c.set(against=self.against.currentData()))
        self.method.chosen.connect(lambda name: c.set(method=name))
        self.parameters.edited.connect(c.set_parameters)
        self.score.activated.connect(lambda _index: c.set(score=self.score.currentData()))
        self.device.activated.connect(lambda _index: c.choose_device(self.device.currentData()))
        self.device.opening.connect(c.refresh_devices)
        self.per_stain.toggled.connect(lambda on: c.set(per_stain=on))

    def render_state(self, state: State, now: Status) -> None:
        """Show what there is to choose from, and what is chosen."""
        classes = state.classifier.classes if state.classifier else ()
        predicted = state.checked.predicted if state.checked else None
        first = f"{predicted} (predicted)" if predicted else "the predicted class"
        probability = state.checked.probabilities if state.checked else {}
        likely = sorted(classes, key=lambda name: -probability.get(name, 0.0))
        named = [(words.with_probability(name, probability.get(name)), name) for name in likely]
        parts.offer(self.target, [(first, None), *named], state.target)
        asked = state.target or predicted
        others = [(title, name) for title, name in named if name != asked]
        parts.offer(self.against, [("anything else", None), *others], state.against)
        parts.offer(self.score, [("logit", "logit"), ("probability", "probability")], state.score)
        self.score.setEnabled(state.against is None)
        devices = [(f"{d.name}  {with_free(d.title, d.free_bytes)}", d.name) for d in state.devices]
        if state.device not in ("auto", *(name for _, name in devices)):
            devices.append((state.device, state.device))
        parts.offer(self.device, [("automatic", "auto"), *devices], state.device)
        for field in (self.target, self.against):
            field.setEnabled(bool(classes))
        self.method.render_state(state)
        self.parameters.render_state(state, now.method)
