"""The dock "Train channel importance": which stain carries a phenotype, learned from labelled wells."""

import napari.viewer
from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_attribution.desktop.jobs import qt_post
from napari_attribution.desktop.layers.bars import bar_hex
from napari_attribution.desktop.train import words
from napari_attribution.desktop.train.answer_view import AnswerView
from napari_attribution.desktop.train.ask_view import AskView
from napari_attribution.desktop.train.progress_view import ProgressView
from napari_attribution.desktop.train.training import Training
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.dock import WIDTH, Dock, open_dock, scrolled
from napari_attribution.desktop.widgets.placing import Settler

TICK = 1000
"""Milliseconds between two looks at the clock while it trains."""


class TrainChannelImportance(Dock):
    """Train a classifier that says which stain matters.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        napari hands it over; a `ViewerModel` will do in a test.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(viewer, "train_channel_importance", parent)
        self.training = Training(self.controller, qt_post(), self.render_state, self._opened)
        self.settler = Settler(self)
        self._was_running = False
        self._build()
        self._clock = QTimer(self)
        self._clock.setInterval(TICK)
        self._clock.timeout.connect(self.render_state)
        self.attend(self.render_state, self.training.close)
        self.render_state()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Tall enough for a form."""
        return QSize(WIDTH, 760)

    def _build(self) -> None:
        self.help = parts.text("train_help", "What this dock is for")
        self.sample = parts.button(
            "train_sample",
            "Open the sample plate",
            "Take the sample plate, its labels, and a recipe that takes about a minute",
        )
        self.ask = AskView(self.training)
        self.progress = ProgressView()
        self.answer = AnswerView(self.training)
        top = QHBoxLayout()
        top.addWidget(self.sample)
        top.addStretch(1)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(8)
        layout.addWidget(self.help)
        layout.addLayout(top)
        for part in (self.ask, self.answer, self.progress):
            layout.addWidget(part)
        layout.addStretch(1)
        self.scroll = scrolled(inside, "train_scroll")
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(self.scroll)
        self.setMinimumWidth(340)
        self.sample.clicked.connect(self.training.want_sample)

    def _opened(self) -> None:
        """What was trained is asked in the dock of questions."""
        open_dock(self.viewer, "Explain well", behind=self)

    def dress(self, _event: object = None) -> None:
        """Take the viewer's colours."""
        super().dress()
        self.render_state()

    def render_state(self) -> None:
        """Show how the training stands."""
        state = self.training.state
        parts.say(self.help, "" if state.wanted.plate else words.NOTHING_YET)
        self.sample.setVisible(not state.wanted.plate)
        if state.running != self._was_running:
            # While it runs, and once there is an answer, these are in sight, and not the form.
            self._was_running = state.running
            self.ask.asked.heading.setChecked(not state.running and state.answer is None)
            self._clock.start() if state.running else self._clock.stop()
        self.ask.render_state()
        colors, theme = self._colors(), self.viewer.theme
        self.answer.render_state(colors, theme)
        self.progress.render_state(state, colors, theme)

    def _colors(self) -> dict[str, str]:
        """A colour a stain, that of its layer where a well is open."""
        well = self.controller.state.well
        return bar_hex(self.training.state.stains, well.layers if well is not None else ())
