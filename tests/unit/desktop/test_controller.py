import dataclasses
import time

import numpy as np
import pytest
import tifffile
import torch
from torch import nn

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.layers import show_well

STAINS = ("DNA", "ER", "Mito")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("classifier") / "net.pt"
    torch.jit.script(Net().eval()).save(str(path))
    return path


def card(**fields):
    defaults = {"stains": STAINS, "classes": ("control", "hit"), "size": (32, 32), "mean": (2000.0,) * 3}
    return ClassifierCard(**(defaults | {"std": (1200.0,) * 3} | fields))


@pytest.fixture
def controller(viewer, mail):
    controller = Controller(viewer, mail)
    yield controller
    controller.close()


@pytest.fixture
def ready(controller, viewer, well, weights, mail):
    show_well(viewer, well)
    mail.deliver_all()
    controller.open_classifier(weights, card())
    mail.deliver_until(lambda: controller.state.checked is not None)
    return controller


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_a_well_that_is_opened_is_found_once_its_layers_are_all_there(controller, viewer, well, mail):
    seen = []
    controller.watchers.append(lambda: seen.append(controller.state.well))
    show_well(viewer, well)
    assert controller.state.well is None
    mail.deliver_all()
    assert controller.state.well.stains == STAINS
    assert len(seen) <= 2


def test_explaining_makes_layers_and_again_updates_them(ready, viewer, mail):
    assert ready.status.ready, ready.status.headline
    ready.explain()
    assert not ready.status.ready
    mail.deliver_until(lambda: not ready.state.explaining)
    assert ready.state.run_error is None
    first = {layer.name: id(layer) for layer in viewer.layers}
    assert len(first) == 5
    ready.explain()
    mail.deliver_until(lambda: not ready.state.explaining)
    assert {layer.name: id(layer) for layer in viewer.layers} == first
    top = viewer.layers[3]
    assert np.allclose(top.data, ready.state.answer.map)


@pytest.mark.parametrize("method", ["pixel-ablation-cam", "pcim", "dcmix"])
def test_every_method_answers(ready, viewer, mail, method):
    ready.set(method=method, per_stain=True)
    ready.explain()
    mail.deliver_until(lambda: not ready.state.explaining, 60)
    assert ready.state.run_error is None
    assert ready.state.answer.method == method
    assert set(ready.state.answer.channel_importance) == set(STAINS)


def test_rather_than_asks_for_a_contrast(ready, mail):
    ready.set(target="hit", against="control")
    ready.explain()
    mail.deliver_until(lambda: not ready.state.explaining)
    assert ready.state.answer.target == "hit"
    assert "control" in ready.state.answer.score_name


def test_cancel_leaves_things_as_they_were(ready, viewer, mail):
    before = names(viewer)
    ready.set(method="pcim")
    ready.set_parameters({"steps": 1000})
    ready.explain()
    ready.cancel()
    assert not ready.state.explaining
    end = time.monotonic() + 1
    while time.monotonic() < end:
        mail.deliver_all()
        time.sleep(0.02)
    assert names(viewer) == before
    assert ready.state.answer is None
    assert ready.state.run_error is None
    assert ready.status.ready


def test_the_question_is_frozen(ready, viewer):
    question = ready.question()
    ready.set(method="dcmix", target="hit")
    assert question.method == "pixel-ablation-cam"
    with pytest.raises(dataclasses.FrozenInstanceError):
        question.method = "pcim"


def test_a_layer_deleted_while_computing_still_says_where_the_map_goes(ready, viewer, mail):
    place = viewer.layers[0].extent.world
    ready.explain()
    viewer.layers.clear()
    mail.deliver_until(lambda: not ready.state.explaining)
    assert len(viewer.layers) == 2
    assert np.allclose(viewer.layers[0].extent.world, place)


def test_a_stain_without_its_name_is_mapped_by_hand(controller, viewer, well, weights, mail):
    show_well(viewer, well.renamed(["DNA", "ER", "MitoTracker"]))
    mail.deliver_all()
    controller.open_classifier(weights, card())
    mail.deliver_until(lambda: controller.state.classifier is not None)
    assert controller.state.stain_map == {"DNA": "DNA", "ER": "ER", "Mito": None}
    assert controller.status.stains.level == "wrong"
    controller.map_stain("Mito", "MitoTracker")
    mail.deliver_until(lambda: controller.state.checked is not None)
    assert controller.status.ready
    controller.explain()
    mail.deliver_until(lambda: not controller.state.explaining)
    assert "MitoTracker" in controller.state.answer.channel_importance


def test_renaming_a_layer_maps_its_stain(controller, viewer, well, weights, mail):
    layers = show_well(viewer, well.renamed(["DNA", "ER", "w3"]))
    mail.deliver_all()
    controller.open_classifier(weights, card())
    mail.deliver_until(lambda: controller.state.classifier is not None)
    layers[2].name = "Mito"
    mail.deliver_until(lambda: controller.state.checked is not None)
    assert controller.state.stain_map["Mito"] == "Mito"


