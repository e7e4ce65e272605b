"""The row by which an answer is kept, and a question is asked again."""

from __future__ import annotations

import re
from collections.abc import Callable

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QHBoxLayout, QMenu, QPushButton, QScrollArea, QVBoxLayout, QWidget

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.keeping import dialogs
from napari_attribution.desktop.keeping.keeper import Keeper
from napari_attribution.desktop.keeping.repeating import Repeating
from napari_attribution.desktop.layers import RECORD
from napari_attribution.desktop.widgets import parts

LAID_OUT = 60
"""Milliseconds after which a label has taken the room that its words need."""


class KeepMenu(QWidget):
    """Two buttons with a menu each, and under them what happened last."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keep_menu")
        self.controller = controller
        self.keeper = Keeper(controller)
        self.repeating = Repeating(controller, self.keeper.tell)
        self.keep = parts.button("keep", "Keep …", "Keep this answer: as a map with its record, as a figure, as Python")
        self.repeat = parts.button("repeat", "Repeat …", "Ask the question of a record again, and compare the answers")
        self._fill(
            self.keep,
            (
                "keep_map",
                "Map and record …",
                "Write the map as float OME-TIFF or OME-Zarr, with its record",
                self._export,
            ),
            (
                "keep_figure",
                "Figure …",
                "Draw a figure for a paper: the well, the map over it, the stains, a caption",
                self._draw,
            ),
            ("keep_python", "Copy as Python", "Copy a text that gives these very numbers in Python", self._copy),
        )
        self._fill(
            self.repeat,
            (
                "repeat_file",
                "From a record …",
                "Choose a record, or a map that was exported with its record inside",
                self._repeat,
            ),
            (
                "repeat_layer",
                "From the chosen layer",
                "The record that a map or the bars of ours carry",
                self._repeat_layer,
            ),
        )
        self.repeat.menu().aboutToShow.connect(
            lambda: self.repeat.menu().actions()[1].setEnabled(self._chosen_record() is not None)
        )
        self.said = parts.text("kept", "What happened last")
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.keep, 1)
        buttons.addWidget(self.repeat, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(buttons)
        layout.addWidget(self.said)

    def render_state(self) -> None:
        """Show the controller's state."""
        self.repeating.advance()
        self.keep.setVisible(self.controller.state.answer is not None)
        sign = {"wrong": "✗ ", "warn": "! "}.get(self.keeper.level, "")
        sentence = sign + breakable(self.keeper.said) if self.keeper.said else ""
        if sentence != self.said.text():
            # What has been said is below what was clicked, and perhaps below the dock; its height is known once it is laid out.
            QTimer.singleShot(LAID_OUT, self._bring_into_view)
        parts.say(self.said, sentence, self.keeper.level)
        self.said.setToolTip(self.keeper.said or "What happened last")

    def _bring_into_view(self) -> None:
        around = self.parentWidget()
        while around is not None and not isinstance(around, QScrollArea):
            around = around.parentWidget()
        if around is not None and self.said.isVisible():
            around.ensureWidgetVisible(self.said, 0, 6)

    def _fill(self, button: QPushButton, *entries: tuple[str, str, str, Callable[[], None]]) -> None:
        menu = QMenu(button)
        menu.setObjectName(f"{button.objectName()}_menu")
        menu.setToolTipsVisible(True)
        for name, title, tip, act in entries:
            action = menu.addAction(title)
            action.setObjectName(name)
            action.setToolTip(tip)
            action.triggered.connect(act)
        button.setMenu(menu)

    def _export(self) -> None:
        path = dialogs.save(self, "Keep the map and its record", self.keeper.proposed(".ome.tiff"), dialogs.MAPS)
        if path is not None:
            self.keeper.export(path)

    def _draw(self) -> None:
        path = dialogs.save(self, "Keep a figure", self.keeper.proposed(".png"), dialogs.FIGURES)
        if path is not None:
            self.keeper.draw(path)

    def _copy(self) -> None:
        self.keeper.as_python(lambda text: QApplication.clipboard().setText(text))

    def _repeat(self) -> None:
        state = self.controller.state
        path = dialogs.record(self, state.export_folder or state.folder)
        if path is not None:
            self.repeating.from_file(path)

    def _repeat_layer(self) -> None:
        chosen = self._chosen_record()
        if chosen is not None:
            self.repeating.from_layer(*chosen)

    def _chosen_record(self) -> tuple[str, object] | None:
        """Name and record of the layer that is chosen in the viewer, where it carries one."""
        layer = self.controller.viewer.layers.selection.active
        record = None if layer is None else layer.metadata.get(RECORD)
        return None if record is None else (layer.name, record)


def breakable(sentence: str) -> str:
    """A sentence whose long paths may break: Qt breaks lines at spaces alone, and a dock is narrow."""
    return re.sub(r"([/\\_.-])(?=\S{12})", "\\1\u200b", sentence)
