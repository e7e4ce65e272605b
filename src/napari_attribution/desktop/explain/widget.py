"""The dock "Explain well": widgets only; what they do is the controller's."""

from pathlib import Path

import napari.viewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_attribution.desktop.asking.view import AskView
from napari_attribution.desktop.explain import files, words
from napari_attribution.desktop.explain.answer_view import AnswerView
from napari_attribution.desktop.explain.card_form import CardForm
from napari_attribution.desktop.explain.check_view import CheckView
from napari_attribution.desktop.explain.method_view import MethodView, ParametersView
from napari_attribution.desktop.explain.stain_table import StainTable
from napari_attribution.desktop.explain.status import Section as Standing
from napari_attribution.desktop.explain.status import Status
from napari_attribution.desktop.keeping.again import AgainOffer
from napari_attribution.desktop.keeping.menu import KeepMenu
from napari_attribution.desktop.picks.bar import PickBar
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.dock import Dock, scrolled
from napari_attribution.desktop.widgets.figures import with_free
from napari_attribution.desktop.widgets.form import Form
from napari_attribution.desktop.widgets.section import Section

NO_CLASSIFIER = "The classifier's file: TorchScript or .pt2"
TICK = 500
"""Milliseconds between two looks at the clock while something is under way."""


class ExplainWell(Dock):
    """Why does the classifier give this well this class?

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        napari hands it over; a `ViewerModel` will do in a test.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(viewer, "explain_well", parent)
        self.setAcceptDrops(True)
        self._asked_for: tuple[object, ...] = ()
        self._build()
        self._clock = QTimer(self)
        self._clock.setInterval(TICK)
        self._clock.timeout.connect(self.controller.tick)
        self._connect()
        self.attend(self.render_state)
        self.render_state()

    @property
    def form(self) -> Form:
        """The parameters of the chosen method."""
        return self.parameters_section.form

    # ----------------------------------------------------------------------------------------------------- build

    def _build(self) -> None:
        self.headline = parts.text("headline", "What is missing, and how to supply it")
        self.stop = parts.button("cancel_loading", "Cancel", "Stop; the dock is then as it was")
        self.sample = parts.button("try_sample", "Try the sample", "Open a sample well and a classifier for it")
        self.again = AgainOffer(self.controller)
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
        self.notice = parts.text("notice", "What happened last", quiet=True)

        self.mixed = parts.text(
            "mixed",
            "The trained weights of the layer that mixes the stains; the dock Channel importance shows them as bars",
        )

        self.card = CardForm()
        self.card_section = Section("card", "Card", self.card, "What the classifier's file does not say of itself")
        self.stains = StainTable()
        self.stains_section = Section("stains", "Stains", self.stains, "Which of the well's stains the classifier gets")
        self.check = CheckView()
        self.check_section = Section("check", "Preflight", self.check, "Do this classifier and this well fit?")

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
        self.parameters_section = ParametersView()

        self.explain = parts.button("explain", "Explain", "Compute the map and the importance of each stain")
        self.cancel = parts.button("cancel", "Cancel", "Stop; layers and answer stay as they were")
        self.progress = QProgressBar()
        self.progress.setObjectName("progress")
        self.progress.setToolTip("Steps done")
        self.time = parts.text("time", "Time taken so far", quiet=True)
        self.time.setWordWrap(False)
        self.details = QPlainTextEdit()
        self.details.setObjectName("details")
        self.details.setReadOnly(True)
        self.details.setMaximumHeight(160)
        self.details.setToolTip("Technical details, to be copied into a report")
        self.details_section = Section("report", "Details for a report", self.details, "What to send to the developers")
        self.answer = AnswerView()
        self.picks, self.asking, self.keeping = (
            PickBar(self.controller),
            AskView(self.controller),
            KeepMenu(self.controller),
        )
        self._lay_out()

    def _lay_out(self) -> None:
        run = QHBoxLayout()
        run.setSpacing(6)
        run.addWidget(self.explain, 1)
        run.addWidget(self.progress, 1)
        run.addWidget(self.time)
        run.addWidget(self.cancel)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(7)
        for part in (
            parts.row(self.headline, self.stop),
            self.sample,
            self.again,
            self._choices(),
            self.mixed,
            self.notice,
            self.card_section,
            self.stains_section,
            self.check_section,
            parts.rule(),
            self._question(),
            self.per_stain,
            self.parameters_section,
            run,
            self.picks,
            self.details_section,
            self.answer,
            self.asking,
            self.keeping,
        ):
            layout.addWidget(part) if isinstance(part, QWidget) else layout.addLayout(part)
        layout.addStretch(1)
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(scrolled(inside, "explain_scroll"))
        self.setMinimumWidth(380)

    def _choices(self) -> QFormLayout:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(5)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Well", parts.row(self.well, self.open_well))
        form.addRow("Classifier", parts.row(self.classifier, self.open_classifier, self.unload))
        return form

    def _question(self) -> QGridLayout:
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

    def _connect(self) -> None:
        c = self.controller
        self.sample.clicked.connect(c.try_sample)
        self.stop.clicked.connect(c.stop_waiting)
        self.open_well.clicked.connect(self._ask_well)
        self.open_classifier.clicked.connect(self._ask_classifier)
        self.unload.clicked.connect(c.unload)
        self.well.activated.connect(lambda index: c.choose_well(c.state.wells[index]))
        self.card.given.connect(c.use_card)
        self.stains.mapped.connect(c.map_stain)
        self.check.cells.activated.connect(lambda _index: c.choose_cells(self._cell_layer()))
        self.check.accept.toggled.connect(lambda on: c.set(accept_flaws=on))
        self.check.again.clicked.connect(c.check)
        self.target.activated.connect(lambda _index: c.set(target=self.target.currentData(), against=None))
        self.against.activated.connect(lambda _index: c.set(against=self.against.currentData()))
        self.method.chosen.connect(lambda name: c.set(method=name))
        self.parameters_section.edited.connect(c.set_parameters)
        self.score.activated.connect(lambda _index: c.set(score=self.score.currentData()))
        self.device.activated.connect(lambda _index: c.choose_device(self.device.currentData()))
        self.device.opening.connect(c.refresh_devices)
        self.per_stain.toggled.connect(lambda on: c.set(per_stain=on))
        self.explain.clicked.connect(lambda: c.explain())
        self.cancel.clicked.connect(c.cancel)

    # --------------------------------------------------------------------------------------------------- actions

    def _ask_well(self) -> None:
        self._open(
            files.ask(self, "Open a well", self.controller.state.folder, "Images", files.WELLS),
            self.controller.open_well,
        )

    def _ask_classifier(self) -> None:
        kind = "TorchScript or .pt2"
        path = files.ask(self, "Open a classifier", self.controller.state.folder, kind, files.CLASSIFIERS)
        self._open(path, self.controller.open_classifier)

    def _open(self, path: Path | None, opens) -> None:
        if path is not None:
            self.controller.state.folder = str(path.parent)
            opens(path)

    def dragEnterEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Take one classifier, or one well."""
        if files.dropped(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Open what is dropped."""
        path = files.dropped(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self._open(
                path, self.controller.open_classifier if files.is_classifier(path) else self.controller.open_well
            )

    def _cell_layer(self):
        name = self.check.cells.currentData()
        return next((layer for layer in self.controller.cell_layers() if layer.name == name), None)

    # ---------------------------------------------------------------------------------------------------- render

    def render_state(self) -> None:
        """Show the controller's state; changes only what is not so already."""
        state, now = self.controller.state, self.controller.status
        sign = {"wrong": "✗ ", "warn": "! "}.get(now.level, "")
        parts.say(self.headline, sign + now.headline if now.headline else "", now.level)
        self.stop.setVisible(state.loading or state.checking)
        self.sample.setVisible(now.sample)
        under_way = state.loading or state.checking or state.explaining
        if under_way != self._clock.isActive():
            self._clock.start() if under_way else self._clock.stop()

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

        self._render_card()
        both = state.classifier is not None and state.well is not None and not state.well.problem
        self.stains_section.setVisible(both)
        self.check_section.setVisible(both and now.stains.level != "wrong")
        if both:
            self.stains.show_map(state.well.stains, state.stain_map)
            self.stains_section.show_standing(now.stains)
            # The findings, or the headline, say what is wrong already.
            standing = Standing(now.check.level, now.check.summary) if state.checked else now.check
            self.check_section.show_standing(standing)
            cells = [layer.name for layer in self.controller.cell_layers()]
            self.check.render_state(state, standing, cells, self.controller.stain_colors())
        else:
            self.stains_section.show_standing(Standing("ok"))
            self.check_section.show_standing(Standing("ok"))

        self._render_question()
        self._render_run(now)
        self.answer.render_answer(state.answer)
        for part in (self.again, self.picks, self.asking, self.keeping):
            part.render_state()

    def _render_card(self) -> None:
        state = self.controller.state
        self.card_section.setVisible(state.needs_card)
        if not state.needs_card:
            self.card_section.show_standing(Standing("ok"))
            return
        asked_for = (state.path, state.known, state.replaces)
        if asked_for != self._asked_for:
            self._asked_for = asked_for
            self.card.begin(state.known, state.replaces)
        self.card.suggest(state.well.stains if state.well and state.well.named else ())
        self.card_section.show_standing(Standing("wrong", "incomplete" if state.known else "missing"))

    def _render_question(self) -> None:
        state = self.controller.state
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
        self.parameters_section.render_state(state, self.controller.status.method)

    def _render_run(self, now: Status) -> None:
        state = self.controller.state
        busy = state.explaining and not state.brief
        self.explain.setVisible(not busy)
        self.explain.setEnabled(now.ready)
        for widget in (self.progress, self.cancel, self.time):
            widget.setVisible(busy)
        if busy:
            done, total = state.progress
            # A bar draws itself at once, and the whole window with it, unless it is told to wait its turn.
            self.progress.setUpdatesEnabled(False)
            self.progress.setRange(0, total)
            self.progress.setValue(done)
            self.progress.setUpdatesEnabled(True)
            self.time.setText(f"{state.waited:.0f} s")
        failures = (state.run_error, state.check_error, state.classifier_error)
        details = next((failure.details for failure in failures if failure and failure.details), "")
        self.details_section.setVisible(bool(details))
        if self.details.toPlainText() != details:
            self.details.setPlainText(details)
