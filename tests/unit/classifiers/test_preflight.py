"""Preflight: what it shows of a well and a classifier, and what it finds wrong."""

import re

import networks
import numpy as np
import pytest

from napari_attribution import ClassifierCard, Well, load_classifier
from napari_attribution.classifiers.cards.io import write_card
from napari_attribution.classifiers.preflight import as_text, pixel_size, preflight
from napari_attribution.classifiers.preparation.prepare import prepare
from napari_attribution.classifiers.preparation.ranges import five, stain_ranges

NAMES = {"stains": ["DNA"], "classes": ["a", "b"], "mode": "whole"}
RANDOM = np.random.default_rng(0)


def ranges_of(pixels: np.ndarray, **fields):
    well, card = Well(pixels[None], ("DNA",)), ClassifierCard(**NAMES, **fields)
    return stain_ranges(well, card, prepare(well, card))[0]


def counts(mean: float, std: float, dtype=np.uint16, shape=(64, 64)) -> np.ndarray:
    return np.clip(RANDOM.normal(mean, std, shape), 0, None).astype(dtype)


@pytest.mark.parametrize(
    ("pixels", "fields"),
    [
        (counts(500, 100), {"mean": [480], "std": [120]}),
        (counts(120, 30, np.uint8), {"mean": [110], "std": [40]}),
        (counts(120, 30, np.uint8), {"mean": [0], "std": [255]}),
        (RANDOM.random((64, 64), np.float32), {"mean": [0.5], "std": [0.3]}),
        (counts(5000, 900), {"mean": [0], "std": [1]}),
        (counts(900, 100), {"mean": [0], "std": [65535]}),
        (counts(900, 100), {"normalisation": "per-image"}),
        (counts(90, 10, np.uint8), {"normalisation": "percentiles", "percentiles": (1, 99)}),
    ],
    ids=["16 bits", "8 bits", "8 bits divided", "0-1", "as they are", "16 bits divided", "per image", "percentiles"],
)
def test_what_can_be_right(pixels, fields):
    found = ranges_of(pixels, **fields)
    assert found.ok, found.sentence


@pytest.mark.parametrize(
    ("pixels", "fields", "sentence"),
    [
        (counts(90, 20, np.uint8), {"mean": [3000], "std": [900]}, "8 bits .*the training wells had more bits"),
        (counts(90, 20, np.uint8), {"mean": [185], "std": [184]}, "8 bits .*the training wells had more bits"),
        (counts(90, 20, np.uint8), {"mean": [0], "std": [65535]}, "8 bits .*the training wells had more bits"),
        (RANDOM.random((64, 64), np.float32), {"mean": [300], "std": [90]}, "is scaled to .*detector units"),
        (RANDOM.random((64, 64), np.float32), {"mean": [0], "std": [65535]}, "is scaled to .*detector units"),
        (counts(900, 100), {"mean": [0.4], "std": [0.2]}, "training pixels were scaled to 0 - 1"),
        (
            counts(9000, 900),
            {"mean": [300], "std": [90]},
            "typical pixel is 9.* standard deviations from the training mean",
        ),
        (counts(300, 2), {"mean": [300], "std": [90]}, "contrast is 0.02. of that in training"),
        (counts(300, 0), {"mean": [300], "std": [90]}, "the same value everywhere"),
        (counts(300, 0), {"normalisation": "per-image"}, "the same value everywhere.*nothing in it"),
        (
            np.eye(64, dtype=np.uint16) * 900,
            {"normalisation": "percentiles", "percentiles": (5, 95)},
            "goes up to 9e.08",
        ),
    ],
)
def test_what_cannot_be_right_is_said(pixels, fields, sentence):
    found = ranges_of(pixels, **fields)
    assert not found.ok
    assert re.search(sentence, found.sentence), found.sentence


