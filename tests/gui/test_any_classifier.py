"""Files from others, in a real window, with real clicks: what is on offer, what is asked for, what can be stopped."""

import weakref
from contextlib import suppress

import networks
import numpy as np
import psutil
import pytest
import yaml
from clicking import choose, click, press, wait
from networks import Gap
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QPushButton, QScrollArea
from torch import nn

from napari_attribution import Well
from napari_attribution.classifiers.cards.io import write_card
from napari_attribution.desktop.layers import show_well

pytestmark = pytest.mark.gui


class Deaf(Gap):
    """Gives no gradients."""

    def forward(self, x):
        return self.classify(self.features(x.detach()))


class Flat(nn.Module):
    """Has no place where it could be cut."""

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(3 * 32 * 32, 3)

    def forward(self, x):
        return self.line(x.flatten(1))


class Loops(nn.Module):
    """Never answers."""

    def forward(self, x):
        i = 1
        while i > 0:
            i = 1
        return x.mean(dim=(2, 3))


def saved(module, path, **fields):
    """A file and its description beside it."""
    networks.save(module.eval(), path)
    write_card(networks.card(**fields), path)
    return path


@pytest.fixture
def well(window, dock, qtbot):
    pixels = np.random.default_rng(0).normal(size=(3, 48, 48)).astype(np.float32)
    show_well(window, Well(pixels, networks.STAINS, (0.5, 0.5), source=("B03.ome.tiff",)))
    wait(qtbot, lambda: dock.controller.state.well is not None)


def load(qtbot, dock, path):
    dock.controller.open_classifier(path)
    wait(qtbot, lambda: dock.controller.state.checked is not None)


def said(dock, name):
    """The text of a label that is to be seen; empty for one that is not."""
    label = dock.findChild(QLabel, name)
    return label.text() if label.isVisible() else ""


def test_without_gradients_all_but_the_fused_map_is_on_offer_and_costs_more(dock, well, qtbot, tmp_path):
    load(qtbot, dock, saved(Deaf(), tmp_path / "deaf.pt"))
    dock.check_section.heading.click()
    assert "gives no gradients" in said(dock, "findings")
    assert said(dock, "method_refused").startswith("Fused Ablation-CAM is not on offer: ")
    assert "gradients" in said(dock, "method_refused")
    choose(qtbot, dock, "method", "PCIM")
    assert "Without gradients" in said(dock, "method_remark")
    assert said(dock, "method_cost")
    dock.question.parameters.heading.click()
    dock.form.fields["masks"].setValue(32)
    click(qtbot, dock, "explain")
    wait(qtbot, lambda: dock.controller.state.answer is not None)
    assert dock.controller.state.answer.method == "pcim"
    # To be taught by gradients that are not there cannot be asked for.
    dock.form.fields["estimate"].setCurrentText("gradient")
    assert "gives no gradients" in said(dock, "headline")
    assert not dock.findChild(QPushButton, "explain").isEnabled()
    assert said(dock, "method_cost") == ""


def test_what_cannot_be_cut_is_greyed_out_and_said(dock, well, qtbot, tmp_path):
    assert dock.controller.state.method == "pixel-ablation-cam"
    load(qtbot, dock, saved(Flat(), tmp_path / "flat.pt"))
    assert dock.controller.state.method == "pcim"
    refused = said(dock, "method_refused")
    assert refused.startswith("Pixel Ablation-CAM and Fused Ablation-CAM are not on offer: ")
    assert "cannot be cut" in refused
    combo, index = press(qtbot, dock, "method", "Pixel Ablation-CAM")
    assert not combo.model().item(index).isEnabled()
    assert "cannot be cut" in combo.itemData(index, Qt.ItemDataRole.ToolTipRole)
    combo.hidePopup()
    assert dock.controller.state.method == "pcim"
    choose(qtbot, dock, "method", "Occlusion")
    assert dock.controller.status.ready
    # The next network can be cut again.
    load(qtbot, dock, saved(Gap(), tmp_path / "gap.pt"))
    assert said(dock, "method_refused") == ""
    assert combo.model().item(index).isEnabled()


@pytest.mark.parametrize("own", ["ER", "Concanavalin A, the second dye of the ER"])
def test_a_stain_out_of_range_is_red_and_everything_is_to_be_seen(window, dock, well, qtbot, tmp_path, own):
    window.layers["ER"].name = own
    path = saved(Gap(), tmp_path / "gap.pt", mean=[0.0, 43210.0, 0.0], std=[1.0, 123.0, 1.0])
    dock.controller.open_classifier(path)
    wait(qtbot, lambda: dock.controller.state.classifier is not None)
    if own != "ER":
        assert dock.controller.status.stains.level == "wrong"
        choose(qtbot, dock, "stain_ER", own)
    wait(qtbot, lambda: dock.controller.state.checked is not None)
    assert dock.check.details.isVisible()
    assert dock.check.ranges.isVisible()
    rows = {
        name: [cell for cell in dock.check.ranges.findChildren(QLabel) if cell.objectName() == f"range_{name}"]
        for name in networks.STAINS
    }
    assert [len(cells) for cells in rows.values()] == [5, 5, 5]
    assert {cell.property("level") for cell in rows["ER"]} == {"wrong"}
    assert all(own in cell.toolTip() and "standard deviations" in cell.toolTip() for cell in rows["ER"])
    assert {cell.property("level") for name in ("DNA", "Mito") for cell in rows[name]} == {None}
    assert said(dock, "check_input").startswith("1 × 3 × 32 × 32")
    assert "CPU" in said(dock, "check_device")
    assert "graph cut" in said(dock, "check_cut")
    assert "probability" in said(dock, "check_answer")
    qtbot.wait(200)
    scroll = dock.findChild(QScrollArea, "explain_scroll")
    assert scroll.widget().width() <= scroll.viewport().width()
    for label in dock.check.findChildren(QLabel):
        if label.isVisible():
            right = label.mapTo(dock, label.rect().topRight()).x()
            assert right <= scroll.viewport().width(), label.text()
            assert label.height() >= label.heightForWidth(label.width()), label.text()


