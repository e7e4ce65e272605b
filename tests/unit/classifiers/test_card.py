"""Cards: what they refuse, and the way into a bioimage.io description and back."""

import hashlib
import pickle

import networks
import pytest
import torch
import yaml

from napari_attribution import ClassifierCard, load_classifier
from napari_attribution.classifiers.cards.io import (
    card_from_text,
    card_path,
    find_card,
    read_card,
    weights_note,
    write_card,
)
from napari_attribution.classifiers.cards.steps import read_steps
from napari_attribution.errors import CardError, NormalisationMissing, OutputError

BY_ITSELF = {"normalisation": "per-image", "mean": None, "std": None}
GOOD = {"stains": ["DNA", "ER"], "classes": ["control", "hit"], "size": (32, 32), "mean": [1, 2], "std": [3, 4]}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mean": None}, "mean"),
        ({"stains": ["DNA", "dna"]}, "each stain needs a name of its own"),
        ({"classes": ["hit"]}, "at least two classes"),
        ({"std": [1.0]}, "1 values of 'std' for 2 stains"),
        ({"std": [1.0, 0.0]}, "every 'std' must be above zero"),
        ({"size": None}, "mode 'resize' needs an input size"),
        ({"size": (0, 10)}, "no input"),
        ({"mode": "zoom"}, "mode"),
        ({"colour": 1}, "colour"),
        ({"overlap": 0.95}, "'overlap'.*less than or equal to 0.9"),
        ({"normalisation": "min-max"}, "'normalisation'"),
        ({"normalisation": "per-image"}, "gives 'mean', which the normalisation 'per-image' does not use.*'fixed'"),
        ({"percentiles": (1, 99)}, "gives 'percentiles', which the normalisation 'fixed' does not use"),
        ({"mean": None, "std": None, "normalisation": "percentiles"}, "'percentiles' is missing .In percent"),
        ({"mean": None, "std": None, "normalisation": "percentiles", "percentiles": (99, 1)}, "must rise"),
        ({"mean": None, "std": None, "normalisation": "percentiles", "percentiles": (0.01, 0.99)}, "are in percent"),
        ({"together": True}, "'together' has no meaning"),
        ({"clip_after": (1, 0)}, "'clip_after' must be a lower and a higher limit"),
        ({"clip_before": (None, None)}, "'clip_before' must be a lower and a higher limit"),
        ({"eps": 0}, "'eps'.*greater than 0"),
    ],
)
def test_a_card_that_contradicts_itself(change, sentence):
    with pytest.raises(CardError, match=sentence):
        ClassifierCard(**(GOOD | change))


def test_normalisation_is_asked_for_never_guessed():
    with pytest.raises(CardError, match=r"'mean' is missing.*'std' is missing.*'per-image' or 'percentiles'"):
        ClassifierCard(stains=["DNA"], classes=["a", "b"], mode="whole")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mode": "tiles", "pixel_size": 0.65, "background": [5.0, 6.0, 7.0]},
        {"mode": "whole", "size": None, "mean": [1.5, 2.5, 3.5], "std": [2.0, 3.0, 4.0]},
        {"mode": "tiles", "overlap": 0.5, **BY_ITSELF, "over": "well"},
        {"mode": "cells", **BY_ITSELF, "together": True, "eps": 0.01},
        {**BY_ITSELF, "normalisation": "percentiles", "percentiles": (0.5, 99.8), "clip_after": (0, 1)},
        {"clip_before": (None, 4000.0)},
        {"mode": "resize", "size": (256, 256), "pixel_size": 0.65, "field_size": (332.8, 332.8)},
    ],
)
def test_there_and_back_and_valid_to_bioimageio(changes, tmp_path):
    from bioimageio.spec import InvalidDescr, load_description

    card = networks.card(name="my classifier", description="of cells", **changes)
    weights = networks.save(networks.make("gap"), tmp_path / "net.pt")
    path = write_card(card, weights)
    assert path == card_path(weights)
    assert read_card(path) == card
    assert find_card(weights) == card
    assert load_classifier(weights, "cpu").card == card
    # Every file that the description names, by its hash; the test tensors too.
    description = load_description(path)
    assert not isinstance(description, InvalidDescr), description.validation_summary.display()


