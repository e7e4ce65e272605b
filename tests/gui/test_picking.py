"""Picking in a real window, with real clicks on the canvas."""

import numpy as np
import pandas as pd
import pytest
from clicking import click, wait
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QComboBox, QFileDialog, QLabel, QPushButton

from napari_attribution.desktop import sample
from napari_attribution.desktop.layers.picks import picks_layer
from napari_attribution.desktop.picks.pointing import METHOD, NEXT, PICK, PREVIOUS

pytestmark = pytest.mark.gui

needs_sample = pytest.mark.skipif(
    not (sample.sample_folder() / "phenotypes.pt").is_file(), reason="the sample classifier has not been made"
)
SHIFT, NONE = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier


def open_sample(qtbot, dock):
    click(qtbot, dock, "try_sample")
    wait(qtbot, lambda: dock.controller.status.ready)


def canvas(window):
    return window.window._qt_viewer.canvas.native


def on_canvas(window, world):
    """Where on the canvas a point of the world is drawn."""
    native, camera = canvas(window), window.scene.camera
    middle = np.array([native.height(), native.width()]) / 2
    row, column = middle + (np.asarray(world)[-2:] - np.asarray(camera.center)[-2:]) * camera.zoom
    return QPoint(round(column), round(row))


def click_at(qtbot, window, world, held=SHIFT):
    qtbot.mouseClick(canvas(window), Qt.MouseButton.LeftButton, held, on_canvas(window, world))


def drag(qtbot, window, start, end, held=SHIFT):
    native, a, b = canvas(window), on_canvas(window, start), on_canvas(window, end)
    qtbot.mousePress(native, Qt.MouseButton.LeftButton, held, a)
    for share in (0.3, 0.6, 1.0):
        qtbot.wait(50)
        at = QPointF(a) + (QPointF(b) - QPointF(a)) * share
        left = Qt.MouseButton.LeftButton
        QApplication.sendEvent(
            native, QMouseEvent(QEvent.Type.MouseMove, at, native.mapToGlobal(at), Qt.MouseButton.NoButton, left, held)
        )
    qtbot.wait(50)
    yield
    qtbot.mouseRelease(native, Qt.MouseButton.LeftButton, held, b)
    yield


def middle_of(window, label):
    layer = window.layers["cells"]
    return layer.data_to_world(np.argwhere(layer.data == label).mean(axis=0).round())


def settled(dock):
    state = dock.controller.state
    found = state.answer
    return found is not None and not found.record.get("pick", {}).get("coarse", False) and not state.explaining


def press(qtbot, window, key, held=NONE):
    canvas(window).setFocus()
    qtbot.keyClick(canvas(window), key, held)


@needs_sample
@pytest.mark.slow
def test_from_clicks_to_a_table_and_back(window, dock, qtbot):
    open_sample(qtbot, dock)
    state, picks = dock.controller.state, dock.picks.picks
    wait(qtbot, lambda: picks.state.cells is window.layers["cells"])
    window.layers.selection.active = window.layers["cells"]

    click_at(qtbot, window, middle_of(window, 20))
    wait(qtbot, lambda: state.answer is not None)
    assert state.answer.place.name == "cell 20"
    wait(qtbot, lambda: settled(dock))
    assert "Without cell 20" in dock.findChild(QLabel, "answer_headline").text()
    count = len(window.layers)

    # Pick on: a click without Shift will do, and the image stays where it is.
    click(qtbot, dock, "pick")
    centre = window.scene.camera.center
    click_at(qtbot, window, middle_of(window, 12), NONE)
    wait(qtbot, lambda: state.answer.place.name == "cell 12" and settled(dock))
    moves = drag(qtbot, window, (100, 100), (160, 190), NONE)
    next(moves)
    assert window.layers["picked"].visible, "what is drawn is to be seen"
    assert np.allclose(np.ptp(window.layers["picked"].data[0], axis=0), (60, 90), atol=3)
    next(moves)
    wait(qtbot, lambda: "region" in state.answer.place.name and settled(dock))
    assert window.scene.camera.center == centre
    click(qtbot, dock, "pick")

    assert len(window.layers) == count
    assert list(picks_layer(window).features["pick"]) == [1, 2, 3]

    # A key: the pick before, the next one, the one under the pointer, another method.
    press(qtbot, window, Qt.Key.Key_N, SHIFT)
    wait(qtbot, lambda: state.answer.place.name == "cell 12" and settled(dock))
    press(qtbot, window, Qt.Key.Key_N)
    wait(qtbot, lambda: "region" in state.answer.place.name and settled(dock))
    window.cursor.position = tuple(middle_of(window, 20))
    press(qtbot, window, Qt.Key.Key_K)
    wait(qtbot, lambda: state.answer.place.name == "cell 20" and settled(dock))
    method = state.method
    press(qtbot, window, Qt.Key.Key_W)
    wait(qtbot, lambda: state.method != method and state.answer.method == state.method and settled(dock))

    click(qtbot, dock, "back_to_well")
    wait(qtbot, lambda: state.answer.place is None)
    assert not dock.findChild(QPushButton, "back_to_well").isVisible()
    assert not window.layers["picked"].visible


