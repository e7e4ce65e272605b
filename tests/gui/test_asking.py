"""Asking the map in a real window: the pointer, the brush, whole cells, the slider."""

import os

import numpy as np
import pytest
from clicking import choose, click, wait
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QScrollArea, QSlider, QToolButton

from napari_attribution.desktop import sample
from napari_attribution.desktop.asking.readout import read
from napari_attribution.desktop.asking.view import POINT
from napari_attribution.desktop.layers.known import find
from napari_attribution.desktop.layers.removed import REMOVED
from napari_attribution.desktop.layers.veil import VEIL
from napari_attribution.errors import AttributionError
from napari_attribution.faithfulness.enough import enough
from napari_attribution.faithfulness.what_if import what_if

pytestmark = pytest.mark.gui


def has_sample() -> bool:
    try:
        return sample.classifier().is_file()
    except AttributionError:
        return False


needs_sample = pytest.mark.skipif(not has_sample(), reason="the sample classifier has not been made")


@pytest.fixture
def asking(window, dock, qtbot):
    """The sample, explained, with the dock scrolled to what can be asked."""
    controller = dock.controller
    controller.try_sample()
    wait(qtbot, lambda: controller.status.ready)
    assert not dock.asking.isVisible()
    controller.set(method="pixel-ablation-cam")
    controller.explain()
    wait(qtbot, lambda: controller.state.answer is not None and not controller.state.explaining)
    window.fit_to_view()
    qtbot.wait(300)
    return dock.asking


def press_heading(qtbot, dock, name):
    """Open a section, or close it; then bring it into view."""
    heading = dock.findChild(QToolButton, f"{name}_heading")
    qtbot.mouseClick(heading, Qt.MouseButton.LeftButton)
    qtbot.wait(100)
    dock.findChild(QScrollArea, "explain_scroll").ensureWidgetVisible(heading.parentWidget())
    QApplication.processEvents()


def on_canvas(viewer, world):
    """The pixel of the canvas at which a place of the world is seen."""
    camera, (height, width) = viewer.scene.camera, viewer.canvas.size
    row, column = (np.asarray(world) - np.asarray(camera.center[-2:])) * camera.zoom + (height / 2, width / 2)
    return QPointF(float(column), float(row))


def mouse(viewer, kind, at, held=False):
    canvas = viewer.window._qt_viewer.canvas.native
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    button = none if kind == QEvent.Type.MouseMove else left
    buttons = left if held else none
    whole = QPointF(canvas.mapToGlobal(QPoint(0, 0))) + at
    QApplication.sendEvent(canvas, QMouseEvent(kind, at, whole, button, buttons, Qt.KeyboardModifier.NoModifier))
    QApplication.processEvents()


def drag(viewer, *world):
    at = [on_canvas(viewer, place) for place in world]
    mouse(viewer, QEvent.Type.MouseMove, at[0])
    mouse(viewer, QEvent.Type.MouseButtonPress, at[0], held=True)
    for place in at[1:]:
        mouse(viewer, QEvent.Type.MouseMove, place, held=True)
    mouse(viewer, QEvent.Type.MouseButtonRelease, at[-1])


