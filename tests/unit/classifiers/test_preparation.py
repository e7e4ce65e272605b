"""Wells become inputs, and maps find their way back; what is quick here must equal its slow, obvious twin."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from napari_attribution import ClassifierCard, Well
from napari_attribution.classifiers.preparation.prepare import describe, prepare
from napari_attribution.classifiers.splitting.layouts import Grid
from napari_attribution.errors import CardError, RequestError
from napari_attribution.methods.question.fills import make_fill

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
    np.testing.assert_allclose(prepared.background, [[-2, -1]])
    np.testing.assert_array_equal(prepared.typical, [[0, 0]])


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


# ------------------------------------------------------------------------------------------------------------ normalisation


def noisy(shape=(60, 70), seed=0, dtype=np.uint16) -> Well:
    random = np.random.default_rng(seed)
    pixels = np.stack([random.gamma(2, 300, shape), random.gamma(3, 90, shape) + 40])
    return Well(pixels.astype(dtype), ("DNA", "ER"))


def normalised_slowly(image: np.ndarray, quiet: np.ndarray, card: ClassifierCard) -> tuple[np.ndarray, np.ndarray]:
    """One (C, h, w) image and its (C,) background, a stain at a time, straight from the definitions."""
    image, quiet = image.astype(float), quiet.astype(float)
    out, background = np.empty_like(image), np.empty_like(quiet)
    image, quiet = clipped_slowly(image, card.clip_before), clipped_slowly(quiet, card.clip_before)
    for c in range(len(image)):
        own = image if card.together else image[c]
        if card.normalisation == "fixed":
            shift, scale = card.mean[c], card.std[c]
        elif card.normalisation == "per-image":
            shift, scale = own.sum() / own.size, np.sqrt(((own - own.mean()) ** 2).sum() / own.size) + card.eps
        else:
            ordered = np.sort(own.ravel())
            places = [q / 100 * (len(ordered) - 1) for q in card.percentiles]
            low, high = (
                ordered[int(i)] + (i - int(i)) * (ordered[min(int(i) + 1, len(ordered) - 1)] - ordered[int(i)])
                for i in places
            )
            shift, scale = low, high - low + card.eps
        out[c], background[c] = (image[c] - shift) / scale, (quiet[c] - shift) / scale
    return clipped_slowly(out, card.clip_after), clipped_slowly(background, card.clip_after)


def clipped_slowly(values: np.ndarray, limits) -> np.ndarray:
    low, high = limits or (None, None)
    values = values if low is None else np.where(values < low, low, values)
    return values if high is None else np.where(values > high, high, values)


NORMALISATIONS = [
    {"mean": [500.0, 300.0], "std": [400.0, 100.0]},
    {"normalisation": "per-image"},
    {"normalisation": "per-image", "together": True, "eps": 0.1},
    {"normalisation": "percentiles", "percentiles": (1, 99.8)},
    {"normalisation": "percentiles", "percentiles": (5, 95), "together": True},
    {"normalisation": "percentiles", "percentiles": (0, 100), "clip_before": (200, None)},
    {"normalisation": "per-image", "clip_before": (150, 900), "clip_after": (None, 2)},
    {"normalisation": "percentiles", "percentiles": (1, 99), "clip_after": (0, 1)},
    {"mean": [500.0, 300.0], "std": [400.0, 100.0], "clip_before": (200, 600), "clip_after": (-1, 1)},
]


@pytest.mark.parametrize("fields", NORMALISATIONS, ids=str)
@pytest.mark.parametrize("over", ["input", "well"])
@pytest.mark.parametrize("mode", ["whole", "tiles", "cells"])
def test_normalisation_equals_its_slow_twin(fields, over, mode):
    names = {"stains": ["ER", "DNA"], "classes": ["a", "b"], "background": [60.0, 90.0]}
    card = ClassifierCard(**names, **fields, over=over, mode=mode, size=None if mode == "whole" else (24, 31))
    well = noisy()
    cells = [(30, 30), (2, 69)]
    prepared = prepare(well, card, cells=cells)
    raw, quiet = well.pixels[::-1].astype(float), np.array(card.background)
    field, field_quiet = normalised_slowly(raw, quiet, card) if over == "well" else (raw, quiet)
    for number, window in enumerate(prepared.windows):
        crop = np.broadcast_to(field_quiet[:, None, None], (2, window.height, window.width)).copy()
        for r in range(window.height):
            for c in range(window.width):
                row, column = window.top + r, window.left + c
                if 0 <= row < 60 and 0 <= column < 70:
                    crop[:, r, c] = field[:, row, column]
        wanted, background = normalised_slowly(crop, quiet, card) if over == "input" else (crop, field_quiet)
        np.testing.assert_allclose(prepared.inputs[number], wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(prepared.background[number], background, rtol=1e-4, atol=1e-5)
        own = (field if over == "well" else wanted).mean(axis=(1, 2))
        typical = np.zeros(2) if card.normalisation == "fixed" else own
        np.testing.assert_allclose(prepared.typical[number], typical, rtol=1e-4, atol=1e-5)


def test_a_resized_field_has_its_own_numbers_and_the_well_others():
    fields = {"stains": ["DNA", "ER"], "classes": ["a", "b"], "normalisation": "per-image", "size": (20, 20)}
    own = prepare(noisy(), ClassifierCard(**fields)).inputs[0]
    np.testing.assert_allclose(own.mean(dim=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(own.std(dim=(1, 2), correction=0), 1, atol=1e-4)
    # Resizing takes away noise: by the well's numbers, less than its contrast is left.
    wells = prepare(noisy(), ClassifierCard(**fields, over="well")).inputs[0]
    assert float(wells.std(dim=(1, 2)).max()) < 0.7


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_an_image_without_contrast_is_zero_and_so_is_its_background(dtype):
    well = Well(np.full((2, 32, 32), 65535 if dtype is np.uint16 else 1 / 3, dtype), ("DNA", "ER"))
    for kind in ({"normalisation": "per-image"}, {"normalisation": "percentiles", "percentiles": (1, 99)}):
        fields = {"stains": ["DNA", "ER"], "classes": ["a", "b"], "mode": "whole", "background": [5.0, 6.0]}
        prepared = prepare(well, ClassifierCard(**fields, **kind))
        assert not prepared.inputs.any()
        assert not prepared.background.any()


def test_the_mean_fill_is_the_stains_mean():
    fields = {"stains": ["DNA", "ER"], "classes": ["a", "b"], "mode": "tiles", "size": (30, 35)}
    prepared = prepare(noisy(), ClassifierCard(**fields, normalisation="percentiles", percentiles=(1, 99)))
    x = prepared.inputs[1:2]
    fill = make_fill("mean", x, prepared.background[1], prepared.typical[1])
    np.testing.assert_allclose(fill[0, :, 0, 0], x.mean(dim=(0, 2, 3)), rtol=1e-5)


def test_the_record_says_once_what_is_the_same_for_every_input():
    fields = {"stains": ["DNA", "ER"], "classes": ["a", "b"], "mode": "tiles", "size": (30, 35), "overlap": 0.5}
    card = ClassifierCard(**fields, normalisation="per-image", over="well")
    record = describe(prepare(noisy(), card), card)
    assert record["normalisation"] == "per-image"
    assert record["overlap"] == 0.5
    assert record["over"] == "well"
    assert "mean" not in record
    assert len(record["background"]) == 2
    card = ClassifierCard(**fields, normalisation="per-image")
    record = describe(prepare(noisy(), card), card)
    assert np.shape(record["background"]) == (record["inputs"], 2)


# ------------------------------------------------------------------------------------------------------------ the way back


def laid_slowly(maps: np.ndarray, windows, shape, size, start, jump) -> np.ndarray:
    """One well pixel at a time: where it lies in each window's input, between which locations, the mean over windows."""
    out = np.zeros(shape)
    for row in range(shape[0]):
        for column in range(shape[1]):
            values = []
            for plane, window in zip(maps, windows, strict=True):
                r, c = row - window.top, column - window.left
                if not (0 <= r < window.height and 0 <= c < window.width):
                    continue
                pixel = ((r + 0.5) * size[0] / window.height - 0.5, (c + 0.5) * size[1] / window.width - 0.5)
                i, j = ((p - s) / step for p, s, step in zip(pixel, start, jump, strict=True))
                i, j = min(max(i, 0), plane.shape[0] - 1), min(max(j, 0), plane.shape[1] - 1)
                i0, j0 = int(i), int(j)
                i1, j1 = min(i0 + 1, plane.shape[0] - 1), min(j0 + 1, plane.shape[1] - 1)
                top = plane[i0, j0] * (1 - (j - j0)) + plane[i0, j1] * (j - j0)
                bottom = plane[i1, j0] * (1 - (j - j0)) + plane[i1, j1] * (j - j0)
                values.append(top * (1 - (i - i0)) + bottom * (i - i0))
            out[row, column] = np.mean(values) if values else 0
    return out


