"""Everything at once, under names that stay."""

import math

import networks
import numpy as np
import pytest
from planted import Sum, classifier, disc, problem

from napari_attribution.faithfulness import measure

ALWAYS = ["sharpness", "sparseness", "insertion", "deletion", "srg", "raw srg", "sensitivity-n"] + [
    f"{what} {score} {share}"
    for share in (10, 20, 30, 50)
    for score in ("confidence", "activation")
    for what in ("drop", "increase")
]
WITH_A_MASK = ["mass", "rank", "top3", "iou", "pointing"]


@pytest.mark.parametrize("resolved", [False, True])
def test_names_and_forwards(tmp_path, resolved):
    opened = networks.opened(networks.make("gap"), tmp_path)
    x = np.random.default_rng(0).normal(size=(3, 32, 32))
    values = x if resolved else x[0]
    p = problem(opened, x)
    assert list(measure(p, values)) == ALWAYS
    assert opened.forwards == 40 + 61 + 5
    opened.forwards = 0
    found = measure(p, values, mask=x[0] > 0, cells=np.ones((32, 32)), steps=5, samples=0)
    assert list(found) == [*WITH_A_MASK, "inside cells", *(name for name in ALWAYS if name != "sensitivity-n")]
    assert opened.forwards == 10 + 5
    assert all(isinstance(value, float) and math.isfinite(value) for value in found.values())


def test_the_planted_truth_beats_a_wrong_stain_a_wrong_place_and_chance(tmp_path):
    where = disc(30, 27, 9, 17, 5)
    weights = np.zeros((4, 30, 27))
    weights[2] = where / 50
    x = 1 + np.random.default_rng(0).random(weights.shape)
    truth = weights * x
    mask = weights > 0
    p = problem(classifier(Sum(weights), tmp_path, 4, (30, 27)), x)
    right = measure(p, truth, mask, cells=where)
    wrongs = (np.roll(truth, 1, axis=0), truth[:, ::-1, ::-1], np.random.default_rng(1).random(truth.shape))
    for wrong in (measure(p, values, mask, cells=where) for values in wrongs):
        for name in ("mass", "rank", "top3", "iou", "insertion", "srg", "sensitivity-n"):
            assert right[name] > wrong[name] + 0.2, name
        for name in ("deletion", "drop confidence 10", "drop activation 10"):
            assert right[name] < wrong[name] - 0.1, name
    assert right["pointing"] == right["inside cells"] == 1
    assert right["sensitivity-n"] == pytest.approx(1, abs=1e-4)


def test_a_constant_classifier_and_its_map_of_zeros(tmp_path):
    p = problem(classifier(Sum(np.zeros((1, 8, 6)), 2.0), tmp_path, 1, (8, 6)), np.ones((1, 8, 6)))
    found = measure(p, np.zeros((8, 6)), mask=np.eye(8, 6))
    undefined = {name for name, value in found.items() if math.isnan(value)}
    assert undefined == {"sharpness", "insertion", "deletion", "srg", "sensitivity-n"}
    assert {found[name] for name in WITH_A_MASK} == {0.0}
