"""The stains' importance over wells, and what brightness alone explains of it."""

import numpy as np
import planted_stains as planted
import pytest
import torch

from napari_attribution import Well
from napari_attribution.errors import Cancelled, ClassifierError, RequestError, StainError, WellError
from napari_attribution.methods.channels.brightness import null_forwards, rearranged, sentence
from napari_attribution.methods.channels.importance import channel_importance, without_ties
from napari_attribution.methods.channels.values import ESTIMATORS

GAMES = [name for name, estimator in ESTIMATORS.items() if estimator.game]


def wells(n: int = 3, stains: int = 3) -> list[Well]:
    return [planted.well(stains, seed) for seed in range(n)]


# ------------------------------------------------------------------------------------------------------------ over wells


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_every_well_by_itself_and_their_mean_and_spread(name):
    classifier = planted.classifier_of(planted.Fine())
    found = channel_importance(classifier, wells(), name, "hit", fill="background", null=False)
    each = [channel_importance(classifier, w, name, "hit", fill="background", null=False) for w in wells()]
    np.testing.assert_allclose(found.per_well, [one.mean for one in each], atol=1e-6)
    np.testing.assert_allclose(found.mean, found.per_well.mean(axis=0))
    np.testing.assert_allclose(found.spread, found.per_well.std(axis=0, ddof=1))
    np.testing.assert_allclose(each[0].spread, found.error[0], atol=1e-6)
    assert found.stains == ("DNA", "ER", "Mito")
    assert found.targets == ("hit",) * 3
    assert (found.null, found.verdicts, found.sentences) == (None, (), ())
    if name != "permutation":
        assert found.ranking[0] == "DNA"
        assert not found.error.any()
        problem = planted.problem_of(planted.Fine())
        np.testing.assert_allclose(found.per_well[0], ESTIMATORS[name].values(problem)[0], atol=1e-6)


def test_it_is_what_explain_says_beside_a_map():
    from napari_attribution import explain

    classifier = planted.classifier_of(planted.Fine())
    for name in ("shapley", "leave-one-out", "keep-one", "permutation"):
        asked = {"fill": "background", "target": "hit"}
        by_map = explain(classifier, wells()[0], "occlusion", window=16, channels=name, **asked)
        found = channel_importance(classifier, wells()[0], name, null=False, seeds=5, **asked)
        np.testing.assert_allclose([*by_map.channel_importance.values()], found.shares, atol=1e-6)
        assert by_map.importance_meaning == found.meaning
        assert bool(by_map.channel_spread) == (name == "permutation")


def test_the_predicted_class_is_asked_by_default_and_a_contrast_names_the_other():
    classifier = planted.classifier_of(planted.Means([1.0, -2.0, 0.5]))
    found = channel_importance(classifier, wells(1), score="contrast", null=False)
    assert found.targets == ("control",)
    assert found.score_names == ("contrast with dead",)
    assert channel_importance(classifier, wells(1), score="probability", null=False).unit == "probability"


def test_tiles_of_a_well_are_averaged():
    import networks

    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.classifiers.files.torchscript import torchscript_network

    module = torch.jit.script(planted.Means([1.0, -1.0, 0.0]))
    classifier = Classifier(torchscript_network(module, torch.device("cpu")), networks.card(32, mode="tiles"))
    well = planted.well(size=(64, 64))
    found = channel_importance(classifier, well, target="hit", fill="background")
    expected = well.pixels.mean(axis=(1, 2)) * [1, -1, 0]
    np.testing.assert_allclose(found.mean, expected, atol=0.05)
    assert found.per_well.shape == (1, 3)
    assert found.null.rearranged.shape == (1, 3, 3)


def test_ties_are_tied():
    np.testing.assert_array_equal(without_ties([2.0, 0.01, -0.02, -1.0]), [2.0, 0, 0, -1.0])
    np.testing.assert_array_equal(without_ties([0.0, 0.0]), [0.0, 0.0])
    assert without_ties(np.ones((2, 3))).shape == (2, 3)


