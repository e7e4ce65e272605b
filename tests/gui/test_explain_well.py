"""The main job in a real window, with real clicks: open the sample, choose a method, Explain, Cancel."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clicking import choose, click, wait
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QPushButton

from napari_attribution.desktop import layers, sample
from napari_attribution.errors import AttributionError

pytestmark = pytest.mark.gui


def has_sample() -> bool:
    try:
        return sample.classifier().with_name("phenotypes.bioimageio.yaml").is_file()
    except AttributionError:
        return False


needs_sample = pytest.mark.skipif(not has_sample(), reason="the sample classifier has not been made")


def open_sample(qtbot, dock):
    click(qtbot, dock, "try_sample")
    wait(qtbot, lambda: dock.controller.state.checked is not None)
    wait(qtbot, lambda: dock.findChild(QPushButton, "explain").isEnabled())


def names(viewer):
    return [layer.name for layer in viewer.layers]


@needs_sample
def test_from_the_sample_to_the_answer(window, dock, qtbot, tmp_path):
    open_sample(qtbot, dock)
    wells = names(window)
    assert wells == ["DNA", "ER", "RNA", "AGP", "Mito", "cells"]

    choose(qtbot, dock, "method", "Pixel Ablation-CAM")
    click(qtbot, dock, "explain")
    wait(qtbot, lambda: dock.controller.state.answer is not None)
    answer = dock.controller.state.answer
    assert names(window) == [*wells, f"why {answer.target} - Pixel Ablation-CAM", "channel importance"]
    assert max(answer.channel_importance, key=answer.channel_importance.get) == "Mito"
    assert "Mito" in dock.findChild(QLabel, "answer_headline").text()
    first = [id(layer) for layer in window.layers]

    # Asking again, by another method, changes these layers and adds only the maps by stain.
    choose(qtbot, dock, "method", "PCIM")
    box = dock.findChild(QCheckBox, "per_stain")
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=_box_spot(box))
    assert box.isChecked()
    click(qtbot, dock, "explain")
    wait(qtbot, lambda: dock.controller.state.answer is not answer)
    assert set(first) <= {id(layer) for layer in window.layers}
    assert len(window.layers) == 6 + 5 + 2
    top = window.layers[names(window).index(f"why {dock.controller.state.answer.target} - PCIM")]
    assert np.allclose(top.extent.world, window.layers["Mito"].extent.world)
    window.screenshot(str(tmp_path / "explained.png"), canvas_only=False, flash=False)


def _box_spot(box):
    from qtpy.QtCore import QPoint

    return QPoint(8, box.height() // 2)


@needs_sample
@pytest.mark.slow
def test_cancel_leaves_things_as_they_were(window, dock, qtbot):
    open_sample(qtbot, dock)
    before = names(window)
    choose(qtbot, dock, "method", "PCIM")
    dock.question.parameters.heading.click()
    dock.form.fields["steps"].setValue(1000)
    click(qtbot, dock, "explain")
    wait(qtbot, lambda: dock.controller.state.progress[1] > 0, 30)
    click(qtbot, dock, "cancel")
    assert not dock.controller.state.explaining
    qtbot.wait(500)
    assert names(window) == before
    assert dock.controller.state.answer is None
    assert dock.findChild(QPushButton, "explain").isVisible()
    # And the worker is free again.
    dock.form.fields["steps"].setValue(2)
    click(qtbot, dock, "explain")
    wait(qtbot, lambda: dock.controller.state.answer is not None)


@needs_sample
@pytest.mark.slow
def test_the_window_answers_while_a_classifier_is_loaded_and_explained(window, dock, qtbot, gaps, monkeypatch):
    state = dock.controller.state
    dock.controller.open_well(sample.first_well())
    wait(qtbot, lambda: not state.opening and state.well is not None)
    qtbot.wait(300)
    gaps.phase = "load and look"
    dock.controller.open_classifier(sample.classifier())
    wait(qtbot, lambda: state.checked is not None)
    gaps.phase = "compute"
    steps = layers.attribution_steps

    def note(*args):
        gaps.phase = "layers"
        return steps(*args)

    monkeypatch.setattr(layers, "attribution_steps", note)
    click(qtbot, dock, "explain")
    wait(qtbot, lambda: state.answer is not None)
    qtbot.wait(500)
    gaps.phase = "compute again"
    first = state.answer
    click(qtbot, dock, "explain")
    wait(qtbot, lambda: state.answer is not first)
    report = {phase: round(gaps.longest(phase)) for phase in ("load and look", "compute", "layers", "compute again")}
    print(f"\nlongest pause of the window in ms: {report}, load {os.getloadavg()[0]:.1f}")
    # The figure itself (100 ms) is benchmarks/dock.py's to measure, on a quiet machine. Here a busy one must not fail, and
    # what would freeze the window all the same must: torch imported or the network run in the window's thread.
    allowed = 300 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert report["load and look"] <= allowed
    # The "layers" are napari's own work, a layer at a time: it builds their controls and compiles their shaders.
    assert report["compute"] <= allowed
    assert report["compute again"] <= allowed


def test_the_samples_open_from_the_file_menu(window, qtbot):
    window.open_sample("napari-attribution", "mito-fragmented")
    assert {"DNA", "ER", "RNA", "AGP", "Mito", "cells"} <= set(names(window))
    assert {str(unit) for unit in window.layers["Mito"].units} == {"micrometer"}
    assert np.any(window.layers["truth: affected cells"].data)


def test_every_control_has_a_name_and_a_tooltip(dock):
    from qtpy.QtWidgets import QAbstractSpinBox, QLineEdit, QToolButton

    kinds = (QPushButton, QComboBox, QCheckBox, QLineEdit, QToolButton, QAbstractSpinBox)
    for kind in kinds:
        for control in dock.findChildren(kind):
            if control.objectName().startswith("qt_") or isinstance(control.parent(), QAbstractSpinBox):
                continue
            assert control.objectName(), control
            assert control.toolTip(), control.objectName()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_cut_off_in_a_dock_of_400_pixels(window, dock, qtbot, theme):
    window.theme = theme
    qtbot.wait(50)
    for button in dock.findChildren(QPushButton):
        if button.isVisible():
            text = button.fontMetrics().horizontalAdvance(button.text())
            assert button.width() >= text, button.objectName()
            right = button.mapTo(dock, button.rect().topRight()).x()
            assert right <= dock.width(), button.objectName()


def test_a_bad_file_is_a_status_card(window, dock, qtbot, tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"no network")
    dock.controller.open_classifier(path)
    wait(qtbot, lambda: not dock.controller.state.loading)
    dock.controller.open_well(Path(__file__))
    wait(qtbot, lambda: not dock.controller.state.opening)
    headline = dock.findChild(QLabel, "headline")
    assert headline.isVisible()
    assert Path(__file__).name in headline.text()
    assert headline.property("level") == "wrong"


@pytest.mark.slow
def test_the_dock_appears_within_a_second_and_without_torch():
    """In a process of its own: here, other tests have imported everything already."""
    code = """
