"""The row by which cells are picked."""

from __future__ import annotations

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.picks.picking import Picks
from napari_attribution.desktop.picks.pointing import METHOD, NEXT, PICK, PREVIOUS, Pointer
from napari_attribution.desktop.picks.state import NO_CELLS
from napari_attribution.desktop.widgets import parts

PICK_TIP = (
    "Click on a cell to ask about it alone; drag to ask about a region. Shift+click and Shift+drag do so at any time, and "
    f"the key {PICK} asks about what is under the pointer"
)
CELLS_TIP = "The layer that says where a cell ends. Where there is no cell under the pointer, a square is asked about"
SIDE_TIP = "Side of the square that is asked about where there is no cell under the pointer"


IDLE = 200
"""Milliseconds without another pick after which one is explained by the method that the dock has chosen."""


class PickBar(QWidget):
    """Pick, which cells, how large a square; then back and forth between picks, and back to the well."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pick_bar")
        self.controller = controller
        self.picks = picks = Picks(controller, lambda call: QTimer.singleShot(IDLE, call))
        self.pointer = pointer = Pointer(picks)
        self.pick = parts.button("pick", "Pick", PICK_TIP)
        self.pick.setCheckable(True)
        self.cells = parts.combo("pick_cells", CELLS_TIP)
        self.side = QDoubleSpinBox()
        self.side.setObjectName("pick_side")
        self.side.setToolTip(SIDE_TIP)
        self.side.setKeyboardTracking(False)
        self.side.setMinimumWidth(128)
        self.previous = parts.button("previous_pick", "‹", f"Show the pick before (key {PREVIOUS.replace('-', '+')})")
        self.next = parts.button("next_pick", "›", f"Show the next pick (key {NEXT})")
        self.which = parts.text("which_pick", "The pick that is shown, of all in the layer “picks”", quiet=True)
        self.which.setWordWrap(False)
        self.back = parts.button(
            "back_to_well",
            "Back to the whole well",
            f"Show the answer about the whole well again. The key {METHOD} explains by the next method",
        )
        self.said = parts.text("pick_said", "What has to be done before a cell can be picked")
        self._lay_out()
        self.pick.toggled.connect(self._toggle)
        self.cells.activated.connect(lambda _index: picks.choose_cells(self._layer()))
        self.side.valueChanged.connect(picks.choose_side)
        self.previous.clicked.connect(lambda: picks.step(-1))
        self.next.clicked.connect(lambda: picks.step(1))
        self.back.clicked.connect(lambda: picks.back())
        self.destroyed.connect(lambda: (pointer.close(), picks.close()))

    def _lay_out(self) -> None:
        first = QHBoxLayout()
        first.setSpacing(6)
        first.addWidget(self.pick)
        for title, field, stretch in (("Cells", self.cells, 1), ("or", self.side, 0)):
            label = QLabel(title)
            label.setToolTip(field.toolTip())
            first.addWidget(label)
            first.addWidget(field, stretch)
        second = QHBoxLayout()
        second.setSpacing(6)
        second.addWidget(self.previous)
        second.addWidget(self.which)
        second.addWidget(self.next)
        second.addWidget(self.back, 1)
        second.addStretch(0)
        for arrow in (self.previous, self.next):
            arrow.setFixedWidth(30)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(first)
        layout.addLayout(second)
        layout.addWidget(self.said)

    def _toggle(self, on: bool) -> None:
        self.picks.state.on = on
        shared = self.picks.controller.state
        shared.clicks = "pick" if on else ""
        self.picks.controller.changed()
        missing = self.picks.missing() if on else ""
        self.picks.say(missing)

    def _layer(self):
        chosen = self.cells.currentData()
        if chosen is None:
            return NO_CELLS
        return next((layer for layer in self.picks.state.layers if layer.name == chosen), None)

    def render_state(self) -> None:
        """Show the controller's state."""
        picks = self.picks
        picks.look_around()
        state = picks.state
        # A click can do one thing: whichever tool was taken last.
        state.on = state.on and picks.controller.state.clicks == "pick"
        blocked = self.pick.blockSignals(True)
        self.pick.setChecked(state.on)
        self.pick.blockSignals(blocked)
        entries = [(parts.bounded(layer.name), layer.name) for layer in state.layers]
        parts.offer(self.cells, [*entries, ("none: a square", None)], None if state.cells is None else state.cells.name)
        self._render_side()
        count = picks.count
        for widget in (self.previous, self.which, self.next):
            widget.setVisible(count > 0)
        self.back.setVisible(picks.away)
        self.which.setText(f"{state.shown if picks.away and state.shown else '–'} of {count}")
        parts.say(self.said, state.said, "warn")

    def _render_side(self) -> None:
        name, pixel = self.picks.unit
        blocked = self.side.blockSignals(True)
        self.side.setSuffix(f" {name}")
        self.side.setDecimals(0 if name == "px" else 1)
        self.side.setRange(pixel, 100_000 * pixel)
        self.side.setSingleStep(max(1.0, round(self.picks.usual_side * pixel / 8)))
        self.side.setValue(self.picks.side * pixel)
        self.side.blockSignals(blocked)
