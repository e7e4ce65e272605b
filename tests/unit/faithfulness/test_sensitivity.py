import math

import numpy as np
import pytest
from planted import Sum, classifier, problem

from napari_attribution.faithfulness.sensitivity import patch_numbers, pearson, sensitivity_n


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (17, 31), (2, 9, 20), (20, 3, 4)])
def test_patches_share_out_every_plane_evenly(shape):
    numbers = patch_numbers(shape, 4)
    assert numbers.shape == shape
    sizes = np.bincount(numbers.ravel())
    planes = shape[0] if len(shape) == 3 else 1
    assert len(sizes) == planes * min(4, shape[-2]) * min(4, shape[-1])
    h, w = shape[-2:]
    assert sizes.min() >= (h // min(4, h)) * (w // min(4, w))
    for number in range(len(sizes)):
        box = np.argwhere(numbers == number)
        assert len(box) == np.prod(np.ptp(box, axis=0) + 1)


@pytest.mark.parametrize("resolved", [False, True])
def test_the_products_of_a_linear_classifier_foretell_every_drop(tmp_path, resolved):
    random = np.random.default_rng(0)
    weights, x = random.normal(size=(3, 18, 15)), random.normal(size=(3, 18, 15))
    opened = classifier(Sum(weights), tmp_path, 3, (18, 15))
    right = weights * x if resolved else (weights * x).sum(axis=0)
    p = problem(opened, x)
    assert sensitivity_n(p, right, samples=20) == pytest.approx(1, abs=1e-4)
    assert opened.forwards == 21
    assert sensitivity_n(p, -3 * right, samples=20) == pytest.approx(-1, abs=1e-4)
    assert abs(sensitivity_n(p, random.normal(size=right.shape), samples=60)) < 0.6
    assert sensitivity_n(p, right, samples=20, seed=4) == sensitivity_n(p, right, samples=20, seed=4)


def test_equals_plain_loops(tmp_path):
    random = np.random.default_rng(1)
    weights, x, values = (random.normal(size=(2, 8, 8)) for _ in range(3))
    opened = classifier(Sum(weights), tmp_path, 2, (8, 8))
    found = sensitivity_n(problem(opened, x, fill=0.5), values, share=0.25, samples=12, patches=2, seed=7)
    again = np.random.default_rng(7)
    sums, falls = [], []
    for _ in range(12):
        chosen = again.choice(8, 2, replace=False)
        total, filled = 0.0, x.copy()
        for unit in chosen:
            stain, down, across = unit // 4, unit % 4 // 2, unit % 2
            for i in range(4 * down, 4 * down + 4):
                for j in range(4 * across, 4 * across + 4):
                    total += values[stain, i, j]
                    filled[stain, i, j] = 0.5
        sums.append(total)
        falls.append((weights * (x - filled)).sum())
    assert found == pytest.approx(np.corrcoef(sums, falls)[0, 1], abs=1e-4)


def test_what_is_the_same_everywhere_correlates_with_nothing(tmp_path):
    constant = classifier(Sum(np.zeros((1, 8, 8)), 1.0), tmp_path, 1, (8, 8))
    p = problem(constant, np.ones((1, 8, 8)))
    assert math.isnan(sensitivity_n(p, np.random.default_rng(0).random((8, 8))))
    varied = classifier(Sum(np.random.default_rng(0).random((1, 8, 8))), tmp_path, 1, (8, 8))
    assert math.isnan(sensitivity_n(problem(varied, np.ones((1, 8, 8))), np.zeros((8, 8))))
    assert math.isnan(pearson(np.array([1.0]), np.array([2.0])))


def test_a_single_place(tmp_path):
    opened = classifier(Sum(np.ones((1, 1, 1))), tmp_path, 1, (1, 1))
    assert math.isnan(sensitivity_n(problem(opened, np.ones((1, 1, 1))), np.ones((1, 1))))