def test_ranges_before_and_after():
    pixels = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    found = ranges_of(pixels, mean=[5000], std=[1000])
    assert found.raw == pytest.approx((0, 99.99, 4999.5, 9899.01, 9999))
    assert found.normalised == pytest.approx([(value - 5000) / 1000 for value in found.raw], abs=1e-5)
    assert found.expected == (2000, 8000)
    assert ranges_of(pixels, normalisation="per-image").expected is None


def test_percentiles_of_large_wells_are_close():
    pixels = RANDOM.normal(100, 10, (3, 900, 1000))
    exact = np.percentile(pixels, (0, 1, 50, 99, 100))
    np.testing.assert_allclose(five(pixels), exact, rtol=0.002)


@pytest.fixture
def classifier(tmp_path):
    path = networks.save(networks.make("gap"), tmp_path / "net.pt")
    return load_classifier(path, "cpu", networks.card(mode="tiles"))


@pytest.fixture
def well():
    return Well(np.random.default_rng(0).normal(size=(3, 40, 50)).astype(np.float32), ("DNA", "Reticulum", "Mito"))


def test_everything_is_there(classifier, well):
    found = preflight(classifier, well, {"ER": "Reticulum"})
    assert found.ok, found.findings
    assert found.input_shape == (4, 3, 32, 32)
    assert [(one.stain, one.well_stain) for one in found.ranges] == [
        ("DNA", "DNA"),
        ("ER", "Reticulum"),
        ("Mito", "Mito"),
    ]
    assert found.predicted in networks.CLASSES
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert "CPU" in found.device
    assert found.free_bytes is None or found.free_bytes > 2**20
    assert found.cut.startswith(classifier.default_layer)
    text = as_text(found)
    for part in ("4 x 3 x 32 x 32", "by the card's mean and std", "ER = Reticulum", "-3 to 3", found.cut):
        assert part in text
    assert "WRONG" not in text


def test_a_stain_that_cannot_be_right_is_red_in_the_table(classifier, well):
    found = preflight(classifier, Well(well.pixels + 50, well.stains), {"ER": "Reticulum"})
    assert not found.ok
    assert [finding.title for finding in found.findings if finding.ok is False] == ["Normalisation"]
    (sentence,) = (finding.sentence for finding in found.findings if finding.ok is False)
    assert "After normalisation, DNA" in sentence
    assert "The same goes for Mito." in sentence
    assert as_text(found).count("WRONG") == 3
    assert found.predicted is not None


def test_without_an_input_there_is_still_the_device_and_the_cut(classifier, well):
    found = preflight(classifier, well)
    assert not found.ok
    assert "lacks 1 of the 3 stains" in found.findings[0].sentence
    assert found.input_shape is None
    assert "CPU" in as_text(found)
    assert found.cut


def test_a_card_of_other_weights_is_worth_knowing(tmp_path, well):
    path = networks.save(networks.make("gap"), tmp_path / "net.pt")
    write_card(networks.card(), path)
    networks.save(networks.make("gap", seed=1), path)
    found = preflight(load_classifier(path, "cpu"), well, {"ER": "Reticulum"})
    assert found.ok
    (note,) = (finding for finding in found.findings if finding.title == "Card")
    assert note.ok is None
    assert "another version of net.pt" in note.sentence


@pytest.mark.parametrize(
    ("shape", "pixel", "doubtful"),
    [((64, 64), 0.5, False), ((32, 32), 1.0, False), ((64, 64), 1.0, True), ((32, 32), 0.5, True)],
    ids=["as in training", "binned", "half the magnification", "a quarter of the field"],
)
def test_where_fields_are_resized_it_is_their_size_in_um_that_counts(shape, pixel, doubtful):
    card = ClassifierCard(
        **NAMES | {"mode": "resize"}, size=(16, 16), normalisation="per-image", pixel_size=0.5, field_size=(32, 32)
    )
    found = pixel_size(card, Well(counts(500, 100, shape=shape)[None], ("DNA",), (pixel, pixel)))
    assert (found.ok is None and found.serious) == doubtful
    if doubtful:
        assert f"cells look {0.5 if pixel == 1 else 2} times as large" in found.sentence
