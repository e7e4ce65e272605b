"""What if this were gone: the eraser, and what the classifier says without what it took away."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QSpinBox, QVBoxLayout, QWidget

from napari_attribution.desktop.asking import words
from napari_attribution.desktop.asking.removing import Removing
from napari_attribution.desktop.widgets import parts

HOW = "Take the brush and paint over a place, or click at a cell: it is filled, and the classifier is asked again."


class RemoveView(QWidget):
    """The section's body."""

    def __init__(self, removing: Removing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("remove_view")
        self.removing = removing
        self.said = parts.text("what_if", "What the classifier says before and after")
        self.said.setProperty("strong", True)
        self.more = parts.text("what_if_score", "The score that was explained, and how much is removed", quiet=True)
        self.problem = parts.text("what_if_problem", "Why there is nothing more to say")
        self.brush = _tool(
            "remove_brush",
            "Brush",
            "Paint over what to remove; press again to put the brush down. Ctrl+Z takes a stroke back",
        )
        self.cell = _tool("remove_cell", "Whole cell", "Click at a cell of a Labels layer to remove all of it")
        self.stain = parts.combo("remove_stain", "Which stain to remove: all of them, or one alone")
        self.size = QSpinBox()
        self.size.setObjectName("remove_size")
        self.size.setToolTip("Diameter of the brush, in pixels of the well")
        self.size.setRange(1, 400)
        self.size.setSuffix(" px")
        self.size.setMinimumWidth(96)
        self.size.setValue(removing.size)
        self.undo = parts.button("remove_undo", "Undo", "Take the last step back")
        self.back = parts.button("put_back", "Put everything back", "The well as it was; can be undone")
        tools = QHBoxLayout()
        tools.setSpacing(6)
        tools.addWidget(self.brush, 1)
        tools.addWidget(self.cell, 1)
        what = QHBoxLayout()
        what.setSpacing(6)
        what.addWidget(self.stain, 1)
        what.addWidget(self.size)
        steps = QHBoxLayout()
        steps.setSpacing(6)
        steps.addWidget(self.undo, 1)
        steps.addWidget(self.back, 2)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(5)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Remove", tools)
        form.addRow("of", what)
        self.controls = QWidget()
        inside = QVBoxLayout(self.controls)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(5)
        inside.addLayout(form)
        inside.addLayout(steps)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (self.said, self.more, self.problem, self.controls):
            layout.addWidget(widget)
        self.brush.clicked.connect(lambda on: removing.set_mode("brush" if on else "off"))
        self.cell.clicked.connect(lambda on: removing.set_mode("cell" if on else "off"))
        self.stain.activated.connect(lambda _index: removing.set_stain(self.stain.currentData()))
        self.size.valueChanged.connect(removing.set_size)
        self.undo.clicked.connect(removing.undo)
        self.back.clicked.connect(removing.put_back)

    def render_state(self) -> None:
        """Show what is known."""
        known, answer = self.removing, self.removing.controller.state.answer
        if answer is None:
            return
        why = known.why_not
        self.controls.setVisible(not why)
        parts.say(self.problem, known.error or why, "warn" if known.error else "quiet")
        erased = known.erased
        if why or erased is None:
            parts.say(self.said, "")
            parts.say(self.more, "")
            return
        self.brush.setChecked(known.mode == "brush")
        self.cell.setChecked(known.mode == "cell")
        stains = [("all stains", None), *((stain, stain) for stain in answer.stains)]
        parts.offer(self.stain, stains, known.stain)
        self.undo.setEnabled(erased.steps > 0)
        self.undo.setText(f"Undo ({erased.steps})" if erased.steps else "Undo")
        self.back.setEnabled(erased.any)
        where = f" ({answer.place.name} alone)" if answer.place is not None else ""
        if not erased.any:
            parts.say(self.said, words.unchanged(answer.predicted, answer.probabilities, where))
            parts.say(self.more, HOW)
        elif known.result is not None:
            parts.say(self.said, words.changed(known.result))
            parts.say(self.more, words.changed_score(known.result, answer))
        elif known.busy or known.controller.state.explaining:
            parts.say(self.said, f"{_first(answer)} → …")
            parts.say(self.more, "Asking the classifier …")
        else:
            parts.say(self.said, "")
            parts.say(self.more, "")


def _first(answer) -> str:
    return f"{answer.predicted} {words.probability(answer.probabilities[answer.predicted])}"


def _tool(name: str, title: str, tip: str) -> QPushButton:
    made = parts.button(name, title, tip)
    made.setCheckable(True)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return made
