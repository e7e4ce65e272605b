import math
import sys

import networks
import numpy as np
import pytest
from planted import Sum, classifier, disc, problem

from napari_attribution import Well
from napari_attribution.errors import RequestError
from napari_attribution.faithfulness.captum_measures import infidelity, max_sensitivity
from napari_attribution.methods.explain import answer


def test_without_captum_a_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    p = problem(classifier(Sum(np.ones((1, 8, 8))), tmp_path, 1, (8, 8)), np.ones((1, 8, 8)))
    with pytest.raises(RequestError, match=r'pip install "napari-attribution\[references\]"'):
        infidelity(p, np.ones((8, 8)))


@pytest.mark.parametrize("resolved", [False, True])
def test_infidelity_is_zero_for_the_drops_of_a_linear_classifier(tmp_path, resolved):
    pytest.importorskip("captum")
    random = np.random.default_rng(0)
    weights, x = random.normal(size=(2, 3, 24, 20))
    opened = classifier(Sum(weights / 10), tmp_path, 3, (24, 20))
    p = problem(opened, x)
    truth = (weights * x) if resolved else (weights * x).sum(axis=0)
    assert infidelity(p, truth, samples=10) == pytest.approx(0, abs=1e-5)
    assert opened.forwards == 11
    assert infidelity(p, 1000 * truth, samples=10) == pytest.approx(0, abs=1e-5)
    wrong = random.normal(size=truth.shape)
    assert infidelity(p, wrong, samples=10) > 0.01
    assert infidelity(p, wrong, samples=10, seed=2) == infidelity(p, wrong, samples=10, seed=2)


@pytest.mark.parametrize(
    ("method", "settings"),
    [("occlusion", {"window": 8}), ("pixel-ablation-cam", {}), ("pcim", {"steps": 3}), ("dcmix", {"steps": 3})],
)
def test_max_sensitivity_asks_the_same_method_again(tmp_path, method, settings):
    pytest.importorskip("captum")
    opened = networks.opened(networks.make("gap"), tmp_path)
    well = Well(np.random.default_rng(0).normal(size=(3, 32, 32)).astype(np.float32), networks.STAINS)
    explained = answer(opened, well, method, target="hit", **settings)
    calm, shaken = (max_sensitivity(explained, radius=radius, samples=3) for radius in (1e-5, 0.3))
    assert 0 <= calm < 0.05
    assert shaken > 2 * calm
    assert max_sensitivity(explained, radius=0.3, samples=3) == pytest.approx(shaken)


def test_a_map_of_zeros_has_no_max_sensitivity(tmp_path):
    pytest.importorskip("captum")
    opened = classifier(Sum(0.0 * disc(16, 16, 5, 5, 3)[None]), tmp_path, 1, (16, 16))
    well = Well(np.random.default_rng(0).random((1, 16, 16)).astype(np.float32), opened.card.stains)
    assert math.isnan(max_sensitivity(answer(opened, well, "occlusion", target="hit"), samples=2))
