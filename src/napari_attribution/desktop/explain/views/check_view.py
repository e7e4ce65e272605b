"""What a first look at the well with the classifier found: sentences first, the figures behind them on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.explain.status import Section as Standing
from napari_attribution.desktop.explain.views.card_form import MODES
from napari_attribution.desktop.explain.views.range_table import RangeTable
from napari_attribution.desktop.widgets import figures, parts
from napari_attribution.desktop.widgets.section import MARKS, Section

if TYPE_CHECKING:
    from napari_attribution.classifiers.preflight import Finding, Preflight

_LINES = (
    ("input", "What the classifier gets: inputs x stains x rows x columns"),
    ("normalised", "How detector units become what the classifier reads"),
    ("device", "Where the classifier runs"),
    ("cut", "Where the network is parted for methods that look inside it: the layer, its shape, and by what technique"),
    ("answer", "What the classifier says of this well"),
)


class CheckView(QWidget):
    """The body of the section "Preflight"."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("check_view")
        self.cells = parts.combo("cells", "The layer that marks the single cells: points, or labels")
        self.cells_label = QLabel("cells")
        self.findings = parts.text("findings", "What a first look at the well with this classifier found")
        self.again = parts.button("check_again", "Look again", "Look at the well with this classifier once more")
        self.accept = QCheckBox("explain all the same")
        self.accept.setObjectName("accept_flaws")
        self.accept.setToolTip("Explain the well although something is wrong with it")

        self.ranges = RangeTable()
        self.lines: dict[str, QLabel] = {}
        inside = QWidget()
        details = QVBoxLayout(inside)
        details.setContentsMargins(0, 0, 0, 0)
        details.setSpacing(6)
        details.addWidget(self.ranges)
        lines = QGridLayout()
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setVerticalSpacing(2)
        lines.setHorizontalSpacing(10)
        lines.setColumnStretch(1, 1)
        for number, (name, tip) in enumerate(_LINES):
            self.lines[name] = parts.text(f"check_{name}", tip)
            heading = QLabel(name)
            heading.setToolTip(tip)
            heading.setProperty("quiet", True)
            lines.addWidget(heading, number, 0, Qt.AlignmentFlag.AlignTop)
            lines.addWidget(self.lines[name], number, 1)
        details.addLayout(lines)
        tip = "The figures behind the findings: ranges, input, device"
        self.details = Section("check_details", "Details", inside, tip, indent=4)

        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        cells = QHBoxLayout()
        cells.addWidget(self.cells_label)
        cells.addWidget(self.cells, 1)
        rows.addLayout(cells)
        for part in (self.findings, self.again, self.accept, self.details):
            rows.addWidget(part)

    def render_state(
        self, state: State, standing: Standing, cell_layers: Sequence[str], colors: Mapping[str, str]
    ) -> None:
        """Show what was found; only for a state with a classifier.

        Parameters
        ----------
        state : State
        standing : status.Section
            How the check stands; where it is wrong, the dock's headline says why.
        cell_layers : sequence of str
            Names of the layers that could mark the cells.
        colors : mapping of stain to "#rrggbb"
        """
        found = state.checked
        findings = found.findings if found else ()
        parts.say(self.findings, "\n".join(_line(one, standing.level == "wrong") for one in findings))
        self.again.setVisible(state.check_cancelled)
        wrong = any(one.ok is False for one in findings)
        self.accept.setVisible(wrong and found.predicted is not None)
        if self.accept.isChecked() != state.accept_flaws:
            self.accept.setChecked(state.accept_flaws)
        single = state.classifier.card.mode == "cells"
        self.cells.setVisible(single)
        self.cells_label.setVisible(single)
        if single:
            layers = [("choose ...", None), *((name, name) for name in cell_layers)]
            parts.offer(self.cells, layers, state.cells.name if state.cells else None)
        self.details.setVisible(found is not None)
        if found is not None:
            self._render_details(state, found, colors)

    def _render_details(self, state: State, found: Preflight, colors: Mapping[str, str]) -> None:
        self.ranges.show_ranges(found.ranges, colors)
        wrong = [one.well_stain for one in found.ranges if not one.ok]
        self.details.show_standing(Standing("wrong", f"{len(wrong)} out of range") if wrong else Standing("ok"))
        self.details.mark.setText(MARKS["wrong"] if wrong else "")
        mode = MODES[state.classifier.card.mode]
        told = {
            "input": f"{' × '.join(map(str, found.input_shape))} (inputs × stains × rows × columns): {mode}"
            if found.input_shape
            else "",
            "normalised": found.normalisation,
            "device": figures.with_free(found.device, found.free_bytes),
            "cut": found.cut or "none: this network cannot be cut",
            "answer": f"{found.predicted}, probability {found.probabilities[found.predicted]:.2f}"
            if found.predicted
            else "",
        }
        for name, line in self.lines.items():
            parts.say(line, told[name] or "not known")


def _line(finding: Finding, said: bool) -> str:
    mark = {True: MARKS["ok"], None: MARKS["warn"], False: MARKS["wrong"]}[finding.ok]
    sentence = "see above." if said and finding.ok is False else finding.sentence
    return f"{mark} {finding.title}: {sentence}"
