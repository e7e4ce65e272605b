"""What if this were gone: equal to editing the well's own pixels until the input is the fill there."""

import networks
import numpy as np
import pytest
import torch
from planted import Root, Sum, classifier, disc

from napari_attribution import Well
from napari_attribution.classifiers.preparation.prepare import prepare
from napari_attribution.errors import Cancelled, ClassifierError, RequestError
from napari_attribution.faithfulness.explain import explained
from napari_attribution.faithfulness.what_if import what_if
from napari_attribution.wells.place import Place

MEAN, STD, DARK = (2.0, -1.0, 0.5), (2.0, 0.5, 1.5), (-3.0, -2.0, -1.0)
CELLS = [(10, 12), (30, 40), (2, 55), (35, 5)]
MODES = {
    "resize": {"size": (32, 32)},
    "whole": {"size": (40, 60)},
    "tiles": {"size": (16, 24)},
    "cells": {"size": (16, 16)},
}


@pytest.fixture(scope="module")
def network():
    return networks.make("gated")


def opened(network, folder, mode, **changes):
    fields = {"mode": mode, "mean": MEAN, "std": STD, "background": DARK, **MODES[mode]} | changes
    return networks.opened(network, folder, **fields)


def field(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(3, 40, 60)).astype(np.float32)


def ask(found, pixels, **asked):
    cells = CELLS if found.card.mode == "cells" else None
    well = Well(pixels, networks.STAINS)
    return explained(found, well, "occlusion", "hit", cells=cells, channels="none", window=8, **asked)


def edited(pixels, masks, values):
    """The pixels of each stain that are removed, replaced one by one by its value."""
    made = pixels.copy()
    for stain, row, column in np.argwhere(np.broadcast_to(masks, pixels.shape)):
        made[stain, row, column] = values[stain]
    return made


def scores_of(network, card, pixels):
    """By the network itself, of the well's own pixels."""
    cells = CELLS if card.mode == "cells" else None
    with torch.no_grad():
        return network(prepare(Well(pixels, networks.STAINS), card, None, cells).inputs).mean(dim=0)


def two_masks() -> np.ndarray:
    masks = np.zeros((3, 40, 60), bool)
    masks[0] = disc(40, 60, 12, 14, 9)
    masks[2] = disc(40, 60, 30, 44, 13)
    return masks


@pytest.mark.parametrize("fill", ["mean", "background"])
@pytest.mark.parametrize("mode", MODES)
def test_equals_editing_the_wells_pixels(network, tmp_path, mode, fill):
    found, values = opened(network, tmp_path, mode), MEAN if fill == "mean" else DARK
    masks, pixels = two_masks(), field()
    if mode == "resize":
        # Where pixels are mixed on their way to the input, an edge is sharp only in what is flat about it.
        rim = disc(40, 60, 12, 14, 13) & ~disc(40, 60, 12, 14, 6) | disc(40, 60, 30, 44, 17) & ~disc(40, 60, 30, 44, 9)
        pixels[:, rim] = 0.7
    known = ask(found, pixels, fill=fill)
    result = what_if(known, masks)
    expected = scores_of(network, found.card, edited(pixels, masks, values))
    assert result.after.score == pytest.approx(float(expected[1]), abs=2e-5)
    assert result.after.predicted == found.classes[int(expected.argmax())]
    for name, probability in zip(found.classes, expected.softmax(dim=0), strict=True):
        assert result.after.probabilities[name] == pytest.approx(float(probability), abs=1e-5)
    assert result.before.score == pytest.approx(float(scores_of(network, found.card, pixels)[1]), abs=2e-5)
    assert abs(result.after.score - result.before.score) > 1e-4
    assert result.stains == ("DNA", "Mito")
    assert result.removed == masks.any(axis=0).mean()


def test_the_blur_is_what_fills_where_the_map_was_made_with_it(network, tmp_path):
    found, masks, pixels = opened(network, tmp_path, "whole"), two_masks(), field()
    known = ask(found, pixels, fill="blur")
    scale = np.array(STD, np.float32)[:, None, None]
    filled = known.problems[0].fill[0].numpy() * scale + np.array(MEAN, np.float32)[:, None, None]
    expected = scores_of(network, found.card, np.where(masks, filled, pixels).astype(np.float32))
    assert what_if(known, masks).after.score == pytest.approx(float(expected[1]), abs=2e-5)


