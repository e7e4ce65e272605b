"""Grad-CAM and Grad-CAM++ against eager autograd with hooks, and Grad-CAM against Pixel Ablation-CAM where they are one."""

import networks
import numpy as np
import pytest
import torch

from napari_attribution import explain
from napari_attribution.methods.choice.catalogue import ALL
from napari_attribution.methods.choice.cost import forwards_needed


def hooked(network, x, target, module, score=lambda s: s):
    """(n, h', w') activation of a module, and the score's gradient by it, from hooks on the eager network."""
    held = {}

    def hold(_module, _inputs, output):
        output.retain_grad()
        held["a"] = output

    handle = module.register_forward_hook(hold)
    try:
        score(network(x))[0, target].backward()
    finally:
        handle.remove()
        network.zero_grad()
    return held["a"].detach()[0], held["a"].grad[0]


def plain_grad_cam(a, g):
    total = torch.zeros(a.shape[1:])
    for k in range(len(a)):
        total += g[k].mean() * a[k]
    return total


def plain_grad_cam_plus_plus(a, g):
    """Equations 19, 8 and 9, element by element, in Python's own numbers."""
    a, g = a.double(), g.double()
    total = torch.zeros(a.shape[1:], dtype=torch.float64)
    for k in range(len(a)):
        weight = 0.0
        for i in range(a.shape[1]):
            for j in range(a.shape[2]):
                slope = float(g[k, i, j])
                below = 2 * slope**2 + float(a[k].sum()) * slope**3
                weight += (slope**2 / below if below else 0.0) * max(slope, 0.0)
        total += weight * a[k]
    return total


PLAIN = {"grad-cam": plain_grad_cam, "grad-cam++": plain_grad_cam_plus_plus}


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("kind", ["gap", "fully-connected"])
@pytest.mark.parametrize("method", PLAIN)
def test_equals_hooks_on_the_eager_network(method, kind, score, well, classifier, as_input):
    network = networks.make(kind)
    w = well()
    c = classifier(network)
    found = explain(c, w, method, target="hit", score=score)
    of = (lambda s: s.softmax(1)) if score == "probability" else (lambda s: s)
    expected = PLAIN[method](*hooked(network, as_input(w), 1, network.blocks[2], of))
    np.testing.assert_allclose(found.native, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max()) + 1e-9)
    assert found.native.any()
    positive = explain(c, w, method, target="hit", score=score, relu=True)
    np.testing.assert_array_equal(positive.native, np.maximum(found.native, 0))


@pytest.mark.parametrize("method", PLAIN)
def test_any_layer(method, well, classifier, as_input):
    network = networks.make("gated")
    found_in = classifier(network)
    layer = [layer.name for layer in found_in.layers if layer.name.startswith("blocks.1") and layer.block][-1]
    w = well(seed=1)
    found = explain(found_in, w, method, target="dead", layer=layer)
    expected = PLAIN[method](*hooked(network, as_input(w), 2, network.blocks[1]))
    np.testing.assert_allclose(found.native, expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))
    assert found.record["found"]["layer"] == layer


def test_grad_cam_is_pixel_ablation_cam_behind_an_average_and_a_line(well, classifier):
    c = classifier(networks.make("gap"))
    ours = explain(c, well(), "pixel-ablation-cam", target="hit", channels="none")
    theirs = explain(c, well(), "grad-cam", target="hit")
    np.testing.assert_allclose(theirs.native, ours.native, rtol=1e-4, atol=1e-7)
    assert theirs.units == ours.units


@pytest.mark.parametrize("method", PLAIN)
@pytest.mark.parametrize("channels", ["none", "shapley"])
def test_the_cost_is_what_is_counted(method, channels, well, classifier):
    c = classifier(networks.make("fully-connected"))
    parameters = {"channels": channels}
    for layer in c.layers[:3]:
        found = explain(c, well(), method, target="hit", layer=layer.name, **parameters)
        settings = ALL[method].parameters(layer=layer.name, **parameters)
        assert found.forwards == pytest.approx(forwards_needed(c, method, settings), abs=0.01)
