"""A planted dot is found again at its place, through every way of making an input."""

import numpy as np
import pytest
import torch

from napari_attribution import ClassifierCard, Well
from napari_attribution.classifiers.preparation.prepare import prepare
from napari_attribution.errors import CardError

FIELDS = {"stains": ["DNA", "ER"], "classes": ["a", "b"], "mean": [100.0, 200.0], "std": [10.0, 20.0]}


def dotted(row: int, column: int, shape=(96, 120)) -> Well:
    pixels = np.full((2, *shape), 100, np.uint16)
    pixels[1] = 200
    pixels[0, row, column] = 60_000
    return Well(pixels, ("DNA", "ER"))


@pytest.mark.parametrize(
    ("mode", "size", "tolerance"),
    [
        ("whole", None, 0.5),
        ("resize", (48, 60), 2),
        ("resize", (96, 60), 2),
        ("resize", (192, 240), 0.5),
        ("tiles", (40, 40), 0.5),
    ],
)
@pytest.mark.parametrize("place", [(0, 0), (95, 119), (37, 61), (50, 3)])
def test_a_planted_dot_comes_back_to_its_place(mode, size, tolerance, place):
    prepared = prepare(dotted(*place), ClassifierCard(**FIELDS, mode=mode, size=size))
    back = prepared.to_well(prepared.inputs[:, 0])
    assert back.shape == (96, 120)
    found = np.unravel_index(back.argmax(), back.shape)
    assert np.abs(np.subtract(found, place)).max() <= tolerance


@pytest.mark.parametrize("place", [(0, 0), (95, 119), (37, 61)])
def test_a_cell_at_the_border_comes_back_to_its_place(place):
    prepared = prepare(dotted(*place), ClassifierCard(**FIELDS, mode="cells", size=(32, 32)), cells=[place, (50, 50)])
    assert prepared.inputs.shape == (2, 2, 32, 32)
    back = prepared.to_well(prepared.inputs[:, 0])
    assert np.unravel_index(back.argmax(), back.shape) == place


def test_tiles_cover_everything_and_overlap():
    prepared = prepare(dotted(5, 5), ClassifierCard(**FIELDS, mode="tiles", size=(40, 50)))
    back = prepared.to_well(torch.ones(len(prepared.inputs), 5, 5))
    np.testing.assert_allclose(back, 1)


def test_normalisation_is_by_stain_and_in_the_cards_order():
    well = Well(np.stack([np.full((8, 8), 220.0), np.full((8, 8), 90.0)]).astype(np.float32), ("ER", "DNA"))
    prepared = prepare(well, ClassifierCard(**FIELDS, mode="whole", background=[80.0, 180.0]))
    np.testing.assert_allclose(prepared.inputs[0, :, 0, 0], [-1, 1])
    np.testing.assert_allclose(prepared.background, [-2, -1])


def test_a_map_by_stain_keeps_its_stains():
    prepared = prepare(dotted(5, 5), ClassifierCard(**FIELDS, mode="resize", size=(24, 30)))
    maps = torch.stack([torch.full((6, 6), 1.0), torch.full((6, 6), 2.0)])[None]
    back = prepared.to_well(maps)
    assert back.shape == (2, 96, 120)
    np.testing.assert_allclose(back[1], 2)


@pytest.mark.parametrize(
    ("mode", "size", "sentence"),
    [
        ("whole", (64, 64), "whole fields of 64 x 64 pixels, but the well has 96 x 120"),
        ("tiles", (200, 50), "tiles of 200 x 50 pixels, but the well has only 96 x 120"),
        ("cells", (32, 32), "say where the cells are"),
    ],
)
def test_wells_that_do_not_suit_the_card(mode, size, sentence):
    with pytest.raises(CardError, match=sentence):
        prepare(dotted(5, 5), ClassifierCard(**FIELDS, mode=mode, size=size))
