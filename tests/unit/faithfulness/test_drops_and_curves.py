"""Drops and curves against plain loops, and against classifiers whose right map is known."""

import math
from itertools import pairwise

import networks
import numpy as np
import pytest
import torch
from planted import Root, Sum, classifier, disc, problem

from napari_attribution.errors import ClassifierError, RequestError
from napari_attribution.faithfulness.curves import curves
from napari_attribution.faithfulness.drops import drop, drops
from napari_attribution.methods.question.fills import make_fill
from napari_attribution.methods.question.problem import Problem
from napari_attribution.methods.question.score import Score


def ranked(values: np.ndarray) -> np.ndarray:
    """By sorting (value, index) pairs."""
    flat = list(values.ravel())
    found = np.zeros(len(flat), int)
    for place, index in enumerate(sorted(range(len(flat)), key=lambda i: (-flat[i], i))):
        found[index] = place
    return found.reshape(values.shape)


def kept_by_loops(x: np.ndarray, fill: np.ndarray, rank: np.ndarray, count: int) -> np.ndarray:
    made = np.broadcast_to(fill, x.shape).copy()
    for c, i, j in np.ndindex(x.shape):
        if (rank[i, j] if rank.ndim == 2 else rank[c, i, j]) < count:
            made[c, i, j] = x[c, i, j]
    return made


@pytest.fixture
def real(tmp_path):
    network = networks.make("gated")
    opened = networks.opened(network, tmp_path)
    return network, opened


def asked(opened, kind="logit", fill="mean", size=(32, 32)):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, *size)).astype(np.float32))
    filled = make_fill(fill, x, torch.tensor([0.5, -1.0, 0.2]), torch.tensor([0.1, 0.0, -0.1]))
    opened.forwards = 0.0
    return Problem(opened, x, filled, Score(kind, 1))


@pytest.mark.parametrize("planes", [(), (3,)])
@pytest.mark.parametrize("fill", ["mean", "background", "blur"])
def test_curves_and_drops_equal_plain_loops(real, planes, fill):
    network, opened = real
    p = asked(opened, "probability", fill)
    values = np.random.default_rng(3).integers(-3, 4, size=(*planes, 32, 32)).astype(float)
    x, filled = p.x[0].numpy(), p.fill[0].numpy()

    def score(image):
        with torch.no_grad():
            return network(torch.from_numpy(image)[None])[0].double()

    rank, back = ranked(values), ranked(-values)
    n = values.size
    counts = [round(n * step / 4) for step in range(5)]
    found = curves(p, values, steps=4)
    assert opened.forwards == 8
    insertion = [float(score(kept_by_loops(x, filled, rank, k)).softmax(0)[1]) for k in counts]
    deletion = [float(score(kept_by_loops(x, filled, back, n - k)).softmax(0)[1]) for k in counts]
    np.testing.assert_allclose(found.insertion, insertion, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.deletion, deletion, rtol=1e-4, atol=1e-6)
    areas = [sum((a + b) / 2 * 0.25 for a, b in pairwise(c)) for c in (insertion, deletion)]
    range_ = abs(insertion[-1] - insertion[0])
    assert found.insertion_area == pytest.approx((areas[0] - insertion[0]) / range_, rel=1e-2)
    assert found.deletion_area == pytest.approx((areas[1] - insertion[0]) / range_, rel=1e-2)
    assert found.srg == pytest.approx(found.insertion_area - found.deletion_area)
    assert found.raw_srg == pytest.approx(areas[0] - areas[1], rel=1e-2)

    opened.forwards = 0.0
    got = drops(p, values, (0.2, 0.5))
    assert opened.forwards == 3
    whole = score(x)
    for index, share in enumerate((0.2, 0.5)):
        rest = score(kept_by_loops(x, filled, rank, round(share * n)))
        for name, y, o in (
            ("confidence", float(whole.softmax(0)[1]), float(rest.softmax(0)[1])),
            ("activation", float(whole[1]), float(rest[1])),
        ):
            assert got[name][index].drop == pytest.approx(100 * max(0, (y - o) / abs(y)), rel=1e-3, abs=1e-3)
            assert got[name][index].increase == (100 if o > y else 0)


def test_deletion_is_insertion_of_the_least_important_read_backwards(real):
    _, opened = real
    p = asked(opened)
    values = np.random.default_rng(5).normal(size=(3, 32, 32))
    np.testing.assert_allclose(curves(p, -values, 7).insertion, curves(p, values, 7).deletion[::-1], rtol=1e-5)
    assert curves(p, -values).srg == pytest.approx(-curves(p, values).srg)


@pytest.mark.parametrize("shape", [(24, 24), (3, 24, 24)])
def test_a_map_that_is_the_same_everywhere_gains_exactly_nothing(tmp_path, shape):
    weights = np.zeros((3, 24, 24))
    weights[1, :12] = 1
    found = curves(
        problem(classifier(Sum(weights), tmp_path, 3, (24, 24)), np.ones((3, 24, 24))), np.full(shape, 7.0), 10
    )
    assert found.srg == 0


