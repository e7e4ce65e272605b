"""How much of the map is enough: a slider, what the classifier says of the top alone, and the curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSlider, QVBoxLayout, QWidget

from napari_attribution.desktop.asking import words
from napari_attribution.desktop.asking.sufficing import Sufficing
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.figures import duration

if TYPE_CHECKING:
    from napari_attribution.desktop.asking.plot import Plot

IDLE = 120
"""Milliseconds that the slider rests before the classifier is asked."""

TIP = (
    "How much of the map to keep, its most important places first. The rest of the picture is veiled, and the classifier is asked "
    "about what is left"
)


BY_STAIN = "This map is by stain: a place is clear where at least one of its stains is kept."


class EnoughView(QWidget):
    """The section's body."""

    def __init__(self, sufficing: Sufficing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("enough_view")
        self.sufficing = sufficing
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("top_share")
        self.slider.setToolTip(TIP)
        self.slider.setRange(1, 100)
        self.slider.setValue(sufficing.percent)
        self.percent = QLabel()
        self.percent.setObjectName("top_percent")
        self.percent.setToolTip(TIP)
        self.percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.percent.setMinimumWidth(self.percent.fontMetrics().horizontalAdvance("100 %") + 4)
        self.caption = QLabel("Show top")
        self.caption.setToolTip(TIP)
        self.said = parts.text("enough", "What the classifier says of the top of the map alone")
        self.said.setMinimumHeight(2 * self.said.fontMetrics().lineSpacing() + 2)
        self.said.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.note = parts.text("enough_note", TIP, quiet=True)
        self.problem = parts.text("enough_problem", "Why there is nothing more to say")
        self.draw = parts.button("draw_curve", "Draw the curve", "Ask for 20 shares of the map, kept and removed")
        self.progress = QProgressBar()
        self.progress.setObjectName("curve_progress")
        self.progress.setToolTip("Forwards done for the curve")
        self.progress.setMaximumHeight(8)
        self.progress.setTextVisible(False)
        self.plot: Plot | None = None
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(IDLE)
        self._idle.timeout.connect(sufficing.ask)
        self.slider.valueChanged.connect(self._moved)
        self.slider.sliderReleased.connect(self._released)
        self.draw.clicked.connect(sufficing.draw)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.caption)
        top.addWidget(self.slider, 1)
        top.addWidget(self.percent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(5)
        self._layout.addLayout(top)
        for widget in (self.said, self.note, self.problem, self.draw, self.progress):
            self._layout.addWidget(widget)

    def _moved(self, percent: int) -> None:
        self.sufficing.move(percent)
        self._idle.start()

    def _released(self) -> None:
        if self._idle.isActive():
            self._idle.stop()
            self.sufficing.ask()

    def render_state(self) -> None:
        """Show what is known."""
        known, state = self.sufficing, self.sufficing.controller.state
        self.percent.setText(f"{known.percent} %")
        self.slider.setEnabled(known.ready)
        why = known.error or known.why_not
        parts.say(self.problem, why, "warn" if known.error else "quiet")
        self.said.setVisible(bool(known.ready or not why))
        if known.ready or not why:
            self.said.setText(self._sentence())
        by_stain = state.answer is not None and state.answer.values.ndim == 3
        parts.say(self.note, BY_STAIN if by_stain and known.ready else "")
        forwards, seconds = known.cost if known.curves is None and not why else (0.0, 0.0)
        self.draw.setVisible(known.ready and not why and known.curves is None and not known.drawing)
        self.draw.setText(f"Draw the curve ({forwards:.0f} forwards, about {duration(seconds)})")
        self.progress.setVisible(known.drawing and not why)
        if known.drawing:
            done, total = known.progress
            self.progress.setRange(0, total)
            self.progress.setValue(done)
        self._render_plot(state.answer.score_name if state.answer is not None else "")

    def _sentence(self) -> str:
        known, answer = self.sufficing, self.sufficing.controller.state.answer
        of_stains = answer is not None and answer.values.ndim == 3
        where = f" of {answer.place.name}" if answer is not None and answer.place is not None else ""
        if known.found is not None:
            return words.kept(known.found, of_stains, where)
        start = words.top(known.percent, of_stains, 1, where)
        if known.roughly is None or known.curves is None:
            return f"{start}: asking …" if not known.why_not else start
        from napari_attribution.faithfulness.enough import share_of

        share = share_of(known.roughly, known.curves.whole, known.curves.filled)
        about = (
            f"keeps about {words.share(share)} of the score"
            if share is not None
            else (f"has a score of about {words.number(known.roughly)}")
        )
        return f"{start} {about} …" if not known.why_not else f"{start} {about}, by the curve."

    def _render_plot(self, unit: str) -> None:
        curves = self.sufficing.curves
        if curves is not None and self.plot is None:
            from napari_attribution.desktop.asking.plot import Plot

            self.plot = Plot()
            self._layout.addWidget(self.plot)
        if self.plot is None:
            return
        self.plot.setVisible(curves is not None)
        if curves is not None:
            self.plot.show_theme(self.sufficing.viewer.theme)
            self.plot.show_curves(curves, unit)
            self.plot.mark(self.sufficing.percent)
