"""The dock "Train channel importance" in a real window, with real clicks."""

import gc
import threading
import weakref

import labelled_plates
import numpy as np
import pytest
from clicking import choose, wait
from labelled_plates import CLASSES, STAINS
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QLineEdit, QPushButton, QSpinBox

from napari_attribution.desktop.explain import files
from napari_attribution.desktop.keeping import dialogs
from napari_attribution.desktop.train import training as module
from napari_attribution.desktop.train import wanted as kept
from napari_attribution.desktop.train.loss_view import LossView
from napari_attribution.training.answers.answer import read_answer

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def _kept_here(monkeypatch, tmp_path):
    """What is begun is kept where no other test finds it, and the sample's training is short."""
    monkeypatch.setenv("NAPARI_ATTRIBUTION_SETTINGS", str(tmp_path / "settings" / "dock.json"))
    monkeypatch.setattr(module, "QUICK", {"size": 64, "seeds": 1, "epochs": 4, "least_steps": 4, "compare": False})


@pytest.fixture
def train(window, qtbot):
    """The dock as napari opens it from its Plugins menu."""
    docked, widget = window.window.add_plugin_dock_widget("napari-attribution", "Train channel importance")
    window.window._qt_window.resizeDocks([docked], [420], Qt.Orientation.Horizontal)
    wait(qtbot, lambda: widget.settler.settled)
    yield widget
    widget.training.close()
    widget.controller.close()


def press(qtbot, dock, name):
    button = dock.findChild(QPushButton, name)
    dock.scroll.ensureWidgetVisible(button)
    QApplication.processEvents()
    assert button.isVisible(), f"{name} is not to be seen"
    assert button.isEnabled(), f"{name} cannot be pressed"
    qtbot.mouseClick(button, LEFT)


def text(dock, name):
    label = dock.findChild(QLabel, name)
    return label.text() if label.isVisible() else ""


