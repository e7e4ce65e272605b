"""Small parts of which the dock is made: each has a name for tests and a tooltip for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_attribution.desktop.widgets.form import shrinkable
from napari_attribution.desktop.widgets.section import paint


class OpeningCombo(QComboBox):
    """A combo that says so before its list is opened."""

    opening = Signal()

    def showPopup(self) -> None:  # noqa: N802 - Qt's name
        self.opening.emit()
        super().showPopup()


def text(name: str, tip: str, quiet: bool = False) -> QLabel:
    """A text that wraps, and can be copied."""
    label = QLabel()
    label.setObjectName(name)
    label.setToolTip(tip)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    # Its least height is a line: for as many as it has at this width, the layout asks it.
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
    if quiet:
        label.setProperty("quiet", True)
    return label


def button(name: str, title: str, tip: str) -> QPushButton:
    """A button."""
    made = QPushButton(title)
    made.setObjectName(name)
    made.setToolTip(tip)
    return made


def line(name: str, hint: str) -> QLineEdit:
    """A line to write in; the hint stands in it while it is empty."""
    made = QLineEdit()
    made.setObjectName(name)
    made.setPlaceholderText(hint)
    made.setToolTip(hint[0].upper() + hint[1:])
    return made


def combo(name: str, tip: str, kind: type[QComboBox] = QComboBox) -> QComboBox:
    """A combo that does not widen the dock."""
    made = shrinkable(kind())
    made.setObjectName(name)
    made.setToolTip(tip)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return made


def row(*widgets: QWidget) -> QHBoxLayout:
    """Side by side; the first takes what room there is."""
    made = QHBoxLayout()
    made.setSpacing(6)
    for index, widget in enumerate(widgets):
        made.addWidget(widget, 1 if index == 0 else 0)
    return made


def align(*forms: QFormLayout) -> None:
    """Give the labels of forms that stand one below the other one width."""
    labels = [
        item.widget()
        for form in forms
        for number in range(form.rowCount())
        if (item := form.itemAt(number, QFormLayout.ItemRole.LabelRole)) is not None
    ]
    width = max(label.sizeHint().width() for label in labels)
    for label in labels:
        label.setMinimumWidth(width)


def rule() -> QFrame:
    """A thin line."""
    made = QFrame()
    made.setObjectName("rule")
    return made


def say(label: QLabel, words: str, level: str | None = None) -> None:
    """Show a text; nothing takes no room."""
    if label.text() != words:
        label.setText(words)
    label.setVisible(bool(words))
    if level is not None:
        paint(label, level)


def say_why_not(failed: QLabel, missing: QLabel, failure: str, obstacle: str, running: bool) -> None:
    """Show why the last run failed, and what is missing before the next; nothing twice.

    Parameters
    ----------
    failed, missing : QLabel
    failure, obstacle : str
        Sentences, empty where there is no such thing.
    running : bool
        Nothing is missing while something runs.
    """
    say(failed, f"✗ {failure}" if failure else "", "wrong" if failure else None)
    say(missing, "" if running or obstacle == failure else obstacle)


def show_text(line: QLineEdit, words: str) -> None:
    """Show what is wanted, unless the user is writing just now."""
    if line.text() != words and not line.hasFocus():
        line.setText(words)


def offer(box: QComboBox, entries: Sequence[tuple[str, Any]], value: object) -> None:
    """Offer these (title, value) pairs and choose one, without telling anyone."""
    blocked = box.blockSignals(True)
    if [box.itemData(i) for i in range(box.count())] != [data for _, data in entries]:
        box.clear()
        for title, data in entries:
            box.addItem(title, data)
    for index, (title, _) in enumerate(entries):
        # A list that is open stays so while its words change.
        if box.itemText(index) != title:
            box.setItemText(index, title)
    chosen = next((i for i, (_, data) in enumerate(entries) if data == value), 0)
    if box.currentIndex() != chosen:
        box.setCurrentIndex(chosen)
    box.blockSignals(blocked)


def bounded(name: str, length: int = 60) -> str:
    """A name that does not fill the screen."""
    return name if len(name) <= length else name[: length - 1] + "…"
