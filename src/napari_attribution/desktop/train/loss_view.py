"""The losses of the networks while they are trained: a line each, fields learned from dotted, fields held back drawn through."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# Before pyqtgraph, which takes the Qt that is there already.
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QVBoxLayout, QWidget

import pyqtgraph as pg  # isort: skip

from napari_attribution.desktop.train.course import Curve
from napari_attribution.desktop.train.words import ALL, MIXED, network
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.style import paper_and_ink

TIP = (
    "The loss, epoch by epoch: how far the network's calls are from the labels. A network that learns falls in both lines. Where "
    "only the dotted line falls, it learns these fields by heart"
)
GREY = "#8a9099"


class LossView(QWidget):
    """The curves of the seed that is under way."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("loss_view")
        self.legend = parts.text("loss_legend", TIP)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.chart = pg.PlotWidget()
        self.chart.setObjectName("loss_chart")
        self.chart.setToolTip(TIP)
        self.chart.setFixedHeight(170)
        self.chart.setMenuEnabled(False)
        self.chart.setMouseEnabled(x=False, y=False)
        self.chart.hideButtons()
        plot = self.chart.getPlotItem()
        plot.setContentsMargins(0, 6, 10, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.legend)
        layout.addWidget(self.chart)
        self._shown: tuple[object, ...] = ()

    def show_curves(self, curves: Mapping[str, Curve], colors: Mapping[str, str], theme: str) -> None:
        """Draw them, those of single stains in the stains' colours ("#rrggbb")."""
        wanted = (theme, *((name, tuple(curve.training), tuple(curve.validation)) for name, curve in curves.items()))
        self.setVisible(any(curve.epochs for curve in curves.values()))
        if wanted == self._shown:
            return
        self._shown = wanted
        paper, ink = paper_and_ink(theme)
        of = {MIXED: ink, ALL: GREY, **colors}
        plot = self.chart.getPlotItem()
        plot.clear()
        self.chart.setBackground(paper)
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(pg.mkPen(ink, width=1))
            axis.setTextPen(ink)
            axis.setStyle(maxTickLevel=0)
        drawn = {name: curve for name, curve in curves.items() if curve.epochs}
        for name, curve in drawn.items():
            wide = 2.5 if name == MIXED else 1.5
            faint = QColor(of.get(name, ink))
            faint.setAlpha(150)
            plot.plot(curve.epochs, curve.training, pen=pg.mkPen(faint, width=wide, style=Qt.PenStyle.DotLine))
            # A line of one point is none.
            dot = {"symbol": "o", "symbolSize": 5, "symbolPen": None, "symbolBrush": of.get(name, ink)}
            pen = pg.mkPen(of.get(name, ink), width=wide)
            plot.plot(curve.epochs, curve.validation, pen=pen, **(dot if len(curve.epochs) == 1 else {}))
        self._fit(drawn)
        self.legend.setText(
            "Loss by epoch: "
            + " &nbsp; ".join(
                f"<span style='color:{of.get(name, ink)}'>━</span>&nbsp;{network(name).replace(' ', '&nbsp;')}"
                for name in drawn
            )
            + " &nbsp; (┅&nbsp;learned&nbsp;from, ━&nbsp;held&nbsp;back)"
        )

    def _fit(self, drawn: Mapping[str, Curve]) -> None:
        """All epochs, and from zero to the largest loss that is a number."""
        losses = [
            loss for curve in drawn.values() for loss in (*curve.training, *curve.validation) if np.isfinite(loss)
        ]
        last = max((curve.epochs[-1] for curve in drawn.values()), default=1)
        self.chart.setXRange(1, max(last, 2), padding=0.03)
        self.chart.setYRange(0, max(losses, default=1.0), padding=0.05)
        step = next((step for step in (1, 2, 5, 10, 20, 50, 100, 200) if last / step <= 8), 500)
        self.chart.getPlotItem().getAxis("bottom").setTicks([[(at, str(at)) for at in range(step, last + 1, step)]])