def colours(widget):
    """What is on the screen, (H, W, 3)."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    pixels = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    return pixels.reshape(image.height(), -1)[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)


def length(chart, color):
    """Pixels of a bar in this colour, "#rrggbb"."""
    wanted = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    return int((np.abs(colours(chart).astype(int) - wanted).max(axis=2) < 6).sum(axis=1).max())


@pytest.mark.slow
def test_from_the_sample_plate_to_an_answer_that_explains(window, train, qtbot, tmp_path, monkeypatch):
    state = train.training.state
    assert "Which stain carries a phenotype?" in text(train, "train_help")
    press(qtbot, train, "train_sample")
    wait(qtbot, lambda: state.counts is not None)
    assert text(train, "train_counts").splitlines()[0] == "compound: 12 wells, 16 fields"
    assert train.findChild(QComboBox, "train_labels").currentText() == "treatment"

    press(qtbot, train, "train")
    bars = train.progress.bars
    wait(qtbot, lambda: state.course.importance is not None and bars.isVisible())
    colors = train._colors()
    alike = length(bars, colors["Mito"])
    assert alike > 20, "the bar is there, in the colour of its stain"
    wait(qtbot, lambda: length(bars, colors["Mito"]) != alike)
    assert not train.ask.plate.isVisible(), "the form makes way"
    press(qtbot, train, "cancel_training")
    assert not state.running
    assert "can go on" in text(train, "train_told")
    assert train.findChild(QPushButton, "train").text() == "Go on"

    press(qtbot, train, "train")
    wait(qtbot, lambda: not state.running)
    assert state.failure is None, state.failure
    assert "matters most" in text(train, "answer_headline")
    assert "Only one seed was trained" in text(train, "train_warnings")
    assert train.findChild(LossView).isVisible()
    assert state.course.of_seed()["dcmix"].epochs == [1, 2, 3, 4]
    own = dict(zip(state.answer.card.stains, state.answer.importance, strict=True))
    longest = max(own, key=own.get)
    train.scroll.ensureWidgetVisible(train.answer.bars)
    assert length(train.answer.bars, colors[longest]) > length(train.answer.bars, colors[min(own, key=own.get)])

    press(qtbot, train, "copy_trained")
    assert len(QApplication.clipboard().text().splitlines()) == 7
    monkeypatch.setattr(dialogs.QFileDialog, "getSaveFileName", lambda *_args: (str(tmp_path / "mine.pt"), ""))
    press(qtbot, train, "save_trained")
    wait(qtbot, lambda: state.saved is not None or state.failure is not None)
    assert state.failure is None, state.failure
    np.testing.assert_array_equal(read_answer(tmp_path / "mine.pt").importances, state.answer.importances)
    assert "mine.pt" in text(train, "train_saved")

    press(qtbot, train, "explain_with_this")
    explain = train.controller.state
    wait(qtbot, lambda: explain.checked is not None or explain.classifier_error is not None)
    assert explain.path == tmp_path / "mine.pt"
    dock = window.window._qt_window.findChild(type(train).__mro__[1], "explain_well")
    wait(qtbot, dock.isVisible)
    assert dock.height() > 400, "it shares the place of the other dock"
    assert f"DCMIX layer: {longest}" in text(dock, "mixed")
    assert [layer.name for layer in window.layers] == list(state.answer.card.stains)

    # The bars are there before anything is explained.
    _, channels = window.window.add_plugin_dock_widget("napari-attribution", "Channel importance")
    wait(qtbot, channels.chart.isVisible)
    assert text(channels, "channels_headline").startswith(f"{longest} weighs most")
    assert channels.findChild(QComboBox, "estimator").currentText() == "Trained weights"
    wait(qtbot, lambda: length(channels.chart, train._colors()[longest]) > 40)


def test_a_plate_and_a_table_are_chosen_and_bad_labels_are_told_in_words(window, train, qtbot, tmp_path, monkeypatch):
    state = train.training.state
    folder = labelled_plates.plate_of_tiffs(tmp_path / "plate")
    monkeypatch.setattr(files.QFileDialog, "getExistingDirectory", lambda *_args: str(folder))
    press(qtbot, train, "choose_plate")
    wait(qtbot, lambda: len(state.plates) == 1)
    assert "Nobody said what the wells are" in text(train, "train_missing")
    one = labelled_plates.csv_of(tmp_path / "one.csv", [(well, "hit") for well in CLASSES], "well,phenotype")
    monkeypatch.setattr(files.QFileDialog, "getOpenFileName", lambda *_args: (str(one), ""))
    press(qtbot, train, "choose_conditions")
    wait(qtbot, lambda: "one class" in text(train, "train_failed"))
    assert not train.findChild(QPushButton, "train").isEnabled()
    good = labelled_plates.csv_of(
        tmp_path / "good.csv",
        [(well, n, name) for n, (well, name) in enumerate(CLASSES.items())],
        "well,seed,phenotype",
    )
    monkeypatch.setattr(files.QFileDialog, "getOpenFileName", lambda *_args: (str(good), ""))
    press(qtbot, train, "choose_conditions")
    wait(qtbot, lambda: state.counts is not None)
    assert "control: 12 wells" in text(train, "train_counts")
    assert not text(train, "train_failed")
    train.training.want(labels="seed")
    wait(qtbot, lambda: "Too few wells" in text(train, "train_failed"))
    choose(qtbot, train, "train_labels", "phenotype")
    wait(qtbot, train.findChild(QPushButton, "train").isEnabled)

    # What is chosen in the form is what is asked for, and comes back when it is another's turn.
    train.findChild(QSpinBox, "parameter_seeds").setValue(2)
    assert state.wanted.recipe == {"seeds": 2}
    wait(qtbot, lambda: state.counts is not None)
    train.training.want(recipe={"epochs": 5})
    assert train.findChild(QSpinBox, "parameter_seeds").value() == 3
    assert train.findChild(QSpinBox, "parameter_epochs").value() == 5
    window.theme = "light"
    wait(qtbot, lambda: state.counts is not None)


def test_plates_are_added_and_taken_out_again(window, train, qtbot, tmp_path, monkeypatch):
    state = train.training.state
    add, more = train.findChild(QPushButton, "add_plate"), train.ask.more_plates
    assert not add.isVisible()
    folders = [labelled_plates.plate_of_tiffs(tmp_path / name) for name in "pqr"]
    table = labelled_plates.csv_of(tmp_path / "wells.csv", CLASSES.items(), "well,phenotype")
    train.training.want(plate=str(folders[0]), conditions=str(table), stains=",".join(STAINS))
    wait(qtbot, lambda: state.counts is not None)
    assert not more.isVisible(), "one plate is one line"
    for folder in folders[1:]:
        monkeypatch.setattr(files.QFileDialog, "getExistingDirectory", lambda *_args, folder=folder: str(folder))
        press(qtbot, train, "add_plate")
        wait(qtbot, lambda: state.counts is not None)
    assert "On 3 plates: p, q, r." in text(train, "train_counts")
    assert [line.text() for line in more.findChildren(QLineEdit)] == [str(folder) for folder in folders[1:]]

    press(qtbot, train, "remove_plate_2")
    wait(qtbot, lambda: state.counts is not None)
    assert state.wanted.more == (str(folders[2]),)
    assert "On 2 plates: p, r." in text(train, "train_counts")
    line = train.findChild(QLineEdit, "plate_2")
    assert line.text() == str(folders[2])
    assert not train.findChild(QLineEdit, "plate_3").isVisible()
    line.setFocus()
    line.setText(str(folders[1]))
    line.editingFinished.emit()
    wait(qtbot, lambda: state.counts is not None)
    assert "On 2 plates: p, q." in text(train, "train_counts")
    line.setText("")
    line.editingFinished.emit()
    assert state.wanted.more == ()
    wait(qtbot, lambda: state.counts is not None)
    assert not more.isVisible()


def test_the_window_closes_in_mid_run(window, train, qtbot, tmp_path):
    table = labelled_plates.csv_of(tmp_path / "wells.csv", CLASSES.items(), "well,phenotype")
    plate, state = labelled_plates.plate_of_tiffs(tmp_path / "plate"), train.training.state
    recipe = {"size": 64, "epochs": 500, "patience": 500}
    train.training.want(plate=str(plate), conditions=str(table), stains=",".join(STAINS), recipe=recipe)
    wait(qtbot, lambda: state.counts is not None)
    train.training.run()
    wait(qtbot, lambda: len(state.course.curves) > 0)
    worker = train.training.jobs._thread
    window.close()
    assert isinstance(worker, threading.Thread)
    wait(qtbot, lambda: not worker.is_alive(), 20)


def test_what_was_begun_in_an_earlier_session_is_offered(window, qtbot, tmp_path):
    plate = labelled_plates.plate_of_tiffs(tmp_path / "plate")
    table = labelled_plates.csv_of(tmp_path / "wells.csv", CLASSES.items(), "well,phenotype")
    kept.begin(kept.Wanted(str(plate), conditions=str(table), labels="phenotype", recipe={"seeds": 7}))
    _, widget = window.window.add_plugin_dock_widget("napari-attribution", "Train channel importance")
    press(qtbot, widget, "earlier")
    wait(qtbot, lambda: widget.training.state.counts is not None)
    assert widget.findChild(QSpinBox, "parameter_seeds").value() == 7
    assert widget.findChild(QPushButton, "train").text() == "Go on"
    assert not widget.findChild(QPushButton, "earlier").isVisible()
    widget.training.close()
    widget.controller.close()


def test_every_control_has_a_name_and_a_tooltip(window, train):
    for kind in (QPushButton, QComboBox, QCheckBox, QLineEdit, QSpinBox):
        for control in train.findChildren(kind):
            if control.objectName().startswith("qt_") or isinstance(control.parent(), QComboBox | QSpinBox):
                continue
            assert control.objectName(), control
            assert control.toolTip(), control.objectName()


def test_what_is_closed_is_let_go_of(window, qtbot):
    docked, widget = window.window.add_plugin_dock_widget("napari-attribution", "Train channel importance")
    gone = weakref.ref(widget)
    docked.title.close_button.click()
    del widget, docked
    wait(qtbot, lambda: (gc.collect(), gone() is None)[1], 10)
