"""What a user does to the dock, by the mouse."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QComboBox, QPushButton


def click(qtbot, dock, name):
    """Press the left mouse button in the middle of a visible button."""
    button = dock.findChild(QPushButton, name)
    assert button.isVisible(), f"{name} is not to be seen"
    assert button.isEnabled(), f"{name} cannot be pressed: {dock.controller.status.headline}"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(qtbot, dock, name, text):
    """Open a combo by the mouse and click an entry."""
    combo, index = press(qtbot, dock, name, text)
    qtbot.waitUntil(lambda: combo.currentIndex() == index)


def press(qtbot, dock, name, text):
    """Open a combo by the mouse and press an entry, whether it can be chosen or not; returns the combo and the place."""
    combo = dock.findChild(QComboBox, name)
    index = next(i for i in range(combo.count()) if combo.itemText(i).startswith(text))
    qtbot.mouseClick(combo, Qt.MouseButton.LeftButton)
    view = combo.view()
    qtbot.waitUntil(view.isVisible)
    # Qt takes a release soon after the press that opened the list for the end of that click.
    qtbot.wait(QApplication.doubleClickInterval() + 100)
    item = view.visualRect(combo.model().index(index, 0))
    qtbot.mouseMove(view.viewport(), item.center())
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=item.center())
    return combo, index


def wait(qtbot, condition, seconds=90):
    qtbot.waitUntil(condition, timeout=1000 * seconds)
