"""Cards: what they refuse, and the way into a bioimage.io description and back."""

import networks
import pytest
import yaml

from napari_attribution import ClassifierCard, load_classifier
from napari_attribution.classifiers.cards.io import card_from_text, card_path, find_card, read_card, write_card
from napari_attribution.errors import CardError, OutputError

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
    ],
)
def test_a_card_that_contradicts_itself(change, sentence):
    with pytest.raises(CardError, match=sentence):
        ClassifierCard(**(GOOD | change))


def test_normalisation_is_asked_for_never_guessed():
    with pytest.raises(CardError, match=r"'mean' is missing.*'std' is missing"):
        ClassifierCard(stains=["DNA"], classes=["a", "b"], mode="whole")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mode": "tiles", "pixel_size": 0.65, "background": [5.0, 6.0, 7.0]},
        {"mode": "whole", "size": None, "mean": [1.5, 2.5, 3.5], "std": [2.0, 3.0, 4.0]},
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
        (lambda d: d["inputs"][0]["preprocessing"][0].update(id="scale_range"), "normalises by scale_range"),
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
