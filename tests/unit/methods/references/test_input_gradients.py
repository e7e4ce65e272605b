"""Integrated Gradients and Input x Gradient against plain loops, and captum's against ours."""

import networks
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_attribution import explain
from napari_attribution.classifiers import memory
from napari_attribution.errors import Cancelled, RequestError
from napari_attribution.methods.choice.catalogue import ALL
from napari_attribution.methods.choice.cost import forwards_needed
from napari_attribution.methods.choice.offers import offer

FILLS = [0.5, -1.0, 2.0]


def plain(network, x, target, fill, points, weights, score=lambda s: s):
    """One point after the other."""
    way = x - fill
    total = torch.zeros_like(x)
    for point, weight in zip(points, weights, strict=True):
        at = (fill + point * way).requires_grad_(True)
        score(network(at))[0, target].backward()
        total += weight * at.grad
    return (way * total)[0].numpy()


def riemann(steps):
    return [(step + 0.5) / steps for step in range(steps)], [1 / steps] * steps


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("kind", ["gap", "fully-connected"])
def test_a_riemann_sum_of_many_steps_is_approached(kind, score, well, classifier, as_input):
    network = networks.make(kind)
    w = well()
    found = explain(
        classifier(network, background=FILLS),
        w,
        "integrated-gradients",
        target="hit",
        score=score,
        fill="background",
        steps=150,
    )
    of = (lambda s: s.softmax(1)) if score == "probability" else (lambda s: s)
    fill = torch.tensor(FILLS)[None, :, None, None].expand(1, 3, 32, 32)
    expected = plain(network, as_input(w), 1, fill, *riemann(300), of)
    assert np.abs(found.values - expected).max() < 0.03 * np.abs(expected).max()