# ------------------------------------------------------------------------------------------------------------ brightness


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("n", [1, 4])
def test_what_is_read_for_its_mean_is_worth_its_brightness(name, n):
    classifier = planted.classifier_of(planted.Means([1.0, -0.5, 0.0]))
    found = channel_importance(classifier, wells(n), name, "hit", fill="background")
    np.testing.assert_allclose(found.null.mean, found.mean, atol=1e-5)
    np.testing.assert_allclose(found.null.flat, found.per_well, atol=1e-5)
    assert found.verdicts == ("brightness", "brightness", "nothing")
    assert not found.beyond.any()
    assert "which its brightness alone explains" in found.sentences[0]
    assert found.sentences[2] == "Mito counts for nothing."


def test_what_is_read_for_its_histogram_is_worth_its_brightness():
    found = channel_importance(planted.classifier_of(planted.Histogram()), wells(2), target="hit", fill="background")
    np.testing.assert_allclose(found.null.mean, found.mean, atol=1e-5)
    assert found.null.flat[0, 0] < 0.5 * found.mean[0]
    assert found.verdicts == ("brightness", "nothing", "nothing")


@pytest.mark.parametrize("network", [planted.Fine(), planted.Smooth()])
@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("n", [1, 4])
def test_what_is_read_for_its_texture_is_worth_more(network, name, n):
    found = channel_importance(planted.classifier_of(network), wells(n), name, "hit", fill="background")
    assert abs(found.null.mean[0]) < 0.7 * abs(found.mean[0])
    assert found.verdicts == ("beyond", "brightness", "nothing")
    assert found.beyond.tolist() == [True, False, False]
    assert "beyond what its brightness alone explains" in found.sentences[0]
    assert np.sign(found.mean[0]) == (1 if isinstance(network, planted.Fine) else -1)


def test_a_decoy_ten_times_brighter_that_carries_nothing_counts_for_nothing():
    def brighter(w: Well) -> Well:
        pixels = w.pixels.copy()
        pixels[2] *= 10
        return Well(pixels, w.stains)

    classifier = planted.classifier_of(planted.Fine())
    for name in ESTIMATORS:
        found = channel_importance(classifier, [brighter(w) for w in wells()], name, "hit", fill="background")
        np.testing.assert_allclose(found.per_well[:, 2], 0, atol=1e-6)
        if found.null:
            np.testing.assert_allclose(found.null.rearranged[:, :, 2], 0, atol=1e-6)
            assert found.verdicts[2] == "nothing"


def test_what_clouds_are_worth_more_of_is_unclear():
    rows = np.zeros((planted.SIZE, planted.SIZE), np.float32)
    rows[:, ::2] = 2  # alike along the rows, and half of the pixels bright
    w = Well(np.stack([rows, rows, rows]), planted.names(3))
    found = channel_importance(planted.classifier_of(planted.Noise()), w, target="hit", fill="background")
    assert found.null.mean[0] > 2 * found.mean[0] > 0
    assert found.verdicts[0] == "unclear"
    assert "cannot be told" in found.sentences[0]


def test_the_null_equals_the_game_of_a_changed_well():
    """Only the scores that a stain's value is made of are made anew: the slow twin makes all of them."""
    for stains, name in ((4, "shapley"), (4, "leave-one-out"), (4, "keep-one"), (4, "dcmix"), (10, "shapley")):
        w = planted.well(stains)
        classifier = planted.classifier_of(planted.Fine(), stains)
        asked = {"estimator": name, "target": "hit", "fill": "background"}
        before = classifier.forwards
        found = channel_importance(classifier, w, seeds=2, **asked)
        game = ESTIMATORS[name].game(stains)
        assert classifier.forwards - before == 1 + ESTIMATORS[name].forwards(stains) + null_forwards(game, 2)
        assert found.forwards == classifier.forwards - before
        for c in (0, 1):
            for seed in (0, 1):
                pixels = w.pixels.copy()
                pixels[c] = rearranged(torch.from_numpy(pixels[c]), c, seed).numpy()
                twin = channel_importance(classifier, Well(pixels, w.stains), null=False, **asked)
                assert found.null.rearranged[0, seed, c] == pytest.approx(twin.mean[c], abs=1e-5)
            pixels = w.pixels.copy()
            pixels[c] = pixels[c].mean()
            twin = channel_importance(classifier, Well(pixels, w.stains), null=False, accept_flaws=True, **asked)
            assert found.null.flat[0, c] == pytest.approx(twin.mean[c], abs=1e-5)


