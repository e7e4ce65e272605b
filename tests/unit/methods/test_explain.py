"""Requests that cannot be answered, and the record of those that can."""

import json

import networks
import numpy as np
import pytest
import torch

from napari_attribution import Well, explain
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.errors import ClassifierError, DeviceError, RequestError, StainError, WellError


@pytest.fixture
def classifier(tmp_path):
    return networks.opened(networks.make("gap"), tmp_path)


@pytest.fixture
def well():
    return Well(
        np.random.default_rng(0).normal(size=(3, 40, 50)).astype(np.float32), networks.STAINS, pixel_size=(0.5, 0.5)
    )


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"method": "lime"}, "no method 'lime'.*pixel-ablation-cam, fused-ablation-cam, pcim, dcmix, occlusion"),
        ({"target": "alive"}, "no class 'alive'. It has: control, hit, dead"),
        ({"score": "entropy"}, "no score 'entropy'"),
        ({"against": "dead"}, "Only the score 'contrast'"),
        ({"score": "contrast", "target": "hit", "against": "hit"}, "two different classes"),
        ({"steps": 5}, "no parameter 'steps'. It has: .*layer, reading"),
        ({"method": "pcim", "steps": 0}, "cannot take steps = 0"),
        ({"method": "pcim", "steps": "many"}, "cannot take steps = 'many'"),
    ],
)
def test_impossible_requests(classifier, well, request_, sentence):
    with pytest.raises(RequestError, match=sentence):
        explain(classifier, well, **request_)


def test_other_stains_stop_with_the_table_of_both_sides(classifier, well):
    other = well.renamed(["DNA", "ER", "Actin"])
    with pytest.raises(StainError, match="lacks 1 of the 3 stains") as raised:
        explain(classifier, other)
    assert "Mito       ? missing" in str(raised.value)
    assert "(unused)     Actin" in str(raised.value)
    mapped = explain(classifier, other, stain_map={"Mito": "Actin"})
    np.testing.assert_array_equal(mapped.values, explain(classifier, well).values)
    assert mapped.stains == ("DNA", "ER", "Actin")


def test_stains_are_found_by_name_not_by_place(classifier, well):
    turned = Well(well.pixels[::-1], networks.STAINS[::-1])
    np.testing.assert_array_equal(explain(classifier, turned).values, explain(classifier, well).values)


def test_an_empty_stain_is_refused_unless_accepted(classifier, well):
    pixels = well.pixels.copy()
    pixels[1] = 0
    empty = Well(pixels, networks.STAINS)
    with pytest.raises(WellError, match="ER"):
        explain(classifier, empty)
    assert any("ER" in warning for warning in explain(classifier, empty, accept_flaws=True).warnings)


def test_scores_that_are_not_numbers(well):
    class Root(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen = torch.sqrt(10 - x.amax(dim=(1, 2, 3)))
            return torch.stack([-seen, seen, seen * 0], dim=1)

    classifier = Classifier(torchscript_network(torch.jit.script(Root()), torch.device("cpu")), networks.card())
    bright = Well(well.pixels + 20, networks.STAINS)
    with pytest.raises(ClassifierError, match="not numbers"):
        explain(classifier, bright, "pcim", target="hit")


def test_contrast_is_the_difference_of_two_logits(classifier, well):
    maps = {name: explain(classifier, well, target=name, channels="none").map for name in ("hit", "dead")}
    contrast = explain(classifier, well, target="hit", score="contrast", against="dead", channels="none")
    np.testing.assert_allclose(contrast.map, maps["hit"] - maps["dead"], atol=1e-6)
    assert contrast.score_name == "contrast with dead"


def test_the_answer_is_the_networks_own(classifier, well):
    found = explain(classifier, well)
    x = torch.nn.functional.interpolate(
        torch.from_numpy(well.pixels.copy())[None], size=(32, 32), mode="bilinear", antialias=True, align_corners=False
    )
    scores = classifier.scores(x)[0].detach()
    assert found.predicted == networks.CLASSES[int(scores.argmax())] == found.target
    assert found.score == pytest.approx(float(scores.max()), rel=1e-5)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert sum(map(abs, found.channel_importance.values())) == pytest.approx(1)
    assert found.values.shape == well.shape
    assert found.values.dtype == np.float32


def test_the_record_is_plain_and_repeats_the_run(classifier, well):
    found = explain(classifier, well, "pcim", target="hit", steps=3)
    record = json.loads(json.dumps(found.record))
    assert record["classifier"]["card"]["stains"] == list(networks.STAINS)
    assert record["stain_map"] == {name: name for name in networks.STAINS}
    again = explain(
        classifier,
        well,
        record["method"],
        target=record["score"]["target"],
        score=record["score"]["kind"],
        stain_map=record["stain_map"],
        **record["parameters"],
    )
    np.testing.assert_array_equal(again.values, found.values)


def test_wrong_normalisation_is_said_with_the_answer(classifier, well):
    shifted = Well(well.pixels + 50, networks.STAINS)
    assert any("After normalisation" in warning for warning in explain(classifier, shifted).warnings)
    assert not explain(classifier, well).warnings


def test_several_inputs_make_one_map_and_one_record(tmp_path):
    path = networks.save(networks.make("gap"), tmp_path / "net.pt")
    from napari_attribution import load_classifier

    tiled = load_classifier(path, "cpu", networks.card(mode="tiles"))
    w = Well(np.random.default_rng(0).normal(size=(3, 50, 80)).astype(np.float32), networks.STAINS)
    found = explain(tiled, w, "dcmix")
    assert found.map.shape == (50, 80)
    assert len(found.record["found"]["inputs"]) == found.record["preparation"]["inputs"] > 1


def test_no_room_on_the_device_is_a_sentence(classifier, well, monkeypatch):
    def full(*_):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(classifier, "scores", full)
    with pytest.raises(DeviceError, match="no room on"):
        explain(classifier, well, "pcim")
