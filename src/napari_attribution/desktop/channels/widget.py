"""The dock "Channel importance": which stain decides."""

from contextlib import suppress
from weakref import WeakSet

import napari.viewer
from napari.layers import Layer
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QApplication, QCheckBox, QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from napari_attribution.desktop.channels import rows
from napari_attribution.desktop.channels.chart import Chart
from napari_attribution.desktop.channels.estimates import Estimates
from napari_attribution.desktop.channels.estimator_view import EstimatorView
from napari_attribution.desktop.explain import words
from napari_attribution.desktop.layers.bars import bar_colors, hide_bars, renew_bars, show_bars_again
from napari_attribution.desktop.layers.known import find
from napari_attribution.desktop.layers.solo import Solo
from napari_attribution.desktop.sessions import controller_of, leave
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.parting import Parting
from napari_attribution.desktop.widgets.style import style_sheet
from napari_attribution.methods.attribution import Attribution

NOTHING_YET = (
    "Nothing is explained yet. Once a well is, the bars here say how much each stain counts for the class that the classifier "
    "chose."
)

CHOOSE = "Choose below how to compute it."


class ChannelImportance(QWidget):
    """Which stain decides?

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        napari hands it over; a `ViewerModel` will do in a test.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # napari hands plugins a proxy, which hides what layers are placed by.
        self.viewer = getattr(viewer, "__wrapped__", viewer)
        self.setObjectName("channel_importance")
        self.controller = controller_of(self.viewer)
        self.estimates = Estimates(self.controller, self.render_state)
        self.solo = Solo(self.viewer)
        self._on_layer = ("", "")
        self._watched: WeakSet[Layer] = WeakSet()
        self._build()
        self._connect()
        self._theme()
        self.render_state()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as the dock "Explain well"."""
        return QSize(400, super().sizeHint().height())

    # ----------------------------------------------------------------------------------------------------- build

    def _build(self) -> None:
        self.help = parts.text("channels_help", "What this dock will show")
        self.explain_now = parts.button(
            "explain_now", "Explain now", "Explain the well with the classifier that is loaded"
        )
        self.open_explain = parts.button(
            "open_explain", "Open Explain well", "Open the dock in which a well and a classifier are chosen"
        )
        self.headline = parts.text("channels_headline", "Which stain decides")
        self.about = parts.text("channels_about", "What was asked, and of which well")
        self.chart = Chart()
        self.meaning = parts.text("channels_meaning", "What the bars mean", quiet=True)
        self.told = parts.text("channels_told", "The stain under the mouse", quiet=True)
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
        self.shown = QWidget()
        inner = QVBoxLayout(self.shown)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(7)
        for part in (self.headline, self.about, self.chart, self.told, self.meaning):
            inner.addWidget(part)
        inner.addLayout(buttons)
        inner.addWidget(parts.rule())
        inner.addWidget(self.estimators)
        supply = QHBoxLayout()
        supply.setSpacing(6)
        supply.addWidget(self.explain_now)
        supply.addWidget(self.open_explain)
        supply.addStretch(1)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(7)
        layout.addWidget(self.help)
        layout.addLayout(supply)
        layout.addWidget(self.shown)
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setObjectName("channels_scroll")
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(scroll)
        self.setMinimumWidth(300)

    def _connect(self) -> None:
        controller, viewer, solo, estimates = self.controller, self.viewer, self.solo, self.estimates
        render, answered, theme, layer_changed = self.render_state, self._answered, self._theme, self._layer_changed
        watched = self._watched
        self.explain_now.clicked.connect(lambda: controller.explain())
        self.open_explain.clicked.connect(self._open_explain)
        self.chart.chosen.connect(self.see_alone)
        self.chart.hovered.connect(self._tell)
        self.show_all.clicked.connect(self._see_all)
        self.as_layer.clicked.connect(self._toggle_layer)
        self.copy.clicked.connect(lambda: QApplication.clipboard().setText(self.table()))
        controller.watchers.append(render)
        controller.answered.append(answered)
        viewer.events.theme.connect(theme)
        viewer.layers.events.inserted.connect(render)
        viewer.layers.events.removed.connect(render)

        def gone() -> None:
            viewer.events.theme.disconnect(theme)
            viewer.layers.events.inserted.disconnect(render)
            viewer.layers.events.removed.disconnect(render)
            for layer in tuple(watched):
                _unwatch(layer, layer_changed)
            estimates.cancel()
            if answered in controller.answered:
                controller.answered.remove(answered)
            leave(controller, render)
            # Where the whole window goes, its layers cannot be drawn any more.
            with suppress(RuntimeError):
                solo.end()

        Parting(self)
        self.destroyed.connect(gone)

    # --------------------------------------------------------------------------------------------------- actions

    def see_alone(self, stain: str) -> None:
        """See one stain and its map alone; the stain that is seen alone already gives way to all."""
        if stain == self.solo.stain:
            self._see_all()
            return
        self.solo.show(stain, self.controller.state.well, self.controller.state.answer)
        self.render_state()

    def _see_all(self) -> None:
        self.solo.end()
        self.render_state()

    def _answered(self, _explained: object) -> None:
        """The layers of an answer are new, or shown again: what is seen alone stays so."""
        if self.solo.stain:
            self.solo.show(self.solo.stain, self.controller.state.well, self.controller.state.answer)
        self.render_state()

    def _toggle_layer(self) -> None:
        shown = self.shown_answer()
        if shown is not None and self.as_layer.isChecked():
            show_bars_again(self.viewer, shown, self._references())
        else:
            hide_bars(self.viewer)
        self.render_state()

    def _open_explain(self) -> None:
        dock, _ = self.viewer.window.add_plugin_dock_widget("napari-attribution", "Explain well")
        dock.show()
        dock.raise_()

    def _tell(self, stain: str) -> None:
        row = next((row for row in self.rows() if row.stain == stain), None)
        parts.say(self.told, row.told if row else self._hint())

    def table(self) -> str:
        """What "Copy table" copies."""
        shown = self.shown_answer()
        if shown is None:
            return ""
        part = shown.place is not None and not self.estimates.found
        return rows.table(self.rows(), shown, shown.place.name if part else "the whole well")

    # ---------------------------------------------------------------------------------------------------- render

    def shown_answer(self) -> Attribution | None:
        """The last answer, with the stains' importance by the chosen estimator."""
        answer, found = self.controller.state.answer, self.estimates.found
        return answer if answer is None or found is None else rows.with_estimate(answer, found)

    def rows(self) -> tuple[rows.Row, ...]:
        """What the bars show."""
        answer, found = self.controller.state.answer, self.estimates.found
        if answer is None:
            return ()
        if found is not None:
            return rows.rows_of_estimate(found)
        explained = self.controller.state.explained
        values = rows.values_of(explained) if explained is not None and explained.attribution is answer else {}
        return rows.rows_of_answer(answer, values) if rows.has_importance(answer) else ()

    def render_state(self, _event: object = None) -> None:
        """Show the controller's state; changes only what is not so already."""
        state = self.controller.state
        self.estimates.follow()
        self._watch()
        shown = self.shown_answer()
        self.shown.setVisible(shown is not None)
        self._render_help(shown)
        if shown is None:
            return
        whole = self.estimates.found is not None
        parts.say(self.headline, words.headline(shown))
        parts.say(self.about, rows.caption(shown, whole))
        found = self.rows()
        colors = self._colors(tuple(row.stain for row in found))
        self.chart.setVisible(bool(found))
        if found:
            self.chart.show_rows(found, colors, self.solo.stain, self.viewer.theme)
        parts.say(self.told, self._hint() if found else "")
        parts.say(self.meaning, self._meaning(shown) if found else CHOOSE)
        for part in (self.show_all, self.as_layer, self.copy):
            part.setVisible(bool(found))
        self.show_all.setEnabled(bool(self.solo.stain))
        bars = find(self.viewer, "importance")
        self.as_layer.setChecked(bars is not None and bars.visible)
        self.estimators.render_state(state)
        self._renew_layer(shown, colors)

    def _renew_layer(self, shown: Attribution, colors: dict[str, str]) -> None:
        """The layer of the bars says what the dock says."""
        wanted = (self.estimates.chosen if self.estimates.found else "", str(colors))
        if wanted == self._on_layer:
            return
        self._on_layer = wanted
        if rows.has_importance(shown):
            renew_bars(self.viewer, shown, self._references())
        else:
            hide_bars(self.viewer)

    def _render_help(self, shown: Attribution | None) -> None:
        state, now = self.controller.state, self.controller.status
        if shown is not None:
            said = ""
        elif state.explaining:
            said = "Explaining ..."
        else:
            said = NOTHING_YET if now.ready else f"{NOTHING_YET} {now.headline}"
        parts.say(self.help, said)
        self.explain_now.setVisible(shown is None and now.ready)
        window = hasattr(self.viewer, "window")
        self.open_explain.setVisible(shown is None and window and not now.ready and not state.explaining)

    def _meaning(self, shown: Attribution) -> str:
        other = words.rather_than(shown)
        left = f" Left of zero: speaks {f'for {other}' if other else f'against {shown.target}'}."
        negative = any(row.share < 0 for row in self.rows())
        return f"Shares of: {shown.importance_meaning}.{left if negative else ''}"

    def _hint(self) -> str:
        return f"Only {self.solo.stain} is shown." if self.solo.stain else "Click a bar to see its stain alone."

    def _references(self) -> tuple[Layer, ...]:
        well = self.controller.state.well
        return well.layers if well is not None else ()

    def _colors(self, stains: tuple[str, ...]) -> dict[str, str]:
        colors = (255 * bar_colors(stains, self._references())).round().astype(int)
        return {stain: "#{:02x}{:02x}{:02x}".format(*color[:3]) for stain, color in zip(stains, colors, strict=True)}

    def _watch(self) -> None:
        """Be told when a stain gets another colour, or the bars' layer is shown or hidden."""
        bars = find(self.viewer, "importance")
        for layer in (*self._references(), *([bars] if bars is not None else [])):
            if layer not in self._watched:
                layer.events.visible.connect(self._layer_changed)
                if hasattr(layer.events, "colormap"):
                    layer.events.colormap.connect(self._layer_changed)
                self._watched.add(layer)

    def _layer_changed(self, _event: object = None) -> None:
        self.render_state()

    def _theme(self, _event: object = None) -> None:
        bold = "QLabel#channels_headline { font-size: 13pt; font-weight: bold; }"
        self.setStyleSheet(style_sheet(self.viewer.theme) + bold)
        self.render_state()


def _unwatch(layer: Layer, tell) -> None:
    layer.events.visible.disconnect(tell)
    if hasattr(layer.events, "colormap"):
        layer.events.colormap.disconnect(tell)