def test_a_card_among_the_extra_files(tmp_path):
    import torch

    weights = networks.save(networks.make("gap"), tmp_path / "net.pt")
    text = write_card(networks.card(), weights).read_text()
    inside = tmp_path / "with-card.pt"
    torch.jit.save(torch.jit.load(weights), inside, _extra_files={"bioimageio.yaml": text})
    assert load_classifier(inside, "cpu").card == read_card(card_path(weights))


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda d: d["inputs"][0].pop("preprocessing"), "says nothing about normalisation"),
        (lambda d: d["inputs"][0].update(preprocessing=[{"id": "binarize", "kwargs": {}}]), "normalises by 'binarize'"),
        (lambda d: d["inputs"].append(d["inputs"][0]), "wants 2 inputs"),
        (lambda d: d.pop("inputs"), "not a bioimage.io model description"),
        (lambda d: d["inputs"][0]["axes"].pop(1), "does not describe a classifier of stains"),
        (lambda d: d["outputs"][0]["axes"].extend([{"type": "space", "id": "y", "size": 3}]), "output is an image"),
    ],
)
def test_descriptions_that_make_no_card(edit, sentence, tmp_path):
    weights = networks.save(networks.make("gap"), tmp_path / "net.pt")
    description = yaml.safe_load(write_card(networks.card(), weights).read_text())
    edit(description)
    with pytest.raises(CardError, match=sentence):
        card_from_text(yaml.safe_dump(description), "card")


@pytest.mark.parametrize("text", ["{", "just a line", "type: dataset"])
def test_text_that_is_no_description(text):
    with pytest.raises(CardError):
        card_from_text(text, "card.yaml")


def test_scale_and_offset_are_mean_and_std(tmp_path):
    weights = networks.save(networks.make("gap"), tmp_path / "net.pt")
    description = yaml.safe_load(write_card(networks.card(), weights).read_text())
    description["inputs"][0]["preprocessing"] = [
        {"id": "scale_linear", "kwargs": {"axis": "channel", "gain": [0.5, 0.25, 0.1], "offset": [-1.0, -1.0, -1.0]}}
    ]
    card = card_from_text(yaml.safe_dump(description), "card")
    assert card.mean == pytest.approx((2, 4, 10))
    assert card.std == pytest.approx((2, 4, 10))


def test_a_card_stands_beside_its_weights(tmp_path):
    weights = networks.save(networks.make("gap"), tmp_path / "net.pt")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(OutputError, match=r"folder of its weights.*net\.bioimageio\.yaml"):
        write_card(networks.card(), weights, tmp_path / "elsewhere" / "card.yaml")


FIXED = {"id": "fixed_zero_mean_unit_variance", "kwargs": {"axis": "channel", "mean": [1.0, 2.0], "std": [3.0, 4.0]}}
OWN = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}
RANGE = {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "min_percentile": 1, "max_percentile": 99.8}}
CLIP = {"id": "clip", "kwargs": {"min": 0, "max": 1}}