@pytest.fixture
def spotted(tmp_path):
    """The hit's logit is the sum of stain 1 in a disc, over 100."""
    where = disc(31, 26, 10, 14, 6)
    weights = np.zeros((3, 31, 26))
    weights[1] = where / 100
    opened = classifier(Sum(weights, offset=-0.3), tmp_path, 3, (31, 26))
    x = 1 + np.random.default_rng(0).random((3, 31, 26))
    return opened, x, where


def test_the_right_map_has_the_best_possible_areas(spotted):
    opened, x, where = spotted
    p = problem(opened, x)
    truth = np.zeros_like(x)
    truth[1] = x[1] * where
    share = where.sum() / x.size
    good = curves(p, truth, 1000)
    # A straight step within the disc's share at either end.
    assert good.insertion_area > 1 - share
    assert good.deletion_area < share
    assert good.srg > 1 - 2 * share
    for wrong in (
        np.roll(truth, 1, axis=0),
        truth[:, ::-1, ::-1],
        -truth,
        np.random.default_rng(0).random(x.shape),
    ):
        bad = curves(p, wrong, 50)
        assert bad.insertion_area < good.insertion_area - 0.1
        assert bad.deletion_area > good.deletion_area + 0.1
    assert drops(p, truth)["activation"][0].drop == 0
    wrong_stain = drops(p, np.roll(truth, 1, axis=0))["activation"][0]
    assert wrong_stain.drop > 100  # the offset's logit is below zero
    assert drops(p, truth)["confidence"][1].drop < drops(p, np.roll(truth, 1, axis=0))["confidence"][1].drop


def test_a_place_is_taken_with_all_its_stains_under_a_single_map(spotted):
    opened, x, where = spotted
    p = problem(opened, x)
    good = curves(p, where * x[1], 1000)
    share = where.sum() / where.size
    assert good.insertion_area > 1 - share
    assert good.deletion_area < share


@pytest.mark.parametrize(
    ("whole", "kept", "expected"),
    [(2.0, 1.0, 50), (2.0, 3.0, 0), (2.0, -1.0, 150), (-1.0, -3.0, 200), (-1.0, 1.0, 0), (0.0, 0.0, 0), (0.0, 1.0, 0)],
)
def test_a_fall_is_a_fall_whatever_the_sign(whole, kept, expected):
    assert drop(whole, kept) == pytest.approx(expected)


def test_a_fall_from_zero_has_no_share():
    assert math.isnan(drop(0.0, -1.0))


def test_a_class_that_the_image_speaks_against_still_ranks_maps(tmp_path):
    weights = np.full((1, 16, 16), -0.1)
    weights[0, :4] = 0.1
    opened = classifier(Sum(weights), tmp_path, 1, (16, 16))
    p = problem(opened, np.ones((1, 16, 16)))
    found = curves(p, weights, 16)
    assert found.whole < found.filled
    assert found.srg > 0.1
    assert curves(p, -weights[0], 16).srg < -0.1


def test_a_constant_classifier_has_no_areas(tmp_path):
    opened = classifier(Sum(np.zeros((2, 9, 7)), 1.0), tmp_path, 2, (9, 7))
    found = curves(problem(opened, np.ones((2, 9, 7))), np.zeros((9, 7)))
    assert math.isnan(found.insertion_area)
    assert math.isnan(found.deletion_area)
    assert math.isnan(found.srg)
    assert found.raw_srg == 0
    assert drops(problem(opened, np.ones((2, 9, 7))), np.zeros((9, 7)))["confidence"][0].drop == 0


def test_scores_that_are_no_numbers_are_told(tmp_path):
    opened = classifier(Root(), tmp_path, 2, (8, 8))
    p = problem(opened, np.ones((2, 8, 8)), fill=-3.0)
    for ask in (curves, drops):
        with pytest.raises(ClassifierError, match="not numbers"):
            ask(p, np.random.default_rng(0).random((8, 8)))


@pytest.mark.parametrize(("C", "h", "w"), [(1, 1, 1), (1, 5, 3), (20, 13, 4), (3, 1, 9)])
@pytest.mark.parametrize("resolved", [False, True])
def test_few_places_and_many_stains(tmp_path, C, h, w, resolved):
    weights = np.random.default_rng(0).random((C, h, w))
    opened = classifier(Sum(weights), tmp_path, C, (h, w))
    p = problem(opened, np.ones((C, h, w)))
    values = weights if resolved else weights.sum(axis=0)
    found = curves(p, values)
    units = values.size
    assert len(found.shares) == min(20, units) + 1
    assert (found.shares[0], found.shares[-1]) == (0, 1)
    assert found.whole == pytest.approx(weights.sum(), rel=1e-5)
    assert found.srg >= -1e-6


def test_a_map_of_another_shape_is_refused(spotted):
    opened, x, _ = spotted
    with pytest.raises(RequestError, match=r"\(16, 16\) is not that of the input: \(31, 26\), or \(3, 31, 26\)"):
        curves(problem(opened, x), np.zeros((16, 16)))
