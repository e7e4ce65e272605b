"""The dock "Explain well": widgets only; what they do is the controller's."""

import napari.viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_attribution.desktop.asking.view import AskView
from napari_attribution.desktop.explain import files
from napari_attribution.desktop.explain.status import Section as Standing
from napari_attribution.desktop.explain.status import Status
from napari_attribution.desktop.explain.views.answer_view import AnswerView
from napari_attribution.desktop.explain.views.card_form import CardForm
from napari_attribution.desktop.explain.views.check_view import CheckView
from napari_attribution.desktop.explain.views.question_view import QuestionView
from napari_attribution.desktop.explain.views.report_view import ReportView
from napari_attribution.desktop.explain.views.run_view import RunView
from napari_attribution.desktop.explain.views.stain_table import StainTable
from napari_attribution.desktop.explain.views.subject_view import SubjectView
from napari_attribution.desktop.keeping.again import AgainOffer
from napari_attribution.desktop.keeping.menu import KeepMenu
from napari_attribution.desktop.picks.bar import PickBar
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.dock import Dock, scrolled
from napari_attribution.desktop.widgets.form import Form
from napari_attribution.desktop.widgets.section import Section

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
        return self.question.parameters.form

    # ----------------------------------------------------------------------------------------------------- build

    def _build(self) -> None:
        c = self.controller
        self.headline = parts.text("headline", "What is missing, and how to supply it")
        self.stop = parts.button("cancel_loading", "Cancel", "Stop; the dock is then as it was")
        self.sample = parts.button("try_sample", "Try the sample", "Open a sample well and a classifier for it")
        self.again = AgainOffer(c)
        self.subject = SubjectView(c)
        self.card = CardForm()
        self.card_section = Section("card", "Card", self.card, "What the classifier's file does not say of itself")
        self.stains = StainTable()
        self.stains_section = Section("stains", "Stains", self.stains, "Which of the well's stains the classifier gets")
        self.check = CheckView()
        self.check_section = Section("check", "Preflight", self.check, "Do this classifier and this well fit?")
        self.question = QuestionView(c)
        self.run = RunView(c)
        self.report = ReportView()
        self.answer = AnswerView()
        self.picks, self.asking, self.keeping = PickBar(c), AskView(c), KeepMenu(c)
        self._lay_out()

    def _lay_out(self) -> None:
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(7)
        for part in (
            parts.row(self.headline, self.stop),
            self.sample,
            self.again,
            self.subject,
            self.card_section,
            self.stains_section,
            self.check_section,
            parts.rule(),
            self.question,
            self.run,
            self.picks,
            self.report,
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

    def _connect(self) -> None:
        c = self.controller
        self.sample.clicked.connect(c.try_sample)
        self.stop.clicked.connect(c.stop_waiting)
        self.card.given.connect(c.use_card)
        self.stains.mapped.connect(c.map_stain)
        self.check.cells.activated.connect(lambda _index: c.choose_cells(self._cell_layer()))
        self.check.accept.toggled.connect(lambda on: c.set(accept_flaws=on))
        self.check.again.clicked.connect(c.check)

    # --------------------------------------------------------------------------------------------------- actions

    def dragEnterEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Take one classifier, or one well."""
        if files.dropped(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Open what is dropped."""
        path = files.dropped(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.subject.take(path)

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
        self.subject.render_state(state)
        self._render_card()
        self._render_fit(now)
        self.question.render_state(state, now)
        self.run.render_state(state, now.ready)
        self.report.render_state(state)
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

    def _render_fit(self, now: Status) -> None:
        """Whether well and classifier fit: their stains, and what a first look found."""
        state = self.controller.state
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
