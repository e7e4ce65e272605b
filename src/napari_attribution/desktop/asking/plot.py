"""The score while ever more of the map is kept, or removed: two lines, and a marker at the chosen share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_attribution.desktop.widgets.style import paper_and_ink

if TYPE_CHECKING:
    from napari_attribution.faithfulness.curves import Curves

KEPT, REMOVED = "#c25cff", "#ffb454"
"""Purple speaks for the class, as in the map; amber is told from it without seeing red or green."""

TIP = (
    "The score while the map's places are put back into an empty image, the most important first (kept), and while they are taken "
    "out of the whole image (removed). 100 % is the score of the image as it is, 0 % that of the fill alone. The line is the share "
    "chosen above. Of a faithful map, the upper line rises at once and the lower one falls at once."
)


class Plot(QWidget):
    """Both curves of one map."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # It takes a tenth of a second to import: the worker that computed the curves has done so.
        import pyqtgraph as pg

        self.setObjectName("enough_plot")
        self.setToolTip(TIP)
        self._pg = pg
        self.chart = pg.PlotWidget()
        self.chart.setObjectName("enough_chart")
        self.chart.setMinimumHeight(150)
        self.chart.setMaximumHeight(150)
        self.chart.setMenuEnabled(False)
        self.chart.setMouseEnabled(x=False, y=False)
        self.chart.hideButtons()
        self.chart.getPlotItem().setContentsMargins(0, 6, 14, 0)
        self.kept = self.chart.plot(pen=pg.mkPen(KEPT, width=2))
        self.removed = self.chart.plot(pen=pg.mkPen(REMOVED, width=2))
        self.chart.getPlotItem().getAxis("bottom").setTicks([[(at, str(at)) for at in range(0, 101, 20)]])
        for side in ("left", "bottom"):
            self.chart.getPlotItem().getAxis(side).setStyle(maxTickLevel=0, hideOverlappingLabels=False)
        self.line = pg.InfiniteLine(pos=20, angle=90, movable=False)
        self.dot = self.chart.plot(symbol="o", symbolSize=9, pen=None, symbolPen=None, symbolBrush=KEPT)
        self.chart.addItem(self.line)
        self.legend = QLabel()
        self.legend.setObjectName("enough_legend")
        self.legend.setToolTip(TIP)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.legend)
        layout.addWidget(self.chart)
        self._shown: Curves | None = None
        self._theme = ""

    def show_curves(self, curves: Curves, unit: str) -> None:
        """Draw them; in shares of the score's range, or, where that is no measure, in the score's unit."""
        if curves is self._shown:
            return
        self._shown = curves
        kept, removed = in_shares(curves)
        in_percent = kept is not curves.insertion
        self.kept.setData(100 * curves.shares, kept)
        self.removed.setData(100 * curves.shares, removed)
        self.chart.setXRange(0, 100, padding=0.02)
        self.chart.setYRange(min(kept.min(), removed.min()), max(kept.max(), removed.max()), padding=0.06)
        what = "% of the score" if in_percent else unit
        self.legend.setText(
            f"{what}, by % of the map: <span style='color:{KEPT}'>━</span> kept, "
            f"<span style='color:{REMOVED}'>━</span> removed"
        )

    def mark(self, percent: int) -> None:
        """Put the marker at a share of the map."""
        self.line.setValue(percent)
        if self._shown is not None:
            kept, _ = in_shares(self._shown)
            self.dot.setData([percent], [np.interp(percent / 100, self._shown.shares, kept)])

    def show_theme(self, theme: str) -> None:
        """Draw on the dock's own background, with the ink of its text."""
        if theme == self._theme:
            return
        self._theme = theme
        paper, color = paper_and_ink(theme)
        self.chart.setBackground(paper)
        self.line.setPen(self._pg.mkPen(color, width=1, style=Qt.PenStyle.DashLine))
        for side in ("left", "bottom"):
            axis = self.chart.getPlotItem().getAxis(side)
            axis.setPen(self._pg.mkPen(color, width=1))
            axis.setTextPen(color)


def in_shares(curves: Curves) -> tuple[np.ndarray, np.ndarray]:
    """Both curves in per cents of the score's range; as they are, where that is no measure of them."""
    both = np.concatenate([curves.insertion, curves.deletion])
    r = curves.whole - curves.filled
    if r <= 0.1 * float(np.ptp(both)) or r <= 1e-6 * abs(curves.whole):
        return curves.insertion, curves.deletion
    return 100 * (curves.insertion - curves.filled) / r, 100 * (curves.deletion - curves.filled) / r