def test_rearranging_keeps_every_pixel_and_makes_clouds():
    plane = torch.from_numpy(planted.well(size=(40, 64)).pixels[0].copy())
    one, again, other = (rearranged(plane, 0, seed) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(one.flatten().sort().values, plane.flatten().sort().values)
    assert float((one[1:] - one[:-1]).abs().mean()) < 0.7 * float((plane[1:] - plane[:-1]).abs().mean())


def test_the_same_numbers_every_time():
    classifier = planted.classifier_of(planted.Fine())
    one, two = (channel_importance(classifier, wells(2), target="hit") for _ in range(2))
    np.testing.assert_array_equal(one.per_well, two.per_well)
    np.testing.assert_array_equal(one.null.rearranged, two.null.rearranged)


def test_every_verdict_has_its_words():
    told = {v: sentence(v, "ER", -1.0, 0.5, 0.1, "logit") for v in ("nothing", "brightness", "beyond", "unclear")}
    assert len(set(told.values())) == 4
    assert all("ER counts for" in text for text in told.values())


# -------------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_a_constant_classifier_counts_nothing(name):
    found = channel_importance(planted.classifier_of(planted.Constant()), wells(), name, "hit")
    assert not found.per_well.any()
    assert not found.spread.any()
    assert not found.shares.any()
    assert set(found.verdicts) <= {"nothing"}
    assert found.ranking == ("DNA", "ER", "Mito")


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_a_single_stain(name):
    classifier = planted.classifier_of(planted.Means([-1.0]), 1)
    found = channel_importance(classifier, [planted.well(1)], name, "hit", fill="background")
    expected = 0 if name == "permutation" else -planted.well(1).pixels.mean()
    assert found.mean[0] == pytest.approx(expected, abs=1e-5)
    assert found.verdicts == (() if name == "permutation" else ("brightness",))


def test_a_well_that_is_not_square():
    size = (24, 40)
    classifier = planted.classifier_of(planted.Fine(), size=size)
    found = channel_importance(classifier, planted.well(size=size), target="hit", fill="blur")
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.null.rearranged).all()


def test_requests_that_cannot_be():
    classifier = planted.classifier_of(planted.Fine())
    for changes, told in (
        ({"wells": []}, "no wells"),
        ({"estimator": "lime"}, "no way 'lime'"),
        ({"fill": "black"}, "no fill 'black'"),
        ({"seeds": 1}, "at least 2 seeds"),
        ({"target": "alive"}, "no class 'alive'"),
        ({"score": "loss"}, "no score 'loss'"),
        ({"cells": [[[1, 1]]]}, "1 lists of cells were given for 3 wells"),
    ):
        with pytest.raises(RequestError, match=told):
            channel_importance(classifier, **({"wells": wells()} | changes))
    with pytest.raises(StainError):
        channel_importance(classifier, wells()[0].renamed(("a", "b", "c")))


def test_an_empty_stain_is_refused_unless_it_is_accepted():
    pixels = planted.well().pixels.copy()
    pixels[1] = 0
    classifier = planted.classifier_of(planted.Fine())
    with pytest.raises(WellError, match="ER"):
        channel_importance(classifier, Well(pixels, planted.names(3)))
    accepted = channel_importance(
        classifier, Well(pixels, planted.names(3)), target="hit", fill="background", accept_flaws=True
    )
    assert accepted.mean[1] == pytest.approx(0, abs=1e-6)


def test_scores_that_are_not_numbers_are_an_error():
    problem = planted.problem_of(planted.Fine())
    problem.classifier._scorer.scores = lambda x: torch.full((len(x), 3), float("nan"))
    with pytest.raises(ClassifierError, match="not numbers"):
        channel_importance(problem.classifier, wells())


def test_progress_goes_forward_and_can_cancel():
    classifier = planted.classifier_of(planted.Fine())
    seen: list[float] = []
    channel_importance(classifier, wells(2), target="hit", progress=lambda done, total: seen.append(done / total))
    assert seen == sorted(seen)
    assert seen[-1] == 1

    def stop(done: int, total: int) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        channel_importance(classifier, wells(2), target="hit", progress=stop)
