"""How much of a map is enough: against plain loops, against `quick` and `curves`, and against a planted truth."""

from dataclasses import replace

import networks
import numpy as np
import pytest
import torch
from planted import Root, Sum, classifier, disc

from napari_attribution import Well
from napari_attribution.errors import Cancelled, ClassifierError, RequestError
from napari_attribution.faithfulness.curves import curves
from napari_attribution.faithfulness.enough import (
    NEVER,
    enough,
    enough_curves,
    entering,
    forwards_of_curves,
    share_of,
)
from napari_attribution.faithfulness.explain import explained
from napari_attribution.wells.place import Place


@pytest.fixture(scope="module")
def network():
    return networks.make("gated")


@pytest.fixture
def well():
    return Well(np.random.default_rng(0).normal(size=(3, 32, 32)).astype(np.float32), networks.STAINS)


def ask(found, well, **asked):
    return explained(found, well, "occlusion", "hit", channels="none", **({"window": 4, "stride": 4} | asked))


def by_loops(network, known, share, index=0, within=None):
    """The (K,) scores of one input of which the first units, sorted one by one, are left."""
    values, x = known.at_input(index), known.problems[index].x
    places = [place for place in np.ndindex(values.shape) if within is None or within[place[-2:]]]
    places.sort(key=lambda place: (-values[place], place))
    kept = torch.zeros(values.shape, dtype=torch.bool)
    for place in places[: round(share * len(places))]:
        kept[place] = True
    with torch.no_grad():
        return network(torch.where(kept, x, known.problems[index].fill.expand_as(x)))[0]


@pytest.mark.parametrize("per_stain", [False, True])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.55, 1.0])
def test_equals_plain_loops(network, well, tmp_path, share, per_stain):
    known = ask(networks.opened(network, tmp_path), well, per_stain=per_stain, fill="background")
    found = enough(known, share)
    expected = by_loops(network, known, share)
    assert found.kept.score == pytest.approx(float(expected[1]), abs=1e-5)
    assert found.kept.predicted == networks.CLASSES[int(expected.argmax())]
    assert found.kept.probabilities["dead"] == pytest.approx(float(expected.softmax(0)[2]), abs=1e-5)
    assert found.filled == pytest.approx(float(by_loops(network, known, 0.0)[1]), abs=1e-5)
    assert found.whole == pytest.approx(known.attribution.score, abs=1e-5)


@pytest.mark.parametrize("mode", ["resize", "tiles"])
def test_a_fifth_is_what_comes_with_every_map(network, well, tmp_path, mode):
    opened = networks.opened(network, tmp_path, size=(16, 16), mode=mode)
    known = ask(opened, well, faithfulness=True)
    found = enough(known, 0.2)
    assert found.kept.score == pytest.approx(known.attribution.faithfulness["score keep 20"], abs=1e-5)
    if found.share is not None and "keep 20" in known.attribution.faithfulness:
        assert found.share == pytest.approx(known.attribution.faithfulness["keep 20"], abs=1e-4)


def test_tiles_are_means_of_class_scores(network, well, tmp_path):
    known = ask(networks.opened(network, tmp_path, size=(20, 20), mode="tiles"), well)
    expected = torch.stack([by_loops(network, known, 0.3, index) for index in range(len(known.problems))]).mean(dim=0)
    found = enough(known, 0.3)
    assert found.kept.score == pytest.approx(float(expected[1]), abs=1e-5)
    assert (found.asked, found.inputs) == (len(known.problems), len(known.problems))


def test_of_a_place_the_units_are_those_of_the_place(network, well, tmp_path):
    place = Place(disc(32, 32, 14, 14, 7), "cell 3")
    known = ask(networks.opened(network, tmp_path, size=(32, 32), mode="whole"), well, place=place)
    for share in (0.1, 0.5, 1.0):
        expected = by_loops(network, known, share, within=place.mask)
        assert enough(known, share).kept.score == pytest.approx(float(expected[1]), abs=1e-5)
    first = entering(known)
    assert (first[~place.mask] == NEVER).all()
    assert (first[place.mask] < 0.5).mean() == pytest.approx(0.5, abs=0.01)
    found = enough_curves(known, 10)
    assert found.insertion[5] == pytest.approx(enough(known, 0.5).kept.score, abs=0.02)
    assert found.insertion[-1] == pytest.approx(known.attribution.score, abs=1e-5)
    without = by_loops(network, known, 0.0)
    assert found.deletion[-1] == pytest.approx(float(without[1]), abs=1e-5)


