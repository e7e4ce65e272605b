"""The dock "Channel importance": which stain decides."""

from contextlib import suppress
from weakref import WeakSet

import napari.viewer
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_attribution.desktop.channels import rows
from napari_attribution.desktop.channels.chart import Chart
from napari_attribution.desktop.channels.estimates import Estimates
from napari_attribution.desktop.channels.estimator_view import EstimatorView
from napari_attribution.desktop.channels.help_view import HelpView
from napari_attribution.desktop.channels.shown import Shown
from napari_attribution.desktop.channels.subject import Subject
from napari_attribution.desktop.explain import words
from napari_attribution.desktop.layers.bars import hide_bars, renew_bars, show_bars_again
from napari_attribution.desktop.layers.known import find
from napari_attribution.desktop.layers.solo import Solo
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.dock import Dock, scrolled
from napari_attribution.desktop.widgets.style import style_sheet
from napari_attribution.methods.attribution import Attribution

CHOOSE = "Choose below how to compute it."


class ChannelImportance(Dock):
    """Which stain decides?

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        napari hands it over; a `ViewerModel` will do in a test.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(viewer, "channel_importance", parent)
        self.estimates = Estimates(self.controller, self.render_state)
        self.subject = Subject(self.controller)
        self.shown = Shown(self.controller, self.estimates, self.subject)
        self.solo = Solo(self.viewer)
        self._on_layer = ("", "")
        self._has_bars = False
        self._watched: WeakSet[Layer] = WeakSet()
        self._build()
        self._connect()

    # ----------------------------------------------------------------------------------------------------- build

    def _build(self) -> None:
        self.help = HelpView(self.viewer, self.controller)
        self.headline = parts.text("channels_headline", "Which stain decides")
        self.about = parts.text("channels_about", "What was asked, and of which well")
        self.chart = Chart()
        self.meaning = parts.text("channels_meaning", "What the bars mean", quiet=True)
        self.told = parts.text("channels_told", "The stain under the mouse", quiet=True)
        self.told.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.show_all = parts.button("show_all", "Show all", "Show the layers again that were to be seen before")
        self.as_layer = QCheckBox("as layer")
        self.as_layer.setObjectName("as_layer")
        self.as_layer.setToolTip("Show the same bars beside the image, as a layer of napari's")
        self.copy = parts.button(
            "copy_table", "Copy table", "Copy the stains, their shares and their spread, for a spreadsheet"
        )
        self.estimators = EstimatorView(self.estimates)
        self._lay_out()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for part in (self.show_all, self.as_layer, self.copy):
            buttons.addWidget(part)
        buttons.insertStretch(1, 1)
        self.body = QWidget()
        inner = QVBoxLayout(self.body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(7)
        for part in (self.headline, self.about, self.chart, self.told, self.meaning):
            inner.addWidget(part)
        inner.addLayout(buttons)
        inner.addWidget(parts.rule())
        inner.addWidget(self.estimators)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(7)
        layout.addWidget(self.help)
        layout.addWidget(self.body)
        layout.addStretch(1)
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(scrolled(inside, "channels_scroll"))
        self.setMinimumWidth(300)

    def _connect(self) -> None:
        controller, viewer, solo, estimates = self.controller, self.viewer, self.solo, self.estimates
        render, answered, layer_changed = self.render_state, self._answered, self._layer_changed
        watched = self._watched
        self.chart.chosen.connect(self.see_alone)
        self.chart.hovered.connect(self._tell)
        self.show_all.clicked.connect(self._see_all)
        self.as_layer.clicked.connect(self._toggle_layer)
        self.copy.clicked.connect(self._copy)
        controller.answered.append(answered)
        viewer.layers.events.inserted.connect(render)
        viewer.layers.events.removed.connect(render)

        def gone() -> None:
            viewer.layers.events.inserted.disconnect(render)
            viewer.layers.events.removed.disconnect(render)
            for layer in tuple(watched):
                _unwatch(layer, layer_changed)
            estimates.cancel()
            if answered in controller.answered:
                controller.answered.remove(answered)
            # Where the whole window goes, its layers cannot be drawn any more.
            with suppress(RuntimeError):
                solo.end()

        self.attend(render, gone)

    # --------------------------------------------------------------------------------------------------- actions

    def see_alone(self, stain: str) -> None:
        """See one stain and its map alone; the stain that is seen alone already gives way to all."""
        if stain == self.solo.stain:
            self._see_all()
            return
        self.solo.show(stain, self.subject.well, self.controller.state.answer)
        self.render_state()

    def _see_all(self) -> None:
        self.solo.end()
        self.render_state()

    def _answered(self, _explained: object) -> None:
        """The layers of an answer are new, or shown again: what is seen alone stays so."""
        if self.solo.stain:
            self.solo.show(self.solo.stain, self.subject.well, self.controller.state.answer)
        self.render_state()

    def _toggle_layer(self) -> None:
        answer = self.shown.answer
        if answer is not None and self.as_layer.isChecked():
            show_bars_again(self.viewer, answer, self.shown.references)
        else:
            hide_bars(self.viewer)
        self.render_state()

    def _copy(self) -> None:
        QApplication.clipboard().setText(self.shown.table)
        parts.say(self.told, "The table was copied; paste it into a spreadsheet.")

    def _tell(self, stain: str) -> None:
        row = next((row for row in self.shown.rows if row.stain == stain), None)
        parts.say(self.told, row.told if row else self._hint())

    # ---------------------------------------------------------------------------------------------------- render

    def render_state(self, _event: object = None) -> None:
        """Show the controller's state; changes only what is not so already."""
        state = self.controller.state
        coming = state.explaining and state.answer is not None and not rows.has_importance(state.answer)
        if coming and self._has_bars:
            # The first of two answers to a click: the stains' values come with the second, and the bars wait for them.
            return
        self.estimates.follow()
        self._watch()
        answer, trained = self.shown.answer, self.shown.trained
        self.help.render_state(answer is None and trained is None)
        self.body.setVisible(answer is not None or trained is not None)
        if answer is None and trained is None:
            return
        found, colors = self.shown.rows, self.shown.colors
        self._has_bars = bool(found)
        if trained is not None:
            parts.say(self.headline, f"{found[0].stain} weighs most ({found[0].figure}).")
            parts.say(self.about, f"In the mixing layer of {state.path.name if state.path else 'the classifier'}.")
        elif answer is not None:
            parts.say(self.headline, "Explaining ..." if coming else rows.headline(answer, found))
            parts.say(self.about, rows.caption(answer, self.shown.whole))
        self.chart.setVisible(bool(found))
        if found:
            self.chart.show_rows(found, colors, self.solo.stain, self.viewer.theme)
        parts.say(self.told, self._hint() if found else "")
        # What is below does not jump while the mouse goes over the bars.
        lines = 3 if any(row.sentence for row in found) else 1
        self.told.setMinimumHeight(lines * self.told.fontMetrics().lineSpacing())
        parts.say(self.meaning, self._meaning(found) if found else "" if coming else CHOOSE)
        for part in (self.show_all, self.copy):
            part.setVisible(bool(found))
        # The bars' layer goes with the map.
        self.as_layer.setVisible(bool(found) and trained is None)
        self.show_all.setEnabled(bool(self.solo.stain))
        bars = find(self.viewer, "importance")
        self.as_layer.setChecked(bars is not None and bars.visible)
        self.estimators.render_state(state)
        if answer is not None and trained is None:
            self._renew_layer(answer, colors)

    def _renew_layer(self, answer: Attribution, colors: dict[str, str]) -> None:
        """The layer of the bars says what the dock says."""
        wanted = (self.estimates.chosen if self.estimates.found else "", str(colors))
        if wanted == self._on_layer:
            return
        self._on_layer = wanted
        if rows.has_importance(answer):
            renew_bars(self.viewer, answer, self.shown.references)
        else:
            hide_bars(self.viewer)

    def _meaning(self, found: tuple[rows.Row, ...]) -> str:
        answer, trained = self.shown.answer, self.shown.trained
        if trained is not None:
            over = f" ± one standard deviation over {trained.seeds} trainings." if trained.spread else ""
            return f"Shares of: {rows.TRAINED}.{over}"
        if answer is None:
            return ""
        other = words.rather_than(answer)
        left = f" Left of zero: speaks {f'for {other}' if other else f'against {answer.target}'}."
        return f"Shares of: {answer.importance_meaning}.{left if any(row.share < 0 for row in found) else ''}"

    def _hint(self) -> str:
        return f"Only {self.solo.stain} is shown." if self.solo.stain else "Click a bar to see its stain alone."

    def _watch(self) -> None:
        """Be told when a stain gets another colour, or the bars' layer is shown or hidden."""
        bars = find(self.viewer, "importance")
        for layer in (*self.shown.references, *([bars] if bars is not None else [])):
            if layer not in self._watched:
                layer.events.visible.connect(self._layer_changed)
                if hasattr(layer.events, "colormap"):
                    layer.events.colormap.connect(self._layer_changed)
                self._watched.add(layer)

    def _layer_changed(self, _event: object = None) -> None:
        self.render_state()

    def dress(self, _event: object = None) -> None:
        """Take the viewer's colours."""
        bold = "QLabel#channels_headline { font-size: 13pt; font-weight: bold; }"
        self.setStyleSheet(style_sheet(self.viewer.theme) + bold)
        self.render_state()


def _unwatch(layer: Layer, tell) -> None:
    layer.events.visible.disconnect(tell)
    if hasattr(layer.events, "colormap"):
        layer.events.colormap.disconnect(tell)
