"""What is found of a well once gives the same answers as what is found of it anew."""

import networks
import numpy as np
import pytest

from napari_attribution import Well
from napari_attribution.classifiers.preparation import prepare as preparation
from napari_attribution.errors import RequestError, WellError
from napari_attribution.methods.explain import answer
from napari_attribution.methods.question import ground as grounds
from napari_attribution.methods.question.ground import Ground
from napari_attribution.wells.place import Place


@pytest.fixture(params=["resize", "tiles", "cells"])
def classifier(request, tmp_path):
    opened = networks.opened(networks.make("gap"), tmp_path, mode=request.param, background=None)
    opened.sha256 = "of the file"
    return opened


PLACES = [Place.square((70, 60), centre, 12) for centre in ((20, 30), (50, 8), (69, 59))]


def told(found):
    """What must be the same: all but the clock's."""
    record = {key: value for key, value in found.attribution.record.items() if key not in ("made_at", "work")}
    return found.attribution, record


@pytest.mark.parametrize("method", ["pixel-ablation-cam", "occlusion"])
def test_answers_from_the_same_ground_are_those_without(classifier, method):
    well = networks.noise((70, 60))
    ground = Ground(well, classifier.card)
    for place in PLACES:
        one, its_record = told(answer(classifier, well, method, place=place, ground=ground))
        two, other_record = told(answer(classifier, well, method, place=place))
        np.testing.assert_array_equal(one.values, two.values)
        assert one.probabilities == two.probabilities
        assert one.channel_importance == two.channel_importance
        assert one.warnings == two.warnings
        assert one.part == two.part
        assert its_record == other_record


def test_of_a_field_nothing_is_done_twice_but_the_forwards(tmp_path, monkeypatch):
    classifier = networks.opened(networks.make("gap"), tmp_path)
    classifier.sha256 = "of the file"
    well, done = networks.noise((70, 60)), []
    for name in ("prepare", "hashes_of", "flaws", "stain_ranges"):
        before = getattr(grounds, name)
        monkeypatch.setattr(grounds, name, lambda *a, name=name, before=before: (done.append(name), before(*a))[1])
    ground = Ground(well, classifier.card)
    costs = [answer(classifier, well, place=place, ground=ground).attribution.forwards for place in PLACES]
    assert sorted(done) == ["flaws", "hashes_of", "prepare", "stain_ranges"]
    assert costs[1] == costs[2] == costs[0] - 2, "the well and its fill are scored once"


def test_a_severe_flaw_stops_here_unless_it_is_accepted(tmp_path):
    classifier = networks.opened(networks.make("gap"), tmp_path)
    pixels = networks.noise((70, 60)).pixels.copy()
    pixels[1] = 0
    ground = Ground(Well(pixels, networks.STAINS), classifier.card)
    with pytest.raises(WellError, match="empty"):
        ground.warnings(ground.prepared(None, None), accept_flaws=False)
    assert "empty" in ground.warnings(ground.prepared(None, None), accept_flaws=True)[0]


def test_a_place_of_another_well_is_refused(classifier):
    ground = Ground(networks.noise((70, 60)), classifier.card)
    with pytest.raises(RequestError, match="70 x 60"):
        ground.prepared(None, Place.square((40, 40), (20, 20), 8))


def test_an_input_is_what_is_prepared_anew(classifier):
    well = networks.noise((70, 60))
    ground = Ground(well, classifier.card)
    for place in PLACES:
        wanted = preparation.prepare(well, classifier.card, place=place)
        assert (ground.prepared(None, place).inputs == wanted.inputs).all()
