"""The dock "Side by side": two answers in linked views."""

import napari.viewer
from napari.utils.theme import get_theme
from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_attribution.desktop.compare.choice import Choice
from napari_attribution.desktop.compare.comparing import Comparing
from napari_attribution.desktop.compare.limits import Limits
from napari_attribution.desktop.compare.panes import Panes
from napari_attribution.desktop.compare.scale import Scales
from napari_attribution.desktop.compare.table import Table
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.dock import WIDTH, Dock, scrolled
from napari_attribution.desktop.widgets.placing import Settler, enlarge
from napari_attribution.desktop.widgets.section import Section

TICK = 500
"""Milliseconds between two looks at the clock while something is under way."""

HELP = (
    "Look at two answers next to each other: two methods, two classifiers (which one to take?), or two wells (treated and "
    "control). Side A is what the dock Explain well asks; side B is the same, with one thing changed."
)
WIDE = 820
"""From this width on, in pixels, the form and the table stand beside the views instead of above and below."""


class SideBySide(Dock):
    """The dock "Side by side": two answers in linked views.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        napari hands it over; a `ViewerModel` will do in a test.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(viewer, "side_by_side", parent)
        self.comparing = Comparing(self.controller, self.render_state)
        self._shown: tuple[object, Limits] | None = None
        self._closed = False
        self._wide: bool | None = None
        self._clock = QTimer(self)
        self._clock.setInterval(TICK)
        self._clock.timeout.connect(self.comparing.tick)
        self.settler = Settler(self)
        self._build()
        self._lay_out()
        self._connect()
        self._leave = self.attend(self._settle, self.comparing.close)
        self._settle()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Tall enough for two views."""
        return QSize(WIDTH, 700)

    # ----------------------------------------------------------------------------------------------------- build

    def _build(self) -> None:
        self.help = parts.text("side_by_side_help", "What this dock is for", quiet=True)
        self.headline = parts.text("headline", "What is missing, and how to supply it")
        self.sample = parts.button("try_sample", "Try the sample", "Open a sample well and a classifier for it")
        self.choice = Choice(self.comparing)
        self.compare = parts.button("compare", "Compare", "Compute both sides and show them in linked views")
        self.cancel = parts.button("cancel_compare", "Cancel", "Stop; the last comparison stays")
        self.progress = QProgressBar()
        self.progress.setObjectName("compare_progress")
        self.progress.setToolTip("Steps done, of both sides")
        self.time = parts.text("compare_time", "Time taken so far", quiet=True)
        self.time.setWordWrap(False)
        self.details = QPlainTextEdit()
        self.details.setObjectName("compare_details")
        self.details.setReadOnly(True)
        self.details.setMaximumHeight(160)
        self.details.setToolTip("Technical details, to be copied into a report")
        self.report = Section("compare_report", "Details for a report", self.details, "What to send to the developers")
        self.panes = Panes()
        self.scales = Scales()
        self.maps = QCheckBox("maps")
        self.maps.setObjectName("show_maps")
        self.maps.setToolTip("Show the maps; without them, what lies under them")
        self.maps.setChecked(True)
        self.same = QCheckBox("same scale")
        self.same.setObjectName("same_scale")
        self.same.setToolTip(
            "One colour scale for both views, where their maps have one unit; without it, one for each"
        )
        self.keep = QCheckBox("keep it")
        self.keep.setObjectName("keep_limits")
        self.keep.setToolTip(
            "Use the same colour scale for the comparisons to come, as long as their maps have this unit"
        )
        self.fit = parts.button("fit_views", "Fit", "Show all of the well again, in both views")
        self.large = parts.button("large", "Large", "Show this dock as a window of its own, or put it back")
        self.table = Table()

    def _lay_out(self) -> None:
        run = QHBoxLayout()
        run.setSpacing(6)
        run.addWidget(self.compare, 1)
        run.addWidget(self.progress, 1)
        run.addWidget(self.time)
        run.addWidget(self.cancel)
        tools = QHBoxLayout()
        tools.setSpacing(12)
        tools.addWidget(self.maps)
        tools.addWidget(self.same)
        tools.addWidget(self.keep, 1)
        tools.addWidget(self.fit)
        tools.addWidget(self.large)
        self.asks = _column(self.help, self.headline, self.sample, self.choice, run, self.report)
        self.views = _column(self.panes, self.scales, tools)
        self.views.layout().setStretch(0, 1)
        inside = QWidget()
        self._inside = QVBoxLayout(inside)
        self._inside.setContentsMargins(8, 6, 8, 6)
        self._inside.setSpacing(9)
        for part in (self.asks, self.table):
            self._inside.addWidget(part)
        self._inside.addStretch(1)
        self.scroll = scrolled(inside, "side_by_side_scroll")
        self._outside = QHBoxLayout(self)
        self._outside.setContentsMargins(0, 0, 0, 0)
        self._outside.addWidget(self.scroll, 1)
        self.setMinimumWidth(380)
        self._arrange(wide=False)

    def _arrange(self, wide: bool) -> None:
        """The views between form and table, or beside them where there is room."""
        if wide == self._wide:
            return
        self._wide = wide
        if wide:
            self._outside.addWidget(self.views, 1)
            self._outside.setContentsMargins(0, 0, 8, 6)
        else:
            self._inside.insertWidget(1, self.views, 10)
            self._outside.setContentsMargins(0, 0, 0, 0)
        self.scroll.setMinimumWidth(430 if wide else 0)
        self.scroll.setMaximumWidth(430 if wide else 16777215)

    def _connect(self) -> None:
        self.sample.clicked.connect(self.controller.try_sample)
        self.compare.clicked.connect(self.comparing.run)
        self.cancel.clicked.connect(self.comparing.cancel)
        self.same.toggled.connect(self.comparing.share_limits)
        self.keep.toggled.connect(self.comparing.keep_limits)
        self.maps.toggled.connect(self.panes.show_maps)
        self.fit.clicked.connect(self.panes.views.fit)
        self.large.clicked.connect(lambda: enlarge(self))

    # --------------------------------------------------------------------------------------------------- actions

    def _settle(self) -> None:
        self.comparing.settle()
        self.render_state()

    def dress(self, _event: object = None) -> None:
        """Take the viewer's colours."""
        super().dress()
        self._canvas_color = get_theme(self.viewer.theme).canvas.as_rgb_tuple()[:3]
        self.panes.set_background(self._canvas_color)

    # ---------------------------------------------------------------------------------------------------- render

    def render_state(self) -> None:
        """Show what is chosen, what is under way, and the last comparison."""
        if self._closed:
            return
        state = self.comparing.state
        obstacle = self.comparing.obstacle()
        self.sample.setVisible(self.controller.status.sample)
        parts.say(self.help, "" if state.comparison else HELP)
        failure = None if state.running else state.failure
        if failure is not None:
            parts.say(self.headline, f"✗ {failure.sentence}", "wrong")
        else:
            parts.say(self.headline, obstacle, self.comparing.level())
        details = failure.details if failure is not None else ""
        self.report.setVisible(bool(details))
        if self.details.toPlainText() != details:
            self.details.setPlainText(details)
        self.choice.render_state()
        self.compare.setVisible(not state.running)
        self.compare.setEnabled(not obstacle)
        for widget in (self.progress, self.time, self.cancel):
            widget.setVisible(state.running)
        if state.running != self._clock.isActive():
            self._clock.start() if state.running else self._clock.stop()
        done, total = state.progress
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.time.setText(f"{state.waited:.0f} s")
        self._render_comparison()

    def _render_comparison(self) -> None:
        state = self.comparing.state
        comparison, limits = state.comparison, state.limits
        self.views.setVisible(comparison is not None)
        self.table.setVisible(comparison is not None)
        if comparison is None or limits is None:
            return
        before, self._shown = self._shown, (comparison, limits)
        if before is None or before[0] is not comparison:
            self.panes.show_comparison(comparison, limits)
        elif before[1].each != limits.each:
            self.panes.show_limits(limits)
        _check(self.same, limits.shared, limits.comparable)
        _check(self.keep, state.kept is not None, limits.shared or state.kept is not None)
        self.scales.show_limits(limits, self._canvas_color)
        self.table.show_comparison(comparison, state.gone)

    # ----------------------------------------------------------------------------------------------- come and go

    def resizeEvent(self, event):  # noqa: N802 - Qt's name
        """Use the room there is."""
        super().resizeEvent(event)
        self._arrange(wide=self.width() >= WIDE)

    def shut(self) -> None:
        """Stop the work, let go of what was compared, leave the controller."""
        self._closed = True
        self._shown = None
        self._leave()


def _check(box: QCheckBox, on: bool, enabled: bool) -> None:
    """Show a choice, without telling anyone."""
    blocked = box.blockSignals(True)
    box.setChecked(on)
    box.blockSignals(blocked)
    box.setEnabled(enabled)


def _column(*rows) -> QWidget:
    """One below the other."""
    made = QWidget()
    layout = QVBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    for part in rows:
        layout.addWidget(part) if isinstance(part, QWidget) else layout.addLayout(part)
    return made