@pytest.mark.parametrize(
    ("mode", "size"), [("resize", (17, 40)), ("whole", None), ("tiles", (19, 24)), ("cells", (15, 16))]
)
@pytest.mark.parametrize(("start", "jump"), [((0.0, 0.0), (4.0, 4.0)), ((1.5, -1.0), (4.0, 3.0)), (None, None)])
def test_the_way_back_equals_its_slow_twin(mode, size, start, jump):
    card = ClassifierCard(**FIELDS, mode=mode, size=size)
    prepared = prepare(dotted(3, 3, (33, 38)), card, cells=[(3, 4), (30.2, 37), (8, 9), (16, 20)])
    maps = np.random.default_rng(0).normal(size=(len(prepared.windows), 5, 6))
    h, w = prepared.inputs.shape[2:]
    even = ((h / 5 - 1) / 2, (w / 6 - 1) / 2), (h / 5, w / 6)
    found = prepared.to_well(torch.from_numpy(maps), None if start is None else Grid(start, jump))
    wanted = laid_slowly(maps, prepared.windows, (33, 38), (h, w), start or even[0], jump or even[1])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("tile", [7, 40, 96])
def test_tiles_overlap_as_much_as_the_card_wants(overlap, tile):
    card = ClassifierCard(**FIELDS, mode="tiles", size=(tile, 120), overlap=overlap)
    tops = [window.top for window in prepare(dotted(5, 5), card).windows]
    assert tops[0] == 0
    assert tops[-1] == 96 - tile
    assert all(0 < after - before <= max(1, tile * (1 - overlap)) for before, after in pairwise(tops))


@pytest.mark.parametrize("size", [(32, 32), (33, 25)])
def test_a_cell_lies_in_the_middle_of_its_crop(size):
    card = ClassifierCard(**FIELDS, mode="cells", size=size)
    for place in [(40, 50), (41, 51), (40.4, 50.6), (3, 119)]:
        prepared = prepare(dotted(round(place[0]), round(place[1])), card, cells=[place])
        peak = np.unravel_index(prepared.inputs[0, 0].argmax(), size)
        assert peak == (size[0] // 2, size[1] // 2)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([(5, 5), (5, 500), (-20, 4)], "2 of 3 cells lie outside the well of 96 x 120 pixels .*row 5, column 500"),
        ([(np.nan, 5)], "1 of 1 cells lie outside"),
        ([5, 6], r"\(row, column\) in well pixels.*shape \(2,\)"),
        ([(1, 2, 3)], r"shape \(1, 3\)"),
    ],
)
def test_cells_that_are_none_of_this_wells(cells, sentence):
    with pytest.raises(RequestError, match=sentence):
        prepare(dotted(5, 5), ClassifierCard(**FIELDS, mode="cells", size=(32, 32)), cells=cells)
