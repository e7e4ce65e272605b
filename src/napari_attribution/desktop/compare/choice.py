"""What is compared with what: what differs, and the other method, classifier or well."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel, QLineEdit, QStackedWidget, QWidget

from napari_attribution.desktop.compare.comparing import Comparing
from napari_attribution.desktop.compare.words import method_title
from napari_attribution.desktop.explain import files
from napari_attribution.desktop.widgets import parts

DIFFERS = (("the method", "method"), ("the classifier", "classifier"), ("the well", "well"))
PAGES = [name for _, name in DIFFERS]
NO_CLASSIFIER = "The other classifier's file: TorchScript or .pt2, with a card beside it"


class Choice(QWidget):
    """The form above the views.

    Parameters
    ----------
    comparing : Comparing
    """

    def __init__(self, comparing: Comparing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("choice")
        self.comparing = comparing
        self._folder = ""
        self.differs = parts.combo("differs", "What the two sides do not have in common; all else is the same")
        self.first = parts.text("first_side", "Side A: what the dock Explain well asks now")
        self.method = parts.combo(
            "other_method", "Side B: the same question, by another method with its default parameters"
        )
        self.well = parts.combo("other_well", "Side B: the same question about another well that is open")
        self.cells = parts.combo("other_cells", "The layer that marks the cells of the other well: points, or labels")
        self.path = QLineEdit()
        self.path.setObjectName("other_classifier")
        self.path.setReadOnly(True)
        self.path.setPlaceholderText("none chosen")
        self.path.setToolTip(NO_CLASSIFIER)
        self.open = parts.button("open_other", "Open …", "Choose the other classifier: a TorchScript or .pt2 file")
        file = QWidget()
        row = parts.row(self.path, self.open)
        row.setContentsMargins(0, 0, 0, 0)
        file.setLayout(row)
        self.pages = QStackedWidget()
        self.pages.setObjectName("other_pages")
        for page in (self.method, file, self.well):
            self.pages.addWidget(page)
        self.pages.setFixedHeight(max(page.sizeHint().height() for page in (self.method, file, self.well)))
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(5)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, field in (("What differs", self.differs), ("A", self.first), ("B", self.pages)):
            label = QLabel(title)
            label.setToolTip(field.toolTip())
            form.addRow(label, field)
        self.cells_title = QLabel("Cells of B")
        self.cells_title.setToolTip(self.cells.toolTip())
        form.addRow(self.cells_title, self.cells)
        c = comparing
        self.differs.activated.connect(lambda _index: c.differ(self.differs.currentData()))
        self.method.activated.connect(lambda _index: c.choose_method(self.method.currentData()))
        self.well.activated.connect(lambda index: c.choose_well(c.wells()[index]) if c.wells() else None)
        self.cells.activated.connect(lambda index: c.choose_cells([None, *c.cell_layers()][index]))
        self.open.clicked.connect(self._ask)

    def render_state(self) -> None:
        """Show what is chosen."""
        state, own = self.comparing.state, self.comparing.controller.state
        parts.offer(self.differs, DIFFERS, state.differs)
        self.pages.setCurrentIndex(PAGES.index(state.differs))
        offers = self.comparing.methods()
        parts.offer(self.method, [(one.method.title, one.method.name) for one in offers], state.method)
        for index, one in enumerate(offers):
            self.method.model().item(index).setEnabled(one.possible)
            tip = one.method.summary if one.possible else f"Not on offer: {one.why}"
            self.method.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        wells = self.comparing.wells()
        chosen = next((index for index, well in enumerate(wells) if well is state.well), None)
        entries = [(parts.bounded(well.name), index) for index, well in enumerate(wells)]
        parts.offer(self.well, entries or [("no other is open", None)], chosen)
        self.well.setEnabled(bool(wells))
        for widget in (self.cells_title, self.cells):
            widget.setVisible(self.comparing.wants_cells)
        marks = [(layer.name, layer.name) for layer in self.comparing.cell_layers()]
        parts.offer(self.cells, [("not chosen", None), *marks], state.cells.name if state.cells is not None else None)
        name = state.path.name if state.path else ""
        if self.path.text() != name:
            self.path.setText(name)
            self.path.setCursorPosition(0)
            self.path.setToolTip(str(state.path) if state.path else NO_CLASSIFIER)
        parts.say(self.first, self._first() if own.well is not None and own.classifier is not None else "–")

    def _first(self) -> str:
        """The question of the Explain dock, the part that differs first."""
        own, differs = self.comparing.controller.state, self.comparing.state.differs
        predicted = own.checked.predicted if own.checked else None
        told = {
            "method": method_title(own.method),
            "classifier": own.classifier.name,
            "well": own.well.name,
        }
        rest = [told[name] for name in ("well", "classifier", "method") if name != differs]
        asked = own.target or predicted or "the predicted class"
        return f"{told[differs]}\nwhy {asked} · {' · '.join(rest)}"

    def _ask(self) -> None:
        path = files.ask(self, "Open another classifier", self._folder, "TorchScript or .pt2", files.CLASSIFIERS)
        if path is not None:
            self._folder = str(path.parent)
            self.comparing.choose_classifier(path)
