"""Occlusion against plain loops."""

import networks
import numpy as np
import pytest
import torch

from napari_attribution import Well, explain
from napari_attribution.classifiers import memory
from napari_attribution.errors import Cancelled
from napari_attribution.methods.occlusion import starts


def well(seed: int = 0, size: int = 32) -> Well:
    return Well(np.random.default_rng(seed).normal(size=(3, size, size)).astype(np.float32), networks.STAINS)


def plain(network, x, target, window, stride, fill, stains, score=lambda s: s):
    """Window by window, pixel by pixel."""
    _, _, h, w = x.shape
    total, count = np.zeros((h, w)), np.zeros((h, w))
    tops = [*range(0, h - window, stride), h - window]
    lefts = [*range(0, w - window, stride), w - window]
    with torch.no_grad():
        whole = float(score(network(x))[0, target])
        for top in tops:
            for left in lefts:
                covered = x.clone()
                for stain in stains:
                    covered[0, stain, top : top + window, left : left + window] = fill[stain]
                drop = whole - float(score(network(covered))[0, target])
                total[top : top + window, left : left + window] += drop
                count[top : top + window, left : left + window] += 1
    return total / count


@pytest.mark.parametrize(("window", "stride"), [(8, 4), (7, 3), (5, 5), (32, 1), (6, None)])
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_equals_plain_loops(window, stride, score, tmp_path):
    network = networks.make("gated")
    w = well()
    found = explain(
        networks.opened(network, tmp_path), w, "occlusion", target="hit", score=score, window=window, stride=stride
    )
    x = torch.from_numpy(w.pixels.copy())[None]
    of = (lambda s: s.softmax(1)) if score == "probability" else (lambda s: s)
    expected = plain(network, x, 1, window, stride or window // 2, [0.0] * 3, range(3), of)
    assert found.map.shape == (32, 32)
    np.testing.assert_allclose(found.map, expected, rtol=1e-4, atol=2e-6)
    assert found.units == score


def test_one_stain_at_a_time_with_the_fill_of_each(tmp_path):
    network = networks.make("gap")
    path = networks.save(network, tmp_path / "net.pt")
    from napari_attribution import load_classifier

    classifier = load_classifier(path, "cpu", networks.card(background=[0.5, -1.0, 2.0]))
    w = well(1)
    found = explain(classifier, w, "occlusion", target="dead", window=8, per_stain=True, fill="background")
    x = torch.from_numpy(w.pixels.copy())[None]
    for stain, name in enumerate(networks.STAINS):
        expected = plain(network, x, 2, 8, 4, [0.5, -1.0, 2.0], [stain])
        np.testing.assert_allclose(found.per_stain[name], expected, rtol=1e-4, atol=2e-6)


def test_the_window_is_an_eighth_by_default_and_in_the_record(tmp_path):
    classifier = networks.opened(networks.make("gap"), tmp_path)
    found = explain(classifier, well(), "occlusion", target="hit")
    assert found.record["found"] == {"window": 4, "stride": 2, "windows": 225}
    shapley = explain(classifier, well(), "dcmix", target="hit").record["found"]["shapley"]
    for name, value in zip(networks.STAINS, shapley, strict=True):
        assert found.channel_importance[name] == pytest.approx(value / np.abs(shapley).sum(), abs=1e-5)


def test_batches_change_nothing_and_each_can_be_cancelled(tmp_path, monkeypatch):
    classifier = networks.opened(networks.make("gap"), tmp_path)
    at_once = explain(classifier, well(), "occlusion", target="hit", channels="none")
    monkeypatch.setattr(memory.in_batches, "__defaults__", (600_000, 2**31))
    seen = []
    in_parts = explain(
        classifier, well(), "occlusion", target="hit", channels="none", progress=lambda *step: seen.append(step)
    )
    np.testing.assert_allclose(in_parts.values, at_once.values, atol=1e-6)
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1] == (225, 225)

    def stop(done, total):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        explain(classifier, well(), "occlusion", target="hit", progress=stop)
    assert classifier.forwards <= 2


@pytest.mark.parametrize(
    ("length", "window", "stride", "expected"),
    [(10, 4, 3, [0, 3, 6]), (10, 4, 4, [0, 4, 6]), (4, 4, 2, [0]), (3, 4, 2, [0]), (9, 3, 3, [0, 3, 6])],
)
def test_the_last_window_ends_with_the_side(length, window, stride, expected):
    assert starts(length, window, stride) == expected


def test_any_classifier_will_do(tmp_path):
    """No gradients, no cut, one input at a time."""

    class BlackBox(networks.Gap):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.blocks(x.detach()).mean(dim=(2, 3)).reshape(1, 12))

    torch.manual_seed(0)
    network = BlackBox().eval()
    classifier = networks.opened(network, tmp_path)
    assert classifier.one_by_one
    assert not classifier.gradients
    found = explain(classifier, well(), "occlusion", target="hit", window=16)
    expected = plain(network, torch.from_numpy(well().pixels.copy())[None], 1, 16, 8, [0.0] * 3, range(3))
    np.testing.assert_allclose(found.map, expected, rtol=1e-4, atol=2e-6)
