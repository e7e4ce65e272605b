"""A training under way: the stains' bars as they move, and the losses."""

from __future__ import annotations

import time

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_attribution.desktop.channels.chart import Chart
from napari_attribution.desktop.train import words
from napari_attribution.desktop.train.loss_view import LossView
from napari_attribution.desktop.train.state import TrainState
from napari_attribution.desktop.widgets import parts

BARS_TIP = "The stains' mixing weights so far, as shares; all begin alike"


class ProgressView(QWidget):
    """What is told of a training."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("progress_view")
        self.told = parts.text("train_told", "How far the training is")
        self.bars = Chart("live_bars", BARS_TIP, clickable=False)
        self.losses = LossView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for part in (self.told, self.bars, self.losses):
            layout.addWidget(part)

    def render_state(self, state: TrainState, colors: dict[str, str], theme: str) -> None:
        """Show how far it is; once there is an answer, the losses alone."""
        recipe = state.wanted.recipe
        seeds, first = recipe.get("seeds", words.SEEDS), recipe.get("first_seed", 0)
        course = state.course
        parts.say(self.told, words.told(course, time.monotonic(), seeds, first) if state.running else state.said)
        rows = words.live_rows(state.stains, course) if state.answer is None else ()
        self.bars.setVisible(bool(rows))
        if rows:
            self.bars.show_rows(rows, colors, "", theme)
        self.losses.show_curves(course.of_seed(), colors, theme)
