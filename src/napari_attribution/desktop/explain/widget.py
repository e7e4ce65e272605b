"""The dock "Explain well": widgets only; what they do is the controller's."""

import time
from pathlib import Path

import napari.viewer
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_attribution.desktop.explain import words
from napari_attribution.desktop.explain.card_form import CardForm
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.form import Form, shrinkable
from napari_attribution.desktop.explain.section import MARKS, Section, paint
from napari_attribution.desktop.explain.stain_table import StainTable
from napari_attribution.desktop.explain.status import Section as Standing
from napari_attribution.desktop.explain.style import style_sheet
from napari_attribution.desktop.jobs import qt_post
from napari_attribution.methods.catalogue import METHODS


class ExplainWell(QWidget):
    """Why does the classifier give this well this class?

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        napari hands it over; a `ViewerModel` will do in a test.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # napari hands plugins a proxy, which hides what layers are placed by.
        self.viewer = getattr(viewer, "__wrapped__", viewer)
        self.setObjectName("explain_well")
        self._folder = ""
        self._started = 0.0
        self._form_of: tuple[str, int] | None = None
        self._build()
        self.controller = Controller(self.viewer, qt_post())
        self.controller.changed = self.render_state
        self._connect()
        self._theme()
        self.viewer.events.theme.connect(self._theme)
        controller, viewer_events, theme = self.controller, self.viewer.events, self._theme
        self.destroyed.connect(lambda: (viewer_events.theme.disconnect(theme), controller.close()))
        self.render_state()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Wide enough for the names of wells and classes; the user may make it narrower."""
        return QSize(400, super().sizeHint().height())

    # ----------------------------------------------------------------------------------------------------- build

    def _build(self) -> None:
        self.headline = _text("headline", "What is missing, and how to supply it")
        self.sample = _button("try_sample", "Try the sample", "Open a sample well and a classifier for it")
        self.well = _combo("well", "The well to explain, among the layers that are open")
        self.open_well = _button("open_well", "Open …", "Open a well: an OME-TIFF, or one of its stains' files")
        self.classifier = QLineEdit()
        self.classifier.setObjectName("classifier")
        self.classifier.setReadOnly(True)
        self.classifier.setPlaceholderText("none chosen")
        self.classifier.setToolTip("The classifier's TorchScript file")
        self.open_classifier = _button("open_classifier", "Open …", "Choose a TorchScript classifier (.pt)")

        self.card = CardForm()
        self.card_section = Section("card", "Card", self.card, "What the classifier's file does not say of itself")
        self.saved = _text("card_saved", "Whether the card was saved")
        self.saved.setProperty("quiet", True)

        self.stains = StainTable()
        self.stains_section = Section("stains", "Stains", self.stains, "Which of the well's stains the classifier gets")

        self.cells = _combo("cells", "The layer that marks the single cells: points, or labels")
        self.cells_label = QLabel("cells")
        self.findings = _text("findings", "What a first look at the well with this classifier found")
        self.accept = QCheckBox("explain all the same")
        self.accept.setObjectName("accept_flaws")
        self.accept.setToolTip("Explain the well although something is wrong with it")
        check = QWidget()
        rows = QVBoxLayout(check)
        rows.setContentsMargins(0, 0, 0, 0)
        cells = QHBoxLayout()
        cells.addWidget(self.cells_label)
        cells.addWidget(self.cells, 1)
        rows.addLayout(cells)
        rows.addWidget(self.findings)
        rows.addWidget(self.accept)
        self.check_section = Section("check", "Preflight", check, "Do this classifier and this well fit?")

        self.target = _combo("target", "The class to explain")
        self.against = _combo("against", "Explain the preference over this class, instead of the class by itself")
        self.method = _combo("method", "How to explain")
        for method in METHODS.values():
            self.method.addItem(method.title, method.name)
            self.method.setItemData(self.method.count() - 1, method.summary, Qt.ItemDataRole.ToolTipRole)
        self.summary = _text("method_summary", "What the map shows")
        self.summary.setProperty("quiet", True)
        self.score = _combo("score", "What is explained: the class's logit, or its probability")
        self.score.addItem("logit", "logit")
        self.score.addItem("probability", "probability")
        self.device = _combo("device", "Where to compute; automatic takes a GPU where there is one")
        self.device.addItem("automatic", "auto")
        self.per_stain = QCheckBox("one map per stain")
        self.per_stain.setObjectName("per_stain")
        self.per_stain.setToolTip("Also show one map for each stain, where the method tells the stains apart")
        self._parameters = QWidget()
        self._parameters_layout = QVBoxLayout(self._parameters)
        self._parameters_layout.setContentsMargins(0, 0, 0, 0)
        self.reset = _button("reset_parameters", "Defaults", "Set the parameters back to their defaults")
        self._parameters_layout.addWidget(self.reset, 0, Qt.AlignmentFlag.AlignRight)
        self.form: Form | None = None
        self.parameters_section = Section(
            "parameters", "Parameters", self._parameters, "The method's own settings; the defaults suit most wells"
        )

        self.explain = _button("explain", "Explain", "Compute the map and the importance of each stain")
        self.cancel = _button("cancel", "Cancel", "Stop; layers and answer stay as they were")
        self.progress = QProgressBar()
        self.progress.setObjectName("progress")
        self.progress.setToolTip("Steps done")
        self.time = _text("time", "Time taken so far")
        self.time.setProperty("quiet", True)
        self.time.setWordWrap(False)

        self.answer_headline = _text("answer_headline", "Which stain decides")
        self.answer = _text("answer", "What the classifier says")
        self.warnings = _text("warnings", "What the reader of the map should know")
        self.footnote = _text("footnote", "The score explained, and what it took")
        self.footnote.setProperty("quiet", True)
        self.details = QPlainTextEdit()
        self.details.setObjectName("details")
        self.details.setReadOnly(True)
        self.details.setMaximumHeight(160)
        self.details.setToolTip("Technical details, to be copied into a report")
        self.details_section = Section("report", "Details for a report", self.details, "What to send to the developers")

        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(5)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Well", _row(self.well, self.open_well))
        form.addRow("Classifier", _row(self.classifier, self.open_classifier))

        ask = QGridLayout()
        ask.setContentsMargins(0, 0, 0, 0)
        ask.setHorizontalSpacing(8)
        ask.setVerticalSpacing(5)
        ask.setColumnStretch(1, 1)
        for row, (title, field) in enumerate(
            (
                ("Why", self.target),
                ("rather than", self.against),
                ("Method", self.method),
                ("", self.summary),
                ("Score", self.score),
                ("Device", self.device),
            )
        ):
            label = QLabel(title)
            label.setToolTip(field.toolTip())
            ask.addWidget(label, row, 0, Qt.AlignmentFlag.AlignVCenter)
            ask.addWidget(field, row, 1)

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
            self.headline,
            self.sample,
            form,
            self.card_section,
            self.saved,
            self.stains_section,
            self.check_section,
            _rule(),
            ask,
            self.per_stain,
            self.parameters_section,
            run,
            self.details_section,
            self.answer_headline,
            self.answer,
            self.warnings,
            self.footnote,
        ):
            layout.addLayout(part) if isinstance(part, QHBoxLayout | QFormLayout | QGridLayout) else layout.addWidget(
                part
            )
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setObjectName("explain_scroll")
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(scroll)
        self.setMinimumWidth(320)

    def _connect(self) -> None:
        c = self.controller
        self.sample.clicked.connect(c.try_sample)
        self.open_well.clicked.connect(self._ask_well)
        self.open_classifier.clicked.connect(self._ask_classifier)
        self.well.activated.connect(lambda index: c.choose_well(c.state.wells[index]))
        self.card.given.connect(c.use_card)
        self.stains.mapped.connect(c.map_stain)
        self.cells.activated.connect(lambda _index: c.choose_cells(self._cell_layer()))
        self.accept.toggled.connect(lambda on: c.set(accept_flaws=on))
        self.target.activated.connect(lambda _index: c.set(target=self.target.currentData(), against=None))
        self.against.activated.connect(lambda _index: c.set(against=self.against.currentData()))
        self.method.activated.connect(lambda _index: c.set(method=self.method.currentData()))
        self.score.activated.connect(lambda _index: c.set(score=self.score.currentData()))
        self.device.activated.connect(lambda _index: c.choose_device(self.device.currentData()))
        self.per_stain.toggled.connect(lambda on: c.set(per_stain=on))
        self.reset.clicked.connect(lambda: self.form.reset())
        self.explain.clicked.connect(self._explain)
        self.cancel.clicked.connect(c.cancel)

    # --------------------------------------------------------------------------------------------------- actions

    def _ask_well(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a well", self._folder, "Images (*.tif *.tiff *.TIF *.TIFF);;All files (*)"
        )
        if path:
            self._folder = str(Path(path).parent)
            self.controller.open_well(Path(path))

    def _ask_classifier(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a classifier", self._folder, "TorchScript (*.pt *.pth *.ts *.torchscript);;All files (*)"
        )
        if path:
            self._folder = str(Path(path).parent)
            self.controller.open_classifier(Path(path))

    def _explain(self) -> None:
        self._started = time.monotonic()
        if self.form is not None:
            self.controller.set_parameters(self.form.values())
        self.controller.explain()

    def _cell_layer(self):
        name = self.cells.currentData()
        return next((layer for layer in self.controller.cell_layers() if layer.name == name), None)

    def _theme(self, _event: object = None) -> None:
        self.setStyleSheet(style_sheet(self.viewer.theme))

    # ---------------------------------------------------------------------------------------------------- render

    def render_state(self) -> None:
        """Show the controller's state; changes only what is not so already."""
        state, now = self.controller.state, self.controller.status
        sign = {"wrong": "✗ ", "warn": "! "}.get(now.level, "")
        _say(self.headline, sign + now.headline if now.headline else "", now.level)
        self.sample.setVisible(now.sample)

        wells = [(_bounded(w.name), index) for index, w in enumerate(state.wells)]
        chosen = next((i for i, w in enumerate(state.wells) if w is state.well), None)
        _fill(self.well, wells or [("none open", None)], chosen)
        self.well.setEnabled(bool(wells))
        if state.well is not None:
            self.well.setToolTip(f"{state.well.name}: {', '.join(state.well.stains)}")
        name = state.path.name if state.path else ""
        if self.classifier.text() != name:
            self.classifier.setText(name)
            self.classifier.setToolTip(str(state.path) if state.path else "The classifier's TorchScript file")

        self.card_section.setVisible(state.needs_card)
        if state.needs_card:
            self.card.suggest(state.well.stains if state.well and state.well.named else ())
            self.card_section.show_standing(Standing("wrong", "missing", ""))
        else:
            self.card_section.show_standing(Standing("ok"))
        _say(self.saved, state.saved_card)

        both = state.classifier is not None and state.well is not None and not state.well.problem
        self.stains_section.setVisible(both)
        self.check_section.setVisible(both and now.stains.level != "wrong")
        if both:
            self.stains.show_map(state.well.stains, state.stain_map)
            self.stains_section.show_standing(now.stains)
            self._render_check(now.check)
        else:
            self.stains_section.show_standing(Standing("ok"))
            self.check_section.show_standing(Standing("ok"))

        self._render_question()
        self._render_run(now)
        self._render_answer()

    def _render_check(self, standing: Standing) -> None:
        state = self.controller.state
        # The findings, or the headline, say what is wrong already.
        self.check_section.show_standing(standing if not state.checked else Standing(standing.level, standing.summary))
        marks = {True: "ok", None: "warn", False: "wrong"}
        lines = [
            f"{MARKS[marks[finding.ok]]} {finding.title}: {finding.sentence}"
            for finding in (state.checked.findings if state.checked else ())
        ]
        _say(self.findings, "\n".join(lines))
        wrong = state.checked is not None and any(finding.ok is False for finding in state.checked.findings)
        self.accept.setVisible(wrong and state.checked.predicted is not None)
        if self.accept.isChecked() != state.accept_flaws:
            self.accept.setChecked(state.accept_flaws)
        single = state.classifier.card.mode == "cells"
        self.cells.setVisible(single)
        self.cells_label.setVisible(single)
        if single:
            layers = [("choose ...", None), *((layer.name, layer.name) for layer in self.controller.cell_layers())]
            _fill(self.cells, layers, state.cells.name if state.cells else None)

    def _render_question(self) -> None:
        state = self.controller.state
        classes = state.classifier.classes if state.classifier else ()
        predicted = state.checked.predicted if state.checked else None
        first = f"{predicted} (predicted)" if predicted else "the predicted class"
        _fill(self.target, [(first, None), *((name, name) for name in classes)], state.target)
        asked = state.target or predicted
        others = [(name, name) for name in classes if name != asked]
        _fill(self.against, [("anything else", None), *others], state.against)
        _fill(self.score, [("logit", "logit"), ("probability", "probability")], state.score)
        self.score.setEnabled(state.against is None)
        devices = [("automatic", "auto"), *((f"{d.name}  {d.title}", d.name) for d in state.devices)]
        _fill(self.device, devices, state.device)
        _fill(self.method, [(m.title, m.name) for m in METHODS.values()], state.method)
        _say(self.summary, METHODS[state.method].summary)
        for field in (self.target, self.against):
            field.setEnabled(bool(classes))
        self._render_form()
        standing = self.controller.status.method
        self.parameters_section.show_standing(standing if standing.level == "wrong" else Standing("ok"))
        self.parameters_section.mark.setText(MARKS[standing.level] if standing.level == "wrong" else "")

    def _render_form(self) -> None:
        """Draw the parameters anew where the method, or the network whose layers they name, is another."""
        state = self.controller.state
        wanted = (state.method, id(state.classifier))
        if wanted == self._form_of:
            return
        if self.form is not None and self._form_of is not None:
            state.parameters[self._form_of[0]] = self.form.values()
            self.form.hide()
            self.form.deleteLater()
        choices = {}
        if state.classifier is not None:
            default = state.classifier.default_layer
            choices["layer"] = [
                (f"automatic ({default})" if default else "automatic", None),
                *((_layer_title(layer), layer.name) for layer in state.classifier.layers),
            ]
        self.form = Form(METHODS[state.method].parameters, choices)
        self.form.set_values(state.parameters.get(state.method, {}))
        self._parameters_layout.insertWidget(0, self.form)
        self._form_of = wanted

    def _render_run(self, now) -> None:
        state = self.controller.state
        self.explain.setVisible(not state.explaining)
        self.explain.setEnabled(now.ready)
        for widget in (self.progress, self.cancel, self.time):
            widget.setVisible(state.explaining)
        if state.explaining:
            done, total = state.progress
            self.progress.setRange(0, total)
            self.progress.setValue(done)
            self.time.setText(f"{time.monotonic() - self._started:.0f} s")
        failures = (state.run_error, state.check_error, state.classifier_error)
        details = next((failure.details for failure in failures if failure and failure.details), "")
        self.details_section.setVisible(bool(details))
        if self.details.toPlainText() != details:
            self.details.setPlainText(details)

    def _render_answer(self) -> None:
        answer = self.controller.state.answer
        if answer is None:
            for label in (self.answer_headline, self.answer, self.warnings, self.footnote):
                _say(label, "")
            return
        _say(self.answer_headline, words.headline(answer))
        _say(self.answer, words.details(answer))
        _say(self.warnings, "\n".join(f"! {warning}" for warning in answer.warnings), "warn")
        _say(self.footnote, words.footnote(answer))


