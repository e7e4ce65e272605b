"""How to explain: the methods on offer, the chosen one's parameters, and what it will cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_attribution.desktop.explain import offering
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.explain.status import Section as Standing
from napari_attribution.desktop.widgets import figures, parts
from napari_attribution.desktop.widgets.form import Choices, Form
from napari_attribution.desktop.widgets.section import MARKS, Section
from napari_attribution.methods.choice.catalogue import METHODS

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.classifiers.splitting.splitter import Layer


class MethodView(QWidget):
    """The combo of methods, with what is to be known before one is chosen."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("method_view")
        self.combo = parts.combo("method", "How to explain")
        self.summary = parts.text("method_summary", "What the map shows", quiet=True)
        self.remark = parts.text("method_remark", "What is other than usual with this classifier", quiet=True)
        self.cost = parts.text(
            "method_cost", "Runs of the whole network, and what they take on this device as measured when it was loaded"
        )
        self.refused = parts.text("method_refused", "What this classifier does not allow")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for part in (self.combo, self.summary, self.remark, self.cost, self.refused):
            layout.addWidget(part)
        self.combo.activated.connect(lambda _index: self.chosen.emit(self.combo.currentData()))

    def render_state(self, state: State) -> None:
        """Show what is on offer."""
        offers = offering.on_offer(state)
        parts.offer(self.combo, [(one.method.title, one.method.name) for one in offers], state.method)
        for index, one in enumerate(offers):
            self.combo.model().item(index).setEnabled(one.possible)
            tip = one.method.summary if one.possible else f"Not on offer: {one.why}"
            self.combo.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        now = offering.chosen(state)
        parts.say(self.summary, METHODS[state.method].summary)
        parts.say(self.remark, now.why if now.possible else "")
        cost = offering.cost(state) if now.possible else None
        inputs = state.checked.input_shape[0] if cost else 1
        long = cost is not None and cost[1] > figures.LONG
        parts.say(
            self.cost, ("! " if long else "") + figures.work(*cost, inputs) if cost else "", "warn" if long else "quiet"
        )
        parts.say(self.refused, "\n".join(offering.refusals(offers)))


class ParametersView(Section):
    """The chosen method's own settings."""

    edited = Signal(dict)
    """The parameters, whenever the user changes one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        body = QWidget()
        tip = "The method's own settings; the defaults suit most wells"
        super().__init__("parameters", "Parameters", body, tip, parent=parent)
        self.reset = parts.button("reset_parameters", "Defaults", "Set the parameters back to their defaults")
        self._rows = QVBoxLayout(body)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.addWidget(self.reset, 0, Qt.AlignmentFlag.AlignRight)
        self.form: Form | None = None
        self._drawn: tuple[object, ...] = ()
        self.reset.clicked.connect(lambda: self.form.reset())

    def render_state(self, state: State, standing: Standing) -> None:
        """Draw the form anew where the method, or what there is to choose from, is another; else fill it."""
        choices = {"layer": layers_of(state.classifier)}
        wanted = (state.method, tuple(choices["layer"]))
        if wanted != self._drawn:
            self._draw(state.method, choices)
            self._drawn = wanted
        self._fill(state.parameters.get(state.method, {}))
        wrong = standing.level == "wrong"
        self.show_standing(standing if wrong else Standing("ok"))
        self.mark.setText(MARKS["wrong"] if wrong else "")

    def _draw(self, method: str, choices: Mapping[str, Choices]) -> None:
        if self.form is not None:
            self.form.hide()
            self.form.deleteLater()
        self.form = Form(METHODS[method].parameters, choices)
        self.form.changed.connect(lambda: self.edited.emit(self.form.values()))
        self._rows.insertWidget(0, self.form)

    def _fill(self, values: Mapping[str, Any]) -> None:
        shown = self.form.values()
        if any(shown[name] != value for name, value in values.items()):
            blocked = self.form.blockSignals(True)
            self.form.set_values(values)
            self.form.blockSignals(blocked)


def layers_of(classifier: Classifier | None) -> Choices:
    """Where the network can be cut: the default place, then the blocks, first to last."""
    if classifier is None or classifier.default_layer is None:
        return [("automatic", None)]
    default = classifier.default_layer
    blocks = [layer for layer in classifier.layers if layer.block or layer.name == default]
    return [(f"automatic ({default})", None), *((_title(layer), layer.name) for layer in blocks)]


def _title(layer: Layer) -> str:
    """ "layers.2: 128 × 8 × 8, every 32 px"."""
    shape = " × ".join(map(str, layer.shape))
    return f"{layer.name}: {shape}{' tokens' if layer.tokens else ''}, every {layer.stride:g} px"
