"""Pixel Ablation-CAM against brute force in eager torch, and against Grad-CAM where the two must be one."""

import networks
import numpy as np
import pytest
import torch

from napari_attribution import Well, explain
from napari_attribution.errors import LayerError
from napari_attribution.methods.pixel_ablation_cam import ablate_all
from napari_attribution.methods.question.problem import Problem
from napari_attribution.methods.question.score import Score


def well(seed: int = 0, size: int = 32) -> Well:
    return Well(np.random.default_rng(seed).normal(size=(3, size, size)).astype(np.float32), networks.STAINS)


def as_input(w: Well) -> torch.Tensor:
    return torch.from_numpy(w.pixels.copy())[None]


def brute_force(network, x, target, score):
    """Every location silenced, one forward each, on the eager network."""
    with torch.no_grad():
        a = network.features(x)
        whole = score(network.classify(a))[0, target]
        drops = torch.zeros(a.shape[2:])
        for i in range(a.shape[2]):
            for j in range(a.shape[3]):
                ablated = a.clone()
                ablated[:, :, i, j] = 0
                drops[i, j] = whole - score(network.classify(ablated))[0, target]
    return drops.numpy()


@pytest.mark.parametrize("how", ["scripted", "traced"])
@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("kind", ["gap", "fully-connected"])
def test_equals_brute_force(kind, score, how, tmp_path):
    network = networks.make(kind)
    classifier = networks.opened(network, tmp_path, how)
    w = well()
    found = explain(classifier, w, target="hit", score=score)
    of = (lambda s: s.softmax(1)) if score == "probability" else (lambda s: s)
    np.testing.assert_allclose(found.native, brute_force(network, as_input(w), 1, of), rtol=1e-4, atol=2e-6)
    assert found.record["found"]["affine_head"] == (kind == "gap" and score == "logit")


def test_equals_brute_force_where_a_gate_makes_the_head_non_linear(tmp_path):
    network = networks.make("gated")
    classifier = networks.opened(network, tmp_path)
    before_the_gate = [layer.name for layer in classifier.layers if layer.name.startswith("blocks.2") and layer.block][
        -1
    ]
    w = well()
    found = explain(classifier, w, target="dead", layer=before_the_gate)
    assert not found.record["found"]["affine_head"]
    np.testing.assert_allclose(found.native, brute_force(network, as_input(w), 2, lambda s: s), rtol=1e-4, atol=2e-6)


def test_is_grad_cam_where_the_head_is_an_average_and_a_line(tmp_path):
    network = networks.make("gap")
    w = well(3)
    found = explain(networks.opened(network, tmp_path), w, target="hit")
    a = network.features(as_input(w)).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(network.classify(a)[0, 1], a)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    grad_cam = torch.relu((weights * a).sum(dim=1))[0].detach().numpy()
    np.testing.assert_allclose(np.maximum(found.native, 0), grad_cam, rtol=1e-4, atol=1e-6)


def test_the_affine_head_costs_one_forward_and_a_little(tmp_path):
    classifier = networks.opened(networks.make("gap"), tmp_path)
    found = explain(classifier, well(), target="hit", channels="none")
    # One forward for the score itself, one for the map.
    assert found.forwards <= 1 + 1.15


def test_activation_weighted_reading(tmp_path):
    network = networks.make("gap")
    w = well()
    classifier = networks.opened(network, tmp_path)
    importance = explain(classifier, w, target="hit").native
    weighted = explain(classifier, w, target="hit", reading="activation-weighted").native
    total = network.features(as_input(w)).detach().sum(dim=1)[0].numpy()
    np.testing.assert_allclose(weighted, importance * total, rtol=1e-4, atol=1e-6)


def test_a_batch_that_is_larger_than_the_budget_changes_nothing(tmp_path):
    classifier = networks.opened(networks.make("fully-connected"), tmp_path)
    problem = Problem(classifier, as_input(well()), torch.zeros(1, 3, 1, 1), Score("logit", 1))
    layer = classifier.layer().name
    with torch.no_grad():
        activation = classifier.features(problem.x)
    at_once = ablate_all(problem, activation, layer)
    sizes = []
    in_small = ablate_all(
        Problem(classifier, problem.x, problem.fill, problem.score, lambda done, total: sizes.append(done)),
        activation, layer, budget=60_000,
    )  # fmt: skip
    assert len(sizes) > 3
    torch.testing.assert_close(in_small, at_once, rtol=1e-5, atol=1e-6)


def test_an_unknown_layer_is_named_with_those_that_exist(tmp_path):
    classifier = networks.opened(networks.make("gap"), tmp_path)
    with pytest.raises(LayerError, match=r"no layer 'conv9'.*blocks\.0"):
        explain(classifier, well(), layer="conv9")


class Strided(torch.nn.Module):
    """Sees bright pixels through convolutions with stride 2, kernel 3, padding 1: location i is centred at pixel i * stride."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            *(
                layer
                for i in range(depth)
                for layer in (torch.nn.Conv2d(3 if i == 0 else 1, 1, 3, 2, 1, bias=False), torch.nn.ReLU())
            )
        )
        for parameter in self.parameters():
            kernel = torch.tensor([1.0, 2, 1])
            parameter.data = (kernel[:, None] * kernel).expand_as(parameter).clone() / 16

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.layers(x).mean(dim=(2, 3))
        return torch.cat([-seen, seen, seen * 0], dim=1)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_map_lies_where_the_pixels_were(depth, tmp_path):
    from napari_attribution import load_classifier

    size = 96
    path = networks.save(Strided(depth).eval(), tmp_path / "strided.pt")
    classifier = load_classifier(path, "cpu", networks.card(size))
    assert classifier.layer().grid.start == (0, 0)
    pixels = np.zeros((3, size, size), np.float32)
    rows, columns = np.indices((size, size))
    pixels[:] = np.exp(-((rows - 52.3) ** 2 + (columns - 31.8) ** 2) / (2 * 6**2))
    found = explain(classifier, Well(pixels, networks.STAINS), target="hit", channels="none").map
    centre = np.array([(found * rows).sum(), (found * columns).sum()]) / found.sum()
    np.testing.assert_allclose(centre, (52.3, 31.8), atol=0.5)


def test_a_network_for_one_input_at_a_time(tmp_path):
    class Single(networks.Gap):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.blocks(x).mean(dim=(2, 3)).reshape(1, 12).relu() ** 2)

    torch.manual_seed(0)
    classifier = networks.opened(Single().eval(), tmp_path)
    assert classifier.one_by_one
    found = explain(classifier, well(), target="hit")
    assert not found.record["found"]["affine_head"]
    assert found.map.any()