@needs_sample
@pytest.mark.slow
def test_naparis_own_table_shows_and_exports_the_picks(window, dock, qtbot, monkeypatch, tmp_path):
    open_sample(qtbot, dock)
    state, picks = dock.controller.state, dock.picks.picks
    wait(qtbot, lambda: picks.state.cells is window.layers["cells"])
    for label in (20, 12):
        click_at(qtbot, window, middle_of(window, label))
        wait(qtbot, lambda label=label: settled(dock) and state.answer.place.name == f"cell {label}")

    _, table = window.window.add_plugin_dock_widget("napari", "Features table widget")
    window.layers.selection.active = picks_layer(window)
    rows = table.table.model()
    wait(qtbot, lambda: rows.rowCount() == 2)
    first = table.table.visualRect(rows.mapFromSource(rows.sourceModel().index(0, 1)))
    qtbot.mouseClick(table.table.viewport(), Qt.MouseButton.LeftButton, NONE, first.center())
    wait(qtbot, lambda: state.answer.place.name == "cell 20" and settled(dock))
    file = tmp_path / "picks.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args, **_options: (str(file), ""))
    qtbot.mouseClick(table.save, Qt.MouseButton.LeftButton)
    saved = pd.read_csv(file)
    assert list(saved["place"]) == ["cell 20", "cell 12"]
    assert saved["top stain"].tolist() == ["Mito", "Mito"]
    assert saved["probability"].notna().all()


@needs_sample
@pytest.mark.slow
def test_a_storm_of_clicks_is_answered_once(window, dock, qtbot, gaps):
    open_sample(qtbot, dock)
    picks = dock.picks.picks
    wait(qtbot, lambda: picks.state.cells is not None)
    asked = []
    start = dock.controller.jobs.start
    dock.controller.jobs.start = lambda kind, *a: (asked.append(kind), start(kind, *a))[1]
    for number in range(500):
        click_at(qtbot, window, middle_of(window, 1 + number % 40))
        qtbot.wait(20)
    click_at(qtbot, window, middle_of(window, 20))
    wait(qtbot, lambda: settled(dock) and dock.controller.state.answer.place.name == "cell 20", 30)
    assert asked.count("explain") >= 500
    answered = len(picks_layer(window).data)
    assert answered < 15, "clicks do not queue up"
    assert dock.controller.state.run_error is None


@needs_sample
def test_a_tool_keeps_its_clicks(window, dock, qtbot):
    open_sample(qtbot, dock)
    before = window.layers["cells"].data.copy()
    window.layers.selection.active = window.layers["Mito"]
    window.layers["Mito"].mode = "transform"
    click_at(qtbot, window, middle_of(window, 20))
    said = dock.findChild(QLabel, "pick_said")
    assert "pan/zoom" in said.text()
    assert not dock.controller.state.explaining
    np.testing.assert_array_equal(window.layers["cells"].data, before)


def test_without_a_well_the_bar_says_what_is_missing(window, dock, qtbot):
    click(qtbot, dock, "pick")
    said = dock.findChild(QLabel, "pick_said")
    assert said.isVisible()
    assert "Open a well" in said.text()
    qtbot.mouseClick(canvas(window), Qt.MouseButton.LeftButton, SHIFT, QPoint(50, 50))
    assert "Open a well" in said.text()
    assert dock.findChild(QComboBox, "pick_cells").currentText() == "none: a square"


def test_mouse_and_keys_are_given_back(window, dock, qtbot):
    keys = {str(key) for key in window.keymap}
    assert {PICK, NEXT, METHOD} <= keys
    assert any(key.replace("Shift+", "Shift-") == PREVIOUS for key in keys)
    pointer = dock.picks.pointer
    assert pointer.clicked in window.mouse_drag_callbacks
    dock.picks.pointer.close()
    dock.picks.picks.close()
    assert not window.keymap
    assert pointer.clicked not in window.mouse_drag_callbacks


def test_a_key_that_somebody_has_already_stays_theirs(window, qtbot):
    mine = []
    window.bind_key(PICK, lambda _viewer: mine.append(1))
    _, widget = window.window.add_plugin_dock_widget("napari-attribution", "Explain well")
    press(qtbot, window, Qt.Key.Key_K)
    assert mine == [1]
    widget.picks.pointer.close()
    assert len(window.keymap) == 1
    widget.controller.close()


@needs_sample
def test_the_window_closes_in_mid_run(window, dock, qtbot):
    open_sample(qtbot, dock)
    click_at(qtbot, window, middle_of(window, 20))
    window.close()
    qtbot.wait(600)