def test_few_steps_are_those_of_gauss_and_legendre(well, classifier, as_input):
    network = networks.make("gap")
    found = explain(classifier(network), well(), "integrated-gradients", target="dead", steps=3)
    points = [0.5 - 0.15**0.5, 0.5, 0.5 + 0.15**0.5]
    expected = plain(network, as_input(well()), 2, torch.zeros(1, 3, 1, 1), points, [5 / 18, 8 / 18, 5 / 18])
    np.testing.assert_allclose(found.values, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("smooth", [0, 4, 24])
@pytest.mark.parametrize("method", ["integrated-gradients", "captum-integrated-gradients"])
def test_the_map_sums_to_what_the_input_adds_to_the_fill(method, smooth, well, classifier, as_input):
    network = networks.make("fully-connected")
    w = well(seed=2)
    found = explain(classifier(network), w, method, target="hit", steps=300, smooth=smooth)
    moved = np.abs(explain(classifier(network), w, "input-x-gradient", target="hit").values).sum()
    with torch.no_grad():
        added = float((network(as_input(w)) - network(as_input(w) * 0))[0, 1])
    # The network has kinks, so the integral is not exact: within a share of all that is added and taken away.
    assert found.values.sum() == pytest.approx(added, abs=1e-3 * float(moved))
    assert found.values.shape == (3, 32, 32)
    sums = found.values.sum(axis=(1, 2))
    for name, total in zip(networks.STAINS, sums, strict=True):
        assert found.channel_importance[name] == pytest.approx(total / np.abs(sums).sum(), abs=1e-4)


@pytest.mark.parametrize("method", ["integrated-gradients", "input-x-gradient"])
def test_smoothing_is_a_gaussian_of_each_stain_on_its_own(method, well, classifier):
    c = classifier(networks.make("gap"), size=(33, 21))
    rough = explain(c, well((33, 21)), method, target="hit").values
    smooth = explain(c, well((33, 21)), method, target="hit", smooth=8).values
    expected = np.stack([gaussian_filter(plane, 8, mode="reflect") for plane in rough])
    np.testing.assert_allclose(smooth, expected, atol=1e-6)


def test_input_x_gradient_is_the_first_step_and_the_last_point(well, classifier, as_input):
    network = networks.make("gap")
    found = explain(classifier(network, background=FILLS), well(), "input-x-gradient", target="hit", fill="background")
    fill = torch.tensor(FILLS)[None, :, None, None].expand(1, 3, 32, 32)
    np.testing.assert_allclose(
        found.values, plain(network, as_input(well()), 1, fill, [1.0], [1.0]), rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize("fill", ["mean", "blur"])
@pytest.mark.parametrize("kind", ["gap", "gated"])
def test_captum_integrates_the_same(kind, fill, well, classifier):
    c = classifier(networks.make(kind))
    ours = explain(c, well(), "integrated-gradients", target="hit", fill=fill, steps=20)
    theirs = explain(c, well(), "captum-integrated-gradients", target="hit", fill=fill, steps=20)
    np.testing.assert_allclose(theirs.values, ours.values, rtol=1e-3, atol=1e-6)
    assert theirs.forwards == pytest.approx(ours.forwards, abs=0.01)


@pytest.mark.parametrize("per_stain", [False, True])
def test_captum_occludes_the_same_where_windows_share_out_the_input(per_stain, well, classifier):
    c = classifier(networks.make("gap"), background=FILLS)
    values = {"target": "hit", "window": 8, "stride": 4, "per_stain": per_stain, "fill": "background"}
    ours = explain(c, well(), "occlusion", channels="none", **values)
    theirs = explain(c, well(), "captum-occlusion", **values)
    np.testing.assert_allclose(theirs.values, ours.values, rtol=1e-3, atol=1e-6)
    assert theirs.forwards == pytest.approx(ours.forwards, abs=0.01)


EXACT = [
    ("integrated-gradients", {"steps": 7}),
    ("captum-integrated-gradients", {"steps": 7}),
    ("input-x-gradient", {}),
    ("captum-occlusion", {}),
    ("captum-occlusion", {"window": 10, "stride": 7, "per_stain": True}),
    ("captum-occlusion", {"window": 5, "stride": 3, "channels": "shapley"}),
    ("rise", {"masks": 21}),
    ("random", {}),
    ("centred-blob", {}),
]


@pytest.mark.parametrize(("method", "values"), EXACT)
@pytest.mark.parametrize("mode", ["resize", "tiles"])
def test_the_cost_is_what_is_counted(method, values, mode, well, classifier):
    c = classifier(networks.make("gap"), mode=mode)
    found = explain(c, well((40, 50)), method, target="hit", **values)
    inputs = found.record["preparation"]["inputs"]
    needed = forwards_needed(c, method, ALL[method].parameters(**values), inputs)
    assert found.forwards == pytest.approx(needed, abs=0.02)


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("integrated-gradients", {"steps": 16}),
        ("captum-integrated-gradients", {"steps": 16}),
        ("captum-occlusion", {"window": 8}),
    ],
)
def test_batches_follow_the_bytes_and_each_can_be_cancelled(method, values, well, classifier, monkeypatch):
    c = classifier(networks.make("gap"))
    at_once = explain(c, well(), method, target="hit", **values)
    from napari_attribution.methods.references import captum_integrated_gradients, captum_occlusion

    monkeypatch.setattr(memory.in_batches, "__defaults__", (1_000_000, 2**31))
    for module in (captum_integrated_gradients, captum_occlusion):
        monkeypatch.setattr(module, "BUDGET", 1_000_000)
    seen = []
    in_parts = explain(c, well(), method, target="hit", progress=lambda *step: seen.append(step), **values)
    np.testing.assert_allclose(in_parts.values, at_once.values, rtol=1e-3, atol=1e-6)
    assert in_parts.forwards == at_once.forwards
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]

    def stop(done, total):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        explain(c, well(), method, target="hit", progress=stop, **values)


@pytest.mark.parametrize("method", ["captum-integrated-gradients", "captum-occlusion"])
def test_without_captum_the_command_is_named(method, well, classifier, monkeypatch):
    from napari_attribution.methods.references import captum_extra

    c = classifier(networks.make("gap"))
    monkeypatch.setattr(captum_extra, "find_spec", lambda name: None)
    found = offer(c, ALL[method])
    assert not found.possible
    with pytest.raises(RequestError, match=r'pip install "napari-attribution\[references\]"') as raised:
        explain(c, well(), method)
    assert str(raised.value) == found.why
    assert explain(c, well(), "integrated-gradients", steps=2).map.any()