@needs_sample
@pytest.mark.slow
def test_pointer_brush_and_whole_cells_and_then_the_dock_closes(asking, window, dock, qtbot):
    label, layer = dock.findChild(QLabel, "reading"), find(window, "map")
    assert label.text() == POINT
    strongest = np.unravel_index(int(np.argmax(layer.data)), layer.data.shape)
    mouse(window, QEvent.Type.MouseMove, on_canvas(window, layer.data_to_world(strongest)))
    wait(qtbot, lambda: label.text().startswith("Row "), 10)
    qtbot.wait(100)
    found = read(window, dock.controller.state, window.cursor.position)
    assert label.text() == found.sentence
    # A pixel of the screen is more than one of the well's here.
    assert np.abs(np.subtract((found.row, found.column), strongest)).max() <= 2
    assert "does not tell the stains apart" in label.text()
    mouse(window, QEvent.Type.MouseMove, QPointF(3, 3))
    wait(qtbot, lambda: label.text() == POINT, 10)

    state, removing = dock.controller.state, asking.removing
    press_heading(qtbot, dock, "remove_section")
    said = dock.findChild(QLabel, "what_if")
    assert "nothing is removed yet" in said.text()
    click(qtbot, dock, "remove_brush")
    dock.asking.removal.size.setValue(90)
    layer = find(window, REMOVED)
    for row in (45, 130, 215, 300, 385, 470):
        drag(window, *(layer.data_to_world((row, column)) for column in (20, 200, 380, 490)))
    wait(qtbot, lambda: removing.result is not None)
    result = removing.result
    assert removing.erased.steps == 6
    assert layer.data.mean() > 0.9 * 31
    assert result == what_if(state.explained, layer.data > 0)
    assert said.text().startswith("mito fragmented 99")
    assert "changes its mind" in said.text()
    click(qtbot, dock, "put_back")
    assert "nothing is removed yet" in said.text()
    click(qtbot, dock, "remove_undo")
    wait(qtbot, lambda: removing.result is not None)
    assert removing.result == result
    click(qtbot, dock, "put_back")

    click(qtbot, dock, "remove_brush")
    assert layer.mode == "pan_zoom"
    choose(qtbot, dock, "remove_stain", "Mito")
    click(qtbot, dock, "remove_cell")
    cells = window.layers["cells"]
    place = np.argwhere(cells.data == np.unique(cells.data)[5])
    where = cells.data_to_world(place[len(place) // 2])
    drag(window, where, where)
    wait(qtbot, lambda: removing.result is not None)
    there = cells.data == cells.data[tuple(place[len(place) // 2])]
    assert removing.result == what_if(state.explained, {"Mito": there})
    assert "Mito only" in dock.findChild(QLabel, "what_if_score").text()
    steps, before = removing.erased.steps, window.scene.camera.center
    drag(window, where, np.asarray(where) + 30, np.asarray(where) + 60)
    assert window.scene.camera.center != before
    assert removing.erased.steps == steps

    # The dock closes while all of it is at work.
    press_heading(qtbot, dock, "enough_section")
    click(qtbot, dock, "remove_brush")
    removing.remove(~there)
    controller, listening = dock.controller, len(window.cursor.events.position.callbacks)
    dock.deleteLater()
    wait(qtbot, lambda: len(window.cursor.events.position.callbacks) < listening, 10)
    assert controller.closed
    mouse(window, QEvent.Type.MouseMove, QPointF(200, 200))
    window.layers.clear()
    qtbot.wait(200)


@needs_sample
def test_slider_veil_and_curve_and_then_the_classifier_goes(asking, window, dock, qtbot, gaps, monkeypatch):
    known = asking.sufficing
    press_heading(qtbot, dock, "enough_section")
    wait(qtbot, lambda: known.found is not None and known.curves is not None)
    qtbot.wait(300)
    slider, said = dock.findChild(QSlider, "top_share"), dock.findChild(QLabel, "enough")
    assert "keeps" in said.text()
    plot = asking.enough.plot
    assert plot.isVisible()
    gaps.phase = "slide"
    started, start = [], dock.controller.jobs.start
    monkeypatch.setattr(dock.controller.jobs, "start", lambda *job: (started.append(known.percent), start(*job))[1])
    for percent in range(100, 0, -1):
        slider.setValue(percent)
        assert find(window, VEIL).contrast_limits[1] == pytest.approx(percent / 50)
        assert plot.line.value() == percent
    assert "about" in said.text()
    wait(qtbot, lambda: known.found is not None, 20)
    qtbot.wait(200)
    assert started == [1]
    assert known.found == enough(dock.controller.state.explained, 0.01)
    print(f"\nlongest pause for 100 moves: {gaps.longest('slide'):.0f} ms, load {os.getloadavg()[0]:.1f}")

    press_heading(qtbot, dock, "remove_section")
    for kind in (QPushButton, QComboBox, QSlider):
        for control in asking.findChildren(kind):
            if control.isVisible():
                assert control.objectName()
                assert control.toolTip()
                right = control.mapTo(dock, control.rect().topRight()).x()
                assert right <= dock.width(), control.objectName()
    for button in asking.findChildren(QPushButton):
        assert button.width() >= button.fontMetrics().horizontalAdvance(button.text())
    dock.controller.unload()
    qtbot.wait(200)
    for name in ("what_if_problem", "enough_problem"):
        label = dock.findChild(QLabel, name)
        assert label.isVisible()
        assert "unloaded" in label.text()
    assert not dock.findChild(QPushButton, "remove_brush").isVisible()
    press_heading(qtbot, dock, "enough_section")
    assert not find(window, VEIL).visible