def test_pixels_that_are_exchanged_are_looked_at_again(ready, viewer, mail):
    viewer.layers["ER"].data = np.zeros_like(viewer.layers["ER"].data)
    mail.deliver_until(lambda: ready.state.checked is not None and not ready.state.checked.ok)
    assert ready.status.check.level == "wrong"
    assert "ER" in ready.status.headline


def test_a_file_without_a_card_asks_for_one(controller, weights, mail):
    controller.open_classifier(weights)
    mail.deliver_until(lambda: not controller.state.loading)
    assert controller.state.needs_card
    controller.use_card(card(), save=False)
    mail.deliver_until(lambda: controller.state.classifier is not None)
    assert not controller.state.needs_card


def test_a_card_that_does_not_fit_the_network_is_a_sentence(controller, weights, mail):
    controller.open_classifier(weights, card(stains=("a", "b"), mean=(0.0,) * 2, std=(1.0,) * 2))
    mail.deliver_until(lambda: not controller.state.loading)
    assert controller.status.classifier.level == "wrong"
    assert "Traceback" not in controller.status.headline


def test_a_card_that_was_asked_for_and_does_not_fit_can_be_put_right(controller, weights, mail):
    controller.open_classifier(weights)
    mail.deliver_until(lambda: not controller.state.loading)
    controller.use_card(card(classes=("a", "b", "c")), save=False)
    mail.deliver_until(lambda: not controller.state.loading)
    assert controller.state.needs_card
    assert controller.status.headline == controller.state.classifier_error.sentence
    controller.use_card(card(), save=False)
    mail.deliver_until(lambda: controller.state.classifier is not None)
    assert not controller.state.needs_card


def test_a_card_is_saved_beside_the_file(controller, weights, tmp_path, mail):
    own = tmp_path / "mine.pt"
    own.write_bytes(weights.read_bytes())
    controller.open_classifier(own)
    mail.deliver_until(lambda: not controller.state.loading)
    controller.use_card(card(), save=True)
    mail.deliver_until(lambda: bool(controller.state.notice), 60)
    assert (tmp_path / "mine.bioimageio.yaml").is_file(), controller.state.notice
    controller.open_classifier(own)
    mail.deliver_until(lambda: controller.state.classifier is not None)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x80\x02}q\x00."])
def test_what_is_no_classifier_is_a_sentence(controller, tmp_path, mail, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    controller.open_classifier(path)
    mail.deliver_until(lambda: not controller.state.loading)
    assert "model.pt" in controller.state.classifier_error.sentence
    assert controller.state.classifier_error.details == ""


def test_what_is_no_well_is_a_sentence_and_what_was_open_stays(ready, viewer, tmp_path, mail):
    before = names(viewer)
    path = tmp_path / "well.tif"
    path.write_bytes(b"not a TIFF")
    ready.open_well(path)
    mail.deliver_until(lambda: not ready.state.opening)
    assert "well.tif" in ready.state.open_error
    assert ready.state.open_error == ready.status.headline
    assert names(viewer) == before
    assert ready.status.ready


def test_a_well_from_a_file(controller, viewer, tmp_path, mail):
    path = tmp_path / "w.ome.tiff"
    pixels = np.arange(3 * 24 * 24, dtype=np.uint16).reshape(3, 24, 24)
    tifffile.imwrite(path, pixels, metadata={"axes": "CYX", "Channel": {"Name": list(STAINS)}})
    controller.open_well(path)
    mail.deliver_until(lambda: not controller.state.opening)
    assert names(viewer) == list(STAINS)
    assert controller.state.well.stains == STAINS


def test_an_unexpected_error_is_a_sentence_with_details(ready, mail, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("napari_attribution.faithfulness.explain.explained", broken)
    ready.explain()
    mail.deliver_until(lambda: not ready.state.explaining)
    assert "unexpected" in ready.status.headline
    assert "Traceback" in ready.state.run_error.details
    assert ready.status.ready


def test_single_cells_are_marked_by_a_layer(controller, viewer, well, weights, mail):
    show_well(viewer, well)
    mail.deliver_all()
    controller.open_classifier(weights, card(mode="cells", size=(16, 16)))
    mail.deliver_until(lambda: controller.state.classifier is not None)
    assert controller.status.check.level == "todo"
    points = viewer.add_points([[10.0, 4.0], [10.0, 10.0]], units=("um", "um"))
    mail.deliver_all()
    controller.choose_cells(points)
    cells = controller.question().cells
    assert np.allclose(cells.centres(), [[20, 16], [20, 40]])
    mail.deliver_until(lambda: controller.state.checked is not None)
    assert controller.status.ready, controller.status.headline


def test_closing_lets_go_of_the_viewer(viewer, mail, well):
    controller = Controller(viewer, mail)
    controller.close()
    controller.close()
    show_well(viewer, well)
    assert controller.state.wells == ()