def test_what_is_known_is_filled_in_and_nothing_is_replaced_unasked(dock, well, qtbot, tmp_path):
    path = saved(Gap(), tmp_path / "gap.pt")
    beside = tmp_path / "gap.bioimageio.yaml"
    description = yaml.safe_load(beside.read_text())
    description["inputs"][0]["preprocessing"] = []
    description["authors"] = [{"name": "Ada"}]
    beside.write_text(yaml.safe_dump(description))
    before = beside.read_bytes()
    dock.controller.open_classifier(path)
    wait(qtbot, lambda: dock.controller.state.needs_card)
    assert "normalisation" in said(dock, "headline")
    assert dock.findChild(QLineEdit, "card_classes").text() == ", ".join(networks.CLASSES)
    assert dock.findChild(QLineEdit, "card_size").text() == "32 x 32"
    save = dock.findChild(QCheckBox, "card_save")
    assert save.text() == "Replace gap.bioimageio.yaml"
    assert not save.isChecked()
    choose(qtbot, dock, "card_normalisation", "mean and std")
    for name, text in (("card_mean", "0"), ("card_std", "1")):
        line = dock.findChild(QLineEdit, name)
        line.setFocus()
        qtbot.keyClicks(line, text)
    click(qtbot, dock, "card_use")
    wait(qtbot, lambda: dock.controller.state.checked is not None)
    assert not dock.card_section.isVisible()
    assert beside.read_bytes() == before
    # Another file, of which nothing is known, gets nothing of this one.
    other = networks.save(Gap().eval(), tmp_path / "other.pt")
    dock.controller.open_classifier(other)
    wait(qtbot, lambda: dock.controller.state.needs_card)
    assert dock.findChild(QLineEdit, "card_classes").text() == ""
    assert dock.findChild(QLineEdit, "card_mean").text() == ""
    assert dock.findChild(QLineEdit, "card_stains").text() == ", ".join(networks.STAINS)  # the open well's
    assert save.isChecked()


def children():
    """The processes in which files are tried out."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            found += [child] if "trial" in " ".join(child.cmdline()) else []
    return found


def test_loading_a_file_that_loops_can_be_cancelled(dock, well, qtbot, tmp_path, monkeypatch):
    load(qtbot, dock, saved(Gap(), tmp_path / "gap.pt"))
    monkeypatch.setenv("NAPARI_ATTRIBUTION_TRIAL", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = networks.save(Loops().eval(), tmp_path / "loops.pt")
    earlier = dock.controller.state.classifier
    dock.controller.open_classifier(path, networks.card())
    assert said(dock, "headline") == "Loading loops.pt ..."
    wait(qtbot, lambda: "second process" in said(dock, "headline"))
    wait(qtbot, lambda: bool(children()))
    click(qtbot, dock, "cancel_loading")
    assert said(dock, "notice") == "Loading loops.pt was cancelled."
    assert dock.controller.state.classifier is earlier
    assert dock.findChild(QLineEdit, "classifier").text() == "gap.pt"
    wait(qtbot, lambda: not children(), 30)
    wait(qtbot, lambda: dock.findChild(QPushButton, "explain").isEnabled(), 30)
    click(qtbot, dock, "explain")
    wait(qtbot, lambda: dock.controller.state.answer is not None)


def test_unload_gives_the_memory_back(dock, well, qtbot, tmp_path):
    load(qtbot, dock, saved(Gap(), tmp_path / "gap.pt"))
    click(qtbot, dock, "explain")
    wait(qtbot, lambda: dock.controller.state.answer is not None)
    classifier = dock.controller.state.classifier
    gone = [weakref.ref(classifier), weakref.ref(classifier._network)]
    del classifier
    click(qtbot, dock, "unload")
    wait(qtbot, lambda: said(dock, "notice").startswith("gap.pt was unloaded."))
    assert [ref() for ref in gone] == [None, None]
    assert not dock.findChild(QPushButton, "unload").isVisible()
    assert dock.findChild(QLineEdit, "classifier").text() == ""
    assert not dock.findChild(QPushButton, "explain").isEnabled()


def test_the_devices_are_looked_at_anew_when_they_are_to_be_chosen(dock, qtbot, monkeypatch):
    from napari_attribution.classifiers import devices

    free = iter(range(7, 100))
    monkeypatch.setattr(devices, "list_devices", lambda: (devices.Device("cpu", f"CPU, {next(free)} GiB free"),))
    combo = dock.findChild(QComboBox, "device")
    for wanted in (7, 8):
        qtbot.mouseClick(combo, Qt.MouseButton.LeftButton)
        wait(qtbot, lambda wanted=wanted: combo.count() == 2 and f"{wanted} GiB free" in combo.itemText(1))
        assert combo.view().isVisible()
        combo.hidePopup()


def test_a_classifier_can_be_dropped(dock, well, qtbot, tmp_path):
    path = saved(Gap(), tmp_path / "gap.pt")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    button, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    dock.dropEvent(QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, data, button, keys))
    wait(qtbot, lambda: dock.controller.state.checked is not None)
    assert dock.findChild(QLineEdit, "classifier").text() == "gap.pt"
