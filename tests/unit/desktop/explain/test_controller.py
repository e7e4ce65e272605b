"""Explaining from the dock, and opening classifiers there: what is asked, what comes of it, what is said."""

import dataclasses
import time

import numpy as np
import pytest

from .conftest import STAINS, card, names


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


def test_an_unexpected_error_is_a_sentence_with_details(ready, mail, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("napari_attribution.faithfulness.explain.explained", broken)
    ready.explain()
    mail.deliver_until(lambda: not ready.state.explaining)
    assert "unexpected" in ready.status.headline
    assert "Traceback" in ready.state.run_error.details
    assert ready.status.ready
