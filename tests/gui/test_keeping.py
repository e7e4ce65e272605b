"""Kept, closed, opened again and repeated, by real clicks."""

import numpy as np
import pytest
import tifffile
from clicking import choose, click, wait
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QApplication, QLabel, QPushButton

from napari_attribution.desktop.keeping import dialogs, remembered

pytestmark = pytest.mark.gui


def pick(qtbot, dock, name, entry):
    """Open a button's menu by the mouse and click an entry of it."""
    button = dock.findChild(QPushButton, name)
    assert button.isVisible(), f"{name} is not to be seen"
    menu, triggered = button.menu(), []
    action = menu.findChild(QAction, entry)

    def press():
        assert action.isEnabled(), f"{entry} cannot be chosen"
        spot = menu.actionGeometry(action).center()
        qtbot.mouseMove(menu, spot)
        qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=spot)
        if triggered or not menu.isVisible():
            menu.close()
        else:
            shown()  # On a busy machine the click came too soon for the menu, see there.

    def shown():
        # The menu takes what comes soon after for the end of the click that opened it.
        QTimer.singleShot(QApplication.doubleClickInterval() + 100, press)

    def note():
        triggered.append(True)

    menu.aboutToShow.connect(shown)
    action.triggered.connect(note)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    wait(qtbot, lambda: bool(triggered), 30)
    menu.aboutToShow.disconnect(shown)
    action.triggered.disconnect(note)
    menu.close()


def said(qtbot, dock):
    label = dock.findChild(QLabel, "kept")
    wait(qtbot, lambda: dock.keeping.keeper.said and dock.keeping.keeper.level != "busy")
    assert label.isVisible()
    return label.text().replace("\u200b", "")


def open_sample(qtbot, dock):
    click(qtbot, dock, "try_sample")
    wait(qtbot, lambda: dock.findChild(QPushButton, "explain").isEnabled())


@pytest.mark.slow
def test_explained_kept_and_repeated(window, dock, qtbot, tmp_path, monkeypatch):
    open_sample(qtbot, dock)
    choose(qtbot, dock, "method", "Fused")
    assert not dock.findChild(QPushButton, "keep").isVisible()
    click(qtbot, dock, "explain")
    wait(qtbot, lambda: dock.controller.state.answer is not None)
    answer = dock.controller.state.answer

    asked = []

    def save(_parent, _title, proposed, kinds):
        asked.append(proposed)
        return tmp_path / ("why.ome.tiff" if "TIFF" in kinds else "why.png")

    monkeypatch.setattr(dialogs, "save", save)
    pick(qtbot, dock, "keep", "keep_map")
    assert str(tmp_path / "why.ome.tiff") in said(qtbot, dock)
    assert asked[0] == "B03_mito-fragmented_fused-ablation-cam_mito-fragmented.ome.tiff"
    assert tifffile.imread(tmp_path / "why.ome.tiff").tobytes() == answer.values.tobytes()
    pick(qtbot, dock, "keep", "keep_figure")
    wait(qtbot, lambda: (tmp_path / "why.png").exists())
    assert "The figure is kept as" in said(qtbot, dock)
    pick(qtbot, dock, "keep", "keep_python")
    wait(qtbot, lambda: "read_well" in QApplication.clipboard().text())
    assert "method='fused-ablation-cam'" in QApplication.clipboard().text()

    # Everything is closed; the record alone brings it back.
    click(qtbot, dock, "unload")
    window.layers.clear()
    wait(qtbot, lambda: not dock.controller.state.wells and dock.controller.state.classifier is None)
    monkeypatch.setattr(dialogs, "record", lambda _parent, _folder: tmp_path / "why.json")
    pick(qtbot, dock, "repeat", "repeat_file")
    assert said(qtbot, dock) == "The same map as in the record, bit for bit."
    again = dock.controller.state.answer
    assert again is not answer
    assert again.values.tobytes() == answer.values.tobytes()
    assert dict(again.channel_importance) == dict(answer.channel_importance)
    names = {layer.name for layer in window.layers}
    assert {"DNA", "ER", "RNA", "AGP", "Mito", "why mito fragmented - Fused Ablation-CAM"} <= names

    # And so does the layer that carries it.
    choose(qtbot, dock, "method", "Pixel Ablation-CAM")
    window.layers.selection.active = window.layers["why mito fragmented - Fused Ablation-CAM"]
    pick(qtbot, dock, "repeat", "repeat_layer")
    wait(qtbot, lambda: dock.controller.state.answer is not again)
    assert said(qtbot, dock) == "The same map as in the record, bit for bit."
    assert np.array_equal(dock.controller.state.answer.values, answer.values)
    assert dock.controller.state.method == "fused-ablation-cam"


def test_the_classifier_of_last_time_is_offered(window, qtbot, tmp_path, monkeypatch):
    from napari_attribution.desktop import sample

    monkeypatch.setenv(remembered.SWITCH, str(tmp_path / "dock.json"))
    weights = sample.classifier()
    remembered.remember(remembered.NOTHING.model_copy(update={"classifier": str(weights), "method": "pcim"}))
    _, dock = window.window.add_plugin_dock_widget("napari-attribution", "Explain well")
    button = dock.findChild(QPushButton, "open_again")
    wait(qtbot, lambda: button.isVisible())
    assert button.text() == f"Open again: {weights.name}"
    assert dock.controller.state.classifier is None
    click(qtbot, dock, "open_again")
    wait(qtbot, lambda: dock.controller.state.classifier is not None)
    assert dock.controller.state.path == weights
    assert not button.isVisible()
    assert dock.controller.state.method == "pcim"
    dock.controller.close()
