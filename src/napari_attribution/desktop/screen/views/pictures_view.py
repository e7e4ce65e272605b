"""Montage and report: what is made of many wells, and how far it is."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QSpinBox, QVBoxLayout, QWidget

from napari_attribution.desktop.screen.screening import Screening
from napari_attribution.desktop.widgets import parts

EACH = 8
"""Thumbnails of either end."""


class PicturesView(QWidget):
    """Two buttons, and while one of them works its progress.

    Parameters
    ----------
    screening : Screening
    """

    def __init__(self, screening: Screening, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pictures_view")
        self.screening = screening
        self.each = QSpinBox()
        self.each.setObjectName("montage_each")
        self.each.setRange(1, 32)
        self.each.setValue(EACH)
        self.each.setToolTip("How many wells of either end of the ranking")
        self.montage = parts.button(
            "montage",
            "Montage",
            "Thumbnails of the highest and the lowest wells that pass the filter, in the viewer; click one to open it",
        )
        self.report = parts.button("report", "Report", "Write an HTML report beside the results")
        self.stop = parts.button("stop_drawing", "Cancel", "Stop; what is there stays")
        self.progress = QProgressBar()
        self.progress.setObjectName("drawing_progress")
        self.progress.setToolTip("Pictures drawn")
        self.written = parts.text("written", "Where the report is")
        self.written.setOpenExternalLinks(True)
        self.written.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for part in (self.montage, self.each, self.report):
            buttons.addWidget(part)
        buttons.addWidget(self.progress, 1)
        buttons.addWidget(self.stop)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(buttons)
        layout.addWidget(self.written)
        self.montage.clicked.connect(lambda: screening.showing.draw(self.each.value()))
        self.report.clicked.connect(screening.write_report)
        self.stop.clicked.connect(self._stop)

    def _stop(self) -> None:
        if self.screening.state.drawing:
            self.screening.showing.stop_drawing()
        else:
            self.screening.cancel_report()

    def render_state(self) -> None:
        """Show what can be made, or how far it is."""
        state = self.screening.state
        busy = state.drawing or state.reporting
        for part in (self.progress, self.stop):
            part.setVisible(busy)
        for part in (self.montage, self.each, self.report):
            part.setVisible(not busy)
        self.montage.setEnabled(bool(state.ranked))
        done, total = state.progress
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        path = state.report
        parts.say(self.written, f'The report is written: <a href="{path.as_uri()}">{path.name}</a>' if path else "")
