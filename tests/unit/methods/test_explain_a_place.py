"""A place alone: the classifier sees it, and the fill elsewhere."""

import json

import networks
import numpy as np
import pytest
import torch

from napari_attribution import Place, Well, explain
from napari_attribution.errors import RequestError
from napari_attribution.faithfulness.explain import explained
from napari_attribution.methods.explain import answer


@pytest.fixture
def well():
    return Well(np.random.default_rng(0).normal(size=(3, 40, 50)).astype(np.float32), networks.STAINS)


@pytest.fixture
def cell():
    mask = np.zeros((40, 50), bool)
    mask[10:22, 8:25] = True
    mask[10:14, 8:12] = False
    return Place(mask, "cell 3")


def opened(tmp_path, **card):
    return networks.opened(networks.make("gap"), tmp_path, **{"mode": "whole", "size": None, **card})


def scores_of(classifier, pixels):
    """By the network's own file, as a twin that knows nothing of places."""
    with torch.no_grad():
        return classifier.scores(torch.as_tensor(pixels, dtype=torch.float32)[None])[0]


def test_of_a_whole_field_the_rest_is_filled(tmp_path, well, cell):
    classifier = opened(tmp_path)
    found = answer(classifier, well, place=cell, target="hit", fill="background")
    filling = found.problems[0].fill[0].numpy()
    alone = np.where(cell.mask, well.pixels, filling)
    without = np.where(cell.mask, filling, well.pixels)
    np.testing.assert_allclose(found.problems[0].x[0].numpy(), alone, atol=1e-6)
    attribution = found.attribution
    index = classifier.classes.index("hit")
    assert attribution.score == pytest.approx(float(scores_of(classifier, alone)[index]), abs=1e-5)
    assert attribution.part.loses == pytest.approx(
        float(scores_of(classifier, well.pixels)[index] - scores_of(classifier, without)[index]), abs=1e-5
    )
    assert attribution.part.probabilities["hit"] == pytest.approx(
        float(scores_of(classifier, without).softmax(0)[index]), abs=1e-5
    )
    assert not attribution.values[..., ~cell.mask].any()
    assert attribution.values[..., cell.mask].any()


def test_all_of_the_well_is_the_well(tmp_path, well):
    classifier = opened(tmp_path)
    everything = explain(classifier, well, method="pcim", place=Place(np.ones(well.shape, bool)))
    plain = explain(classifier, well, method="pcim")
    np.testing.assert_array_equal(everything.values, plain.values)
    assert everything.part is None


def test_a_classifier_of_single_cells_sees_the_neighbours(tmp_path, well, cell):
    classifier = opened(tmp_path, mode="cells", size=(16, 16))
    found = answer(classifier, well, place=cell)
    twin = answer(classifier, well, cells=[cell.centre])
    assert torch.equal(found.problems[0].x, twin.problems[0].x)
    assert found.attribution.part is None


def test_a_classifier_of_tiles_looks_at_the_tile_about_it(tmp_path, well):
    classifier = opened(tmp_path, mode="tiles", size=(16, 16))
    found = answer(classifier, well, place=Place.square(well.shape, (2, 30), 16))
    (window,) = found.prepared.windows
    assert (window.top, window.left) == (0, 22)
    far = answer(classifier, well, place=Place.square(well.shape, (20, 30), 16))
    assert far.attribution.part is None
    np.testing.assert_array_equal(far.problems[0].x[0].numpy(), well.pixels[:, 12:28, 22:38])


def test_a_resized_field_sees_a_mask_that_is_resized(tmp_path, well, cell):
    classifier = opened(tmp_path, mode="resize", size=(20, 25))
    found = answer(classifier, well, place=cell, fill="background")
    kept = found.prepared.of_mask(cell.mask)
    assert kept.shape == (1, 1, 20, 25)
    assert 0.2 < float(kept.sum()) / (cell.mask.sum() / 4) < 1.2
    full = answer(classifier, well).problems[0].x
    filling = found.problems[0].fill
    torch.testing.assert_close(found.problems[0].x, filling + kept * (full - filling))


def test_the_record_tells_the_place(tmp_path, well, cell):
    record = json.loads(json.dumps(explain(opened(tmp_path), well, place=cell).record))
    assert (Place.of_record(record["place"]).mask == cell.mask).all()
    assert record["part"]["loses"] == pytest.approx(record["part"]["whole"] - record["part"]["without"])


def test_a_place_of_another_well_is_refused(tmp_path, cell):
    other = Well(np.ones((3, 30, 30), np.float32) * np.arange(30, dtype=np.float32), networks.STAINS)
    with pytest.raises(RequestError, match="well of 40 x 50 pixels, but this one has 30 x 30"):
        explain(opened(tmp_path), other, place=cell)


def test_how_far_to_trust_it_is_asked_within_the_place(tmp_path, well, cell):
    """Its top fifth is that of its own pixels: by a twin that fills the rest by hand."""
    classifier = opened(tmp_path)
    found = explained(
        classifier, well, "pcim", "hit", place=cell, fill="background", faithfulness=True, per_stain=False
    )
    values = found.at_input()
    count = round(0.2 * cell.mask.sum())
    inside = np.sort(values[cell.mask])[::-1]
    kept = cell.mask & (values >= inside[count - 1])
    assert kept.sum() == count
    pixels = np.where(kept, well.pixels, found.problems[0].fill[0].numpy())
    figures = found.attribution.faithfulness
    assert figures["score keep 20"] == pytest.approx(float(scores_of(classifier, pixels)[1]), abs=1e-5)
    assert figures["score elsewhere 20"] != figures["score filled"]