import sys, time
import napari
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer()
QApplication.processEvents()
start = time.perf_counter()
viewer.window.add_plugin_dock_widget("napari-attribution", "Explain well")
QApplication.processEvents()
print("seconds", time.perf_counter() - start, "torch" in sys.modules)
"""
    fastest = float("inf")
    # The figure itself (1 s) is benchmarks/dock.py's to measure. A new installation, where Python compiles what it imports
    # for the first time, or a busy machine must not fail here; a dock that waits for torch must.
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90, check=True)
        _, seconds, torch = next(line for line in done.stdout.splitlines() if line.startswith("seconds")).split()
        assert torch == "False"
        fastest = min(fastest, float(seconds))
        if fastest <= 1:
            break
    print(f"\nthe dock appeared after {fastest:.2f} s, load {os.getloadavg()[0]:.1f}")
    assert fastest <= 5 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def test_a_dock_that_is_closed_goes_for_good(window, qtbot):
    docked, widget = window.window.add_plugin_dock_widget("napari-attribution", "Explain well")
    controller = widget.controller
    wait(qtbot, lambda: not controller.jobs.busy("warm up"))
    gone = []
    widget.destroyed.connect(lambda: gone.append(True))
    window.window.remove_dock_widget(docked)
    wait(qtbot, lambda: bool(gone))
    assert controller.closed
    _, again = window.window.add_plugin_dock_widget("napari-attribution", "Explain well")
    assert again.controller is not controller
    assert not again.controller.closed
    again.controller.close()