@pytest.mark.parametrize("per_stain", [False, True])
def test_a_place_comes_in_with_the_first_of_its_stains(network, well, tmp_path, per_stain):
    known = ask(networks.opened(network, tmp_path, size=(32, 32), mode="whole"), well, per_stain=per_stain)
    values, first = known.at_input(), entering(known)
    order = sorted(np.ndindex(values.shape), key=lambda place: (-values[place], place))
    for share in (0.05, 0.2, 0.83):
        kept = np.zeros(values.shape, bool)
        for place in order[: round(share * values.size)]:
            kept[place] = True
        np.testing.assert_array_equal(first < share, kept.any(axis=0) if per_stain else kept)
    assert (first < 1).all()
    assert first.dtype == np.float32


def test_where_no_input_looks_nothing_ever_comes_in(network, well, tmp_path):
    known = ask(networks.opened(network, tmp_path, size=(8, 8), mode="cells"), well, cells=[(8, 8), (20, 25)])
    first = entering(known)
    seen = np.zeros((32, 32), bool)
    seen[4:12, 4:12] = seen[16:24, 21:29] = True
    np.testing.assert_array_equal(first < NEVER, seen)


def test_the_curves_are_those_of_the_measures(network, well, tmp_path):
    opened = networks.opened(network, tmp_path, size=(20, 20), mode="tiles")
    known = ask(opened, well)
    opened.forwards = 0.0
    found, steps = enough_curves(known, 5), []
    assert opened.forwards == forwards_of_curves(len(known.problems), 5)
    one_by_one = [curves(problem, known.at_input(index), 5) for index, problem in enumerate(known.problems)]
    np.testing.assert_allclose(found.insertion, np.mean([one.insertion for one in one_by_one], axis=0), atol=1e-6)
    np.testing.assert_allclose(found.deletion, np.mean([one.deletion for one in one_by_one], axis=0), atol=1e-6)
    enough_curves(known, 5, lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        enough_curves(known, 5, stop)


def test_the_planted_truth_is_enough(tmp_path):
    truth = disc(32, 32, 9, 22, 5)
    weights = np.zeros((3, 32, 32))
    weights[1] = truth
    found = classifier(Sum(weights), tmp_path, 3, (32, 32))
    pixels = 1 + np.random.default_rng(0).random((3, 32, 32)).astype(np.float32)
    known = explained(found, Well(pixels, found.card.stains), "occlusion", "hit", window=2, stride=1, fill="background")
    exact = truth.mean()
    assert enough(known, 2 * exact).share == pytest.approx(1, abs=0.01)
    assert enough(known, exact / 2).share == pytest.approx(0.5, abs=0.15)
    assert enough(known, 2 * exact).kept.predicted == "hit"
    assert truth[entering(known) < exact / 2].all()


def test_a_map_without_a_top_is_a_sentence(tmp_path, network, well):
    found = classifier(Sum(np.zeros((2, 16, 16)), 1.0), tmp_path, 2, (16, 16))
    flat = Well(np.random.default_rng(0).random((2, 16, 16)).astype(np.float32), found.card.stains)
    known = explained(found, flat, "occlusion", "hit", channels="none")
    assert not known.attribution.values.any()
    for question in (lambda: enough(known, 0.2), lambda: enough_curves(known), lambda: entering(known)):
        with pytest.raises(RequestError, match="prefers no place that speaks for hit"):
            question()
    known = ask(networks.opened(network, tmp_path), well)
    result = replace(known.results[0], map=known.results[0].map * float("nan"))
    with pytest.raises(RequestError, match="not numbers"):
        entering(replace(known, results=(result,)))
    with pytest.raises(RequestError, match="between 0 and 1"):
        enough(known, 1.2)


def test_scores_that_are_no_numbers_are_a_sentence(tmp_path):
    found = classifier(Root(), tmp_path, 2, (16, 16))
    found.card = found.card.model_copy(update={"background": (-4.0, -4.0)})
    flat = Well(np.random.default_rng(0).random((2, 16, 16)).astype(np.float32), found.card.stains)
    known = explained(found, flat, "occlusion", "control", fill="background", channels="none", window=3)
    with pytest.raises(ClassifierError, match="not numbers"):
        enough(known, 0.2)


def test_a_share_of_no_range_is_none():
    assert share_of(1.5, 2.0, 1.0) == 0.5
    assert share_of(0.5, 1.0, 2.0) is None
    assert share_of(50.0, 1.05, 1.0) is None
    assert share_of(1.0, 1.0, 1.0) is None