def _text(name: str, tip: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setToolTip(tip)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return label


def _button(name: str, title: str, tip: str) -> QPushButton:
    button = QPushButton(title)
    button.setObjectName(name)
    button.setToolTip(tip)
    return button


def _combo(name: str, tip: str) -> QComboBox:
    combo = shrinkable(QComboBox())
    combo.setObjectName(name)
    combo.setToolTip(tip)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    for index, widget in enumerate(widgets):
        row.addWidget(widget, 1 if index == 0 else 0)
    return row


def _rule() -> QFrame:
    rule = QFrame()
    rule.setObjectName("rule")
    return rule


def _say(label: QLabel, text: str, level: str | None = None) -> None:
    """Show a text; nothing takes no room."""
    if label.text() != text:
        label.setText(text)
    label.setVisible(bool(text))
    if level is not None:
        paint(label, level)


def _fill(combo: QComboBox, entries: list[tuple[str, object]], value: object) -> None:
    """Offer these entries and choose one, without telling anyone."""
    blocked = combo.blockSignals(True)
    if [(combo.itemText(i), combo.itemData(i)) for i in range(combo.count())] != entries:
        combo.clear()
        for title, data in entries:
            combo.addItem(title, data)
    index = next((i for i, (_, data) in enumerate(entries) if data == value), 0)
    if combo.currentIndex() != index:
        combo.setCurrentIndex(index)
    combo.blockSignals(blocked)


def _bounded(name: str, length: int = 60) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def _layer_title(layer) -> str:
    size = " x ".join(str(side) for side in layer.shape[-2:]) if layer.shape else ""
    return f"{layer.name}  ({size})" if size else layer.name