@pytest.mark.parametrize("mode", ["whole", "tiles", "cells"])
def test_of_a_picked_place_what_is_left_is_what_the_answer_was_about(network, tmp_path, mode):
    found, pixels = opened(network, tmp_path, mode), field()
    place = Place(disc(40, 60, 20, 30, 8), "the middle")
    masks = np.zeros((3, 40, 60), bool)
    masks[1] = disc(40, 60, 17, 28, 5)
    known = ask(found, pixels, place=place)
    left = pixels if mode == "cells" else edited(pixels, ~place.mask, MEAN)
    left = edited(left, masks, MEAN)
    with torch.no_grad():
        expected = network(prepare(Well(left, networks.STAINS), found.card, place=place).inputs)[0, 1]
    assert what_if(known, masks).after.score == pytest.approx(float(expected), abs=2e-5)
    assert what_if(known, masks).removed == masks[1][place.mask].mean()
    if mode == "whole":
        outside = np.zeros((40, 60), bool)
        outside[:5] = True
        assert what_if(known, outside).after == what_if(known, outside).before


def test_a_mask_by_name_is_that_stain_alone(network, tmp_path):
    known = ask(opened(network, tmp_path, "whole"), field())
    masks = np.zeros((3, 40, 60), bool)
    masks[1] = two_masks()[0]
    assert what_if(known, {"ER": masks[1]}) == what_if(known, masks)
    both = what_if(known, dict.fromkeys(networks.STAINS, masks[1]))
    assert both.after.score == pytest.approx(what_if(known, masks[1]).after.score, abs=1e-5)


def test_nothing_removed_is_the_answer_itself_for_nothing(network, tmp_path):
    found = opened(network, tmp_path, "tiles")
    known = ask(found, field())
    found.forwards = 0.0
    result = what_if(known, np.zeros((40, 60), bool))
    assert result.before == result.after
    assert result.after.score == known.attribution.score
    assert result.after.probabilities == known.attribution.probabilities
    assert (found.forwards, result.asked, result.removed, result.stains) == (0.0, 0, 0.0, ())


def test_only_tiles_that_show_it_are_asked_again(network, tmp_path):
    found = opened(network, tmp_path, "tiles")
    known = ask(found, field())
    mask = np.zeros((40, 60), bool)
    mask[39, 59] = True
    found.forwards = 0.0
    result = what_if(known, mask)
    assert result.asked == found.forwards == 1
    assert result.inputs == len(known.problems) > 8


def test_the_same_again_is_the_same_to_the_last_bit(network, tmp_path):
    known = ask(opened(network, tmp_path, "resize"), field())
    first = what_if(known, two_masks())
    what_if(known, ~two_masks())
    assert what_if(known, two_masks()) == first


def test_the_planted_truth_changes_the_classifiers_mind(tmp_path):
    truth = disc(32, 32, 9, 22, 5)
    weights = np.zeros((3, 32, 32))
    weights[1] = truth
    found = classifier(Sum(weights, -1.0), tmp_path, 3, (32, 32))
    pixels = 1 + np.random.default_rng(0).random((3, 32, 32)).astype(np.float32)
    known = explained(found, Well(pixels, found.card.stains), "occlusion", "hit", channels="none", window=4)
    gone = what_if(known, {"stain 1": truth})
    assert gone.changes_its_mind
    assert (gone.before.predicted, gone.after.predicted) == ("hit", "control")
    assert gone.after.score == pytest.approx(-1.0, abs=1e-4)
    spared = what_if(known, {"stain 0": truth, "stain 1": ~truth, "stain 2": truth})
    assert not spared.changes_its_mind
    assert spared.after.score == pytest.approx(spared.before.score, abs=1e-3)


def test_masks_that_do_not_fit_are_a_sentence(network, tmp_path):
    known = ask(opened(network, tmp_path, "whole"), field())
    with pytest.raises(RequestError, match=r"\(40, 60\).*found the shape \(60, 40\)"):
        what_if(known, np.ones((60, 40), bool))
    with pytest.raises(RequestError, match=r"no stain 'AGP'.*DNA, ER, Mito"):
        what_if(known, {"AGP": np.ones((40, 60), bool)})


def test_scores_that_are_no_numbers_are_a_sentence(tmp_path):
    found = classifier(Root(), tmp_path, 2, (16, 16))
    found.card = found.card.model_copy(update={"background": (-9.0, -9.0)})
    well = Well(np.random.default_rng(0).random((2, 16, 16)).astype(np.float32), found.card.stains)
    known = explained(found, well, "occlusion", "control", fill="background", channels="none", window=3)
    with pytest.raises(ClassifierError, match=r"not numbers.*once these places are filled"):
        what_if(known, np.ones((16, 16), bool))


def test_who_is_no_longer_wanted_does_not_ask(network, tmp_path):
    found = opened(network, tmp_path, "whole")
    known = ask(found, field())

    def check():
        raise Cancelled

    found.forwards = 0.0
    with pytest.raises(Cancelled):
        what_if(known, two_masks(), check)
    assert found.forwards == 0
