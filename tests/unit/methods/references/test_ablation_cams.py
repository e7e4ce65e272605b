"""Ablation-CAM one channel at a time, and Ablation-CAM++ against it."""

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import explain
from napari_attribution.classifiers import memory
from napari_attribution.methods.choice.catalogue import ALL
from napari_attribution.methods.choice.cost import forwards_needed
from napari_attribution.methods.references.ablation_cam_plus_plus import clusters, halves


def plain(network, x, target, score=lambda s: s):
    """One forward a channel; the whole's score, and the (n,) drops."""
    with torch.no_grad():
        a = network.features(x)
        whole = float(score(network.classify(a))[0, target])
        drops = []
        for k in range(a.shape[1]):
            ablated = a.clone()
            ablated[:, k] = 0
            drops.append(whole - float(score(network.classify(ablated))[0, target]))
        values = sum(drop * plane for drop, plane in zip(drops, a[0], strict=True))
    return whole, np.array(drops), values.numpy()


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("kind", ["gap", "fully-connected"])
def test_one_channel_at_a_time(kind, score, well, classifier, as_input):
    network = networks.make(kind)
    w = well()
    c = classifier(network)
    found = explain(c, w, "ablation-cam", target="hit", score=score)
    of = (lambda s: s.softmax(1)) if score == "probability" else (lambda s: s)
    _, _, expected = plain(network, as_input(w), 1, of)
    np.testing.assert_allclose(found.native, expected, rtol=1e-3, atol=2e-6)
    positive = explain(c, w, "ablation-cam", target="hit", score=score, relu=True)
    np.testing.assert_array_equal(positive.native, np.maximum(found.native, 0))


@pytest.mark.parametrize("method", ["ablation-cam", "ablation-cam++"])
def test_the_sign_of_the_score_changes_nothing(method, well, classifier, as_input):
    """As published, weights are divided by the score: they would all turn round with its sign, and be lost at zero."""
    network = networks.make("fully-connected")
    w = well()
    with torch.no_grad():
        score = network(as_input(w))[0, 1]
    maps = []
    for wanted in (2.0, 0.0, -2.0):
        with torch.no_grad():
            network.head[-1].bias[1] += wanted - score
            score = network(as_input(w))[0, 1]
        found = explain(classifier(network), w, method, target="hit")
        assert found.score == pytest.approx(wanted, abs=1e-5)
        maps.append(found.native)
        assert found.native.any()
    np.testing.assert_allclose(maps[1], maps[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(maps[2], maps[0], rtol=1e-3, atol=1e-5)


def test_where_the_score_is_positive_it_is_the_published_map_but_for_a_number(well, classifier, as_input):
    network = networks.make("gap")
    w = well()
    with torch.no_grad():
        network.head.bias[1] += 3
    whole, drops, _ = plain(network, as_input(w), 1)
    assert whole > 0
    published = sum(
        (drop / whole) * plane.detach().numpy()
        for drop, plane in zip(drops, network.features(as_input(w))[0], strict=True)
    )
    found = explain(classifier(network), w, "ablation-cam", target="hit").native
    np.testing.assert_allclose(found / whole, published, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["gap", "fully-connected"])
def test_groups_of_one_channel_are_ablation_cam(kind, well, classifier):
    c = classifier(networks.make(kind))
    one = explain(c, well(), "ablation-cam", target="hit")
    for values in ({"groups": 64, "most": 1.0}, {"groups": 1, "most": 2.0, "threshold": 0.0}):
        found = explain(c, well(), "ablation-cam++", target="hit", **values)
        assert found.record["found"]["groups"] >= 7
        np.testing.assert_allclose(found.native, one.native, rtol=1e-4, atol=1e-6)


class Redundant(nn.Module):
    """64 channels of 12 kinds, those of a kind nearly the same, before a head that is not affine."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 5, 4, 2)
        kinds = torch.randn(12, 3, 5, 5)
        with torch.no_grad():
            self.conv.weight.copy_(kinds[torch.arange(64) % 12] + 0.03 * torch.randn(64, 3, 5, 5))
            self.conv.bias.fill_(0.1)
        self.head = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 3))

    def features(self, x: Tensor) -> Tensor:
        return self.conv(x).relu()

    def classify(self, a: Tensor) -> Tensor:
        return self.head(a.square().mean(dim=(2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


def rank_correlation(a, b):
    ranks = [np.argsort(np.argsort(values.ravel())) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def test_alike_channels_cost_less_than_half(well, classifier, record_property):
    torch.manual_seed(3)
    c = classifier(Redundant())
    head = c.head_cost()
    correlations = []
    for seed in range(4):
        w = well(seed=seed)
        one = explain(c, w, "ablation-cam", target="hit")
        groups = explain(c, w, "ablation-cam++", target="hit")
        found = groups.record["found"]
        assert found["channels"] == 64
        assert found["ablated"] <= 0.45 * 64
        # Less the score itself and the run up to the layer, in runs of the head.
        heads = [(answer.forwards - 1 - (1 - head)) / head for answer in (one, groups)]
        assert heads[0] == pytest.approx(65, abs=0.02 / head)
        assert heads[1] < 65 / 2
        correlations.append(rank_correlation(one.native, groups.native))
    record_property("rank correlation", correlations)
    assert np.mean(correlations) > 0.9


def test_clusters_share_out_all_channels_and_put_the_same_maps_together():
    maps = torch.randn(5, 9)[[0, 1, 2, 3, 4, 0, 1, 0]]
    groups = clusters(maps, 8)
    assert sorted(torch.cat(groups).tolist()) == list(range(8))
    assert {tuple(group.tolist()) for group in groups} == {(0, 5, 7), (1, 6), (2,), (3,), (4,)}
    assert halves(maps, torch.tensor([0, 5, 7])) is None
    assert [len(group) for group in clusters(torch.zeros(6, 9), 4)] == [6]
    assert len(clusters(maps, 3)) == 3


@pytest.mark.parametrize("method", ["ablation-cam", "ablation-cam++"])
def test_batches_change_nothing(method, well, classifier, monkeypatch):
    c = classifier(networks.make("fully-connected"))
    at_once = explain(c, well(), method, target="hit").native
    monkeypatch.setattr(memory.in_batches, "__defaults__", (60_000, 2**31))
    seen = []
    in_parts = explain(c, well(), method, target="hit", progress=lambda *step: seen.append(step)).native
    np.testing.assert_allclose(in_parts, at_once, rtol=1e-4, atol=1e-6)
    assert len(seen) > 2


def test_the_cost_is_what_is_counted_and_a_bound_for_groups(well, classifier):
    c = classifier(networks.make("fully-connected"))
    for layer in c.layers[:4]:
        for method, values in (
            ("ablation-cam", {}),
            ("ablation-cam++", {}),
            ("ablation-cam++", {"groups": 3, "most": 1.0}),
        ):
            found = explain(c, well(), method, target="hit", layer=layer.name, **values)
            needed = forwards_needed(c, method, ALL[method].parameters(layer=layer.name, **values))
            assert found.forwards <= needed + 0.01
            if method == "ablation-cam":
                assert found.forwards == pytest.approx(needed, abs=0.01)