@pytest.mark.parametrize(
    ("steps", "fields"),
    [
        ([FIXED], {"normalisation": "fixed", "mean": [1, 2], "std": [3, 4]}),
        (
            [{"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 5.0, "std": 2.0}}],
            {"normalisation": "fixed", "mean": [5, 5], "std": [2, 2]},
        ),
        # To 0-1 first, then by the numbers of another data set: one mean and std in detector units.
        (
            [{"id": "scale_linear", "kwargs": {"gain": 1 / 256}}, {**FIXED, "kwargs": {"mean": 0.5, "std": 0.25}}],
            {"normalisation": "fixed", "mean": [128, 128], "std": [64, 64]},
        ),
        ([OWN], {"normalisation": "per-image", "eps": 1e-6, "together": False}),
        ([{"id": "zero_mean_unit_variance"}], {"normalisation": "per-image", "eps": 1e-6, "together": True}),
        (
            [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["batch", "x", "y"], "eps": 0.01}}],
            {"normalisation": "per-image", "eps": 0.01, "together": False},
        ),
        (
            [RANGE, CLIP, {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}],
            {
                "normalisation": "percentiles",
                "percentiles": (1, 99.8),
                "eps": 1e-6,
                "together": False,
                "clip_after": (0, 1),
            },
        ),
        (
            [
                {"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}},
                {"id": "clip", "kwargs": {"max": 900}},
                {"id": "scale_range"},
            ],
            {
                "normalisation": "percentiles",
                "percentiles": (0.0, 100.0),
                "eps": 1e-6,
                "together": True,
                "clip_before": (None, 900),
            },
        ),
        ([], {}),
        ([CLIP], {"clip_before": (0, 1)}),
    ],
)
def test_preprocessing_as_bioimageio_means_it(steps, fields):
    assert read_steps(steps, 2, one_input=True) == fields


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([OWN, FIXED], "'fixed_zero_mean_unit_variance' after another normalisation"),
        ([FIXED, RANGE], "'scale_range' after another normalisation"),
        ([CLIP, CLIP, FIXED], "'clip' twice"),
        ([RANGE, CLIP, FIXED], "after a clip that follows"),
        ([{"id": "clip", "kwargs": {"min_percentile": 1}}, FIXED], "'clip' at percentiles"),
        ([{**OWN, "kwargs": {"axes": ["x"]}}], "'zero_mean_unit_variance' over the axes x"),
        ([{**FIXED, "kwargs": {**FIXED["kwargs"], "axis": "y"}}], "along the axis 'y'"),
        ([{**FIXED, "kwargs": {"axis": "channel", "mean": [1], "std": [1, 2, 3]}}], "normalises 3 stains, but names 2"),
        ([{**RANGE, "kwargs": {**RANGE["kwargs"], "reference_tensor": "other"}}], "another tensor .other"),
        ([{"id": "scale_linear", "kwargs": {"gain": -1}}], "gain of -1"),
        ([RANGE, {"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}}], "'ensure_dtype' to uint8 after 'scale_range'"),
        (
            [{"id": "scale_mean_variance", "kwargs": {"reference_tensor": "x"}}],
            "by 'scale_mean_variance'.*Understood are",
        ),
    ],
)
def test_preprocessing_that_no_card_stands_for(steps, sentence):
    with pytest.raises(CardError, match=sentence):
        read_steps(steps, 2, one_input=True)


def test_statistics_over_a_batch_are_those_of_the_one_input_only():
    joint = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["batch", "y", "x"]}}]
    with pytest.raises(CardError, match="over all inputs of a well together"):
        read_steps(joint, 2, one_input=False)


def test_what_is_known_goes_with_the_question_for_the_normalisation(tmp_path):
    weights = networks.save(networks.make("gap"), tmp_path / "net.pt")
    fields = {"name": "my classifier", "description": "of cells", "mode": "tiles", "overlap": 0.5, "pixel_size": 0.3}
    path = write_card(networks.card(**fields), weights)
    description = yaml.safe_load(path.read_text())
    del description["inputs"][0]["preprocessing"]
    path.write_text(yaml.safe_dump(description))
    with pytest.raises(NormalisationMissing, match="says nothing about normalisation") as raised:
        load_classifier(weights, "cpu")
    known = raised.value.known
    assert "normalisation" not in known
    assert ClassifierCard(**known, **BY_ITSELF) == networks.card(**fields, **BY_ITSELF)
    again = pickle.loads(pickle.dumps(raised.value))
    assert (str(again), again.known) == (str(raised.value), known)


def test_a_card_for_other_weights_is_noticed(tmp_path):
    weights = networks.save(networks.make("gap"), tmp_path / "net.pt")
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert weights_note(weights, sha256) is None
    write_card(networks.card(), weights)
    assert weights_note(weights, sha256) is None
    networks.save(networks.make("gap", seed=1), weights)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert "net.bioimageio.yaml was written for another version of net.pt" in weights_note(weights, sha256)


def test_the_card_of_an_exported_network_says_what_its_weights_are(tmp_path):

    program = torch.export.export(
        networks.make("gap"), (torch.randn(2, 3, 32, 32),), dynamic_shapes=({0: torch.export.Dim("n")},)
    )
    torch.export.save(program, tmp_path / "net.pt2")
    path = write_card(networks.card(), tmp_path / "net.pt2")
    assert yaml.safe_load(path.read_text())["config"]["napari_attribution"]["weights_format"] == "torch.export"
    classifier = load_classifier(tmp_path / "net.pt2", "cpu")
    assert classifier.card.stains == networks.STAINS
    assert classifier.format == "torch.export"
