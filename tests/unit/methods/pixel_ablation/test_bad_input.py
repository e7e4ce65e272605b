"""What a method must bear: scores of any sign, nothing at all, numbers that are none, odd sizes, any number of stains."""

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import ClassifierCard, Well, explain
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.errors import ClassifierError
from napari_attribution.methods.pixel_ablation.drops import drops_at

from .conftest import Headed, Mean, brute_force, flat, made, problem


def well(seed: int = 0, size: int = 32) -> Well:
    return Well(np.random.default_rng(seed).normal(size=(3, size, size)).astype(np.float32), networks.STAINS)


@pytest.mark.parametrize("shift", [-20.0, 0.0])
@pytest.mark.parametrize("size", [None, 8])
def test_a_score_of_zero_or_less(shift, size, opened):
    head = [Mean(), nn.Linear(12, 3)] if size is None else flat(size=size)
    network = made(*head)
    asked = problem(opened(network))
    with torch.no_grad():
        score = float(network(asked.x)[0, 1])
        head[-1].bias[1] += shift - score
    asked = problem(opened(network))
    found = drops_at(asked, asked.classifier.layer().name)
    truth = brute_force(network, asked.x, asked.score)
    assert float((found - truth).abs().max() / truth.abs().max()) < 2e-5


class Dead(Headed):
    """Decides only where there is a lot of light."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.blocks(x) - 1000.0 + 1e4 * x.abs().mean().clamp(max=3).gt(2.5).float()))


def test_a_classifier_that_sees_nothing_here_gives_zeros_and_says_so(opened):
    torch.manual_seed(0)
    network = Headed(Mean(), nn.Linear(12, 3)).eval()
    classifier = opened(network)
    dark = Well(np.zeros((3, 32, 32), np.float32), networks.STAINS)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.bias)
    classifier = opened(network)
    found = explain(classifier, dark, target="hit", accept_flaws=True, channels="none")
    assert not found.native.any()
    assert any("zero everywhere" in warning for warning in found.warnings)


def test_a_probability_that_is_certain_gives_zeros_not_noise(opened):
    network = made(networks.SqueezeExcite(12), Mean(), nn.Linear(12, 3))
    with torch.no_grad():
        network.head[2].bias[1] += 60
    classifier = opened(network)
    before = [layer for layer in classifier.layers if layer.kind == "relu" and layer.shape == (12, 8, 8)][-1].name
    found = explain(classifier, well(), target="hit", score="probability", layer=before, channels="none")
    assert not found.native.any()
    assert any("zero everywhere" in warning for warning in found.warnings)


class Normalised(nn.Module):
    """A network that divides by what it sees, and by nothing where that is silenced."""

    def forward(self, x: Tensor) -> Tensor:
        # Only the one place that is left after pooling counts.
        top = torch.relu(x[:, :, :1, :1]).flatten(1)
        return x.mean(dim=(2, 3)) + top / (top * top).sum(dim=1, keepdim=True).sqrt()


def test_scores_that_are_no_numbers_once_a_location_is_silenced(opened):
    classifier = opened(made(Normalised(), nn.Linear(12, 3)))
    if classifier.default_layer is None:
        pytest.skip("the guard has silenced everything, and refused the layer")
    with pytest.raises(ClassifierError, match="not numbers"):
        drops_at(problem(classifier), classifier.layer().name, "every location")


@pytest.mark.parametrize("stains", [1, 20])
@pytest.mark.parametrize("head", ["affine", "flat"])
def test_any_number_of_stains(stains, head):
    torch.manual_seed(0)
    network = Headed(*([Mean(), nn.Linear(12, 3)] if head == "affine" else flat(size=8)))
    network.blocks[0] = networks.Residual(stains, 8, 2)
    network.eval()
    nothing = [0.0] * stains
    card = ClassifierCard(
        stains=[f"S{i}" for i in range(stains)], classes=networks.CLASSES, size=(32, 32), mode="resize",
        mean=nothing, std=[1.0] * stains, background=nothing,
    )  # fmt: skip
    traced = torch.jit.trace(network, torch.randn(2, stains, 32, 32))
    classifier = Classifier(torchscript_network(traced, torch.device("cpu")), card)
    asked = problem(classifier)
    found = drops_at(asked, classifier.layer().name)
    truth = brute_force(network, asked.x, asked.score)
    assert float((found - truth).abs().max() / truth.abs().max()) < 1e-5


@pytest.mark.parametrize("size", [(31, 45), (64, 20)])
def test_odd_and_oblong_inputs(size, tmp_path):
    from napari_attribution import load_classifier

    for head in ([Mean(), nn.Linear(12, 3)], [Mean(), nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 3)]):
        network = made(*head)
        path = networks.save(network, tmp_path / "n.pt")
        classifier = load_classifier(path, "cpu", networks.card(None, mode="whole"), time_limit=None)
        asked = problem(classifier, size=size)
        layer = next(each.name for each in reversed(classifier.layers) if each.kind == "relu" and each.block)
        found = drops_at(asked, layer)
        truth = brute_force(network, asked.x, asked.score)
        assert found.shape == truth.shape
        assert float((found - truth).abs().max() / truth.abs().max()) < 1e-5


def test_two_locations_are_enough(opened):
    network = made(Mean(), nn.Linear(12, 3))
    network.blocks.append(nn.AvgPool2d((4, 8)))
    classifier = opened(network)
    layer = next(each.name for each in classifier.layers if each.shape[1:] == (2, 1))
    asked = problem(classifier)
    found = drops_at(asked, layer)
    truth = brute_force(network, asked.x, asked.score)
    torch.testing.assert_close(found, truth.float(), rtol=1e-4, atol=1e-6)


class OneByOne(Headed):
    """Takes only one input at a time."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x).reshape(1, 12, 8, 8))


def test_a_network_for_one_input_at_a_time(opened):
    torch.manual_seed(0)
    network = OneByOne(*flat(size=8)).eval()
    classifier = opened(network)
    assert classifier.one_by_one
    asked = problem(classifier)
    found = drops_at(asked, classifier.layer().name)
    truth = brute_force(network, asked.x, asked.score)
    assert float((found - truth).abs().max() / truth.abs().max()) < 1e-3


class Undifferentiable(Headed):
    """Goes through numbers that give no gradient."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x.detach()).detach())


def test_a_network_without_gradients(opened):
    torch.manual_seed(0)
    network = Undifferentiable(*flat(size=8)).eval()
    classifier = opened(network)
    assert not classifier.gradients
    asked = problem(classifier)
    found = drops_at(asked, classifier.layer().name)
    truth = brute_force(network, asked.x, asked.score)
    assert float((found - truth).abs().max() / truth.abs().max()) < 1e-3


@pytest.mark.parametrize("how", ["scripted", "exported"])
def test_a_classifier_that_always_says_the_same_gives_zeros_and_says_so(how, opened):
    network = made(Mean(), nn.Linear(12, 3))
    with torch.no_grad():
        network.head[1].weight.zero_()
    classifier = opened(network, how)
    assert classifier.default_layer is not None
    found = explain(classifier, well(), target="hit")
    assert not found.native.any()
    assert any("zero everywhere" in warning for warning in found.warnings)
