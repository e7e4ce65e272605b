"""What the dock offers of the methods, on real networks of every kind."""

import networks
import pytest
import torch
from networks import Gap
from torch import nn

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.classifiers.preflight import Preflight
from napari_attribution.desktop.explain import offering
from napari_attribution.desktop.explain.state import State


class Deaf(Gap):
    """Gives no gradients."""

    def forward(self, x):
        return self.classify(self.features(x.detach()))


class Flat(nn.Module):
    """Has no place where it could be cut."""

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(3 * 32 * 32, 3)

    def forward(self, x):
        return self.line(x.flatten(1))


def classifier(module, **fields):
    torch.manual_seed(0)
    scripted = torch.jit.script(module.eval())
    return Classifier(torchscript_network(scripted, torch.device("cpu")), networks.card(**fields))


@pytest.fixture(scope="module")
def plain():
    return classifier(Gap())


@pytest.fixture(scope="module")
def flat():
    return classifier(Flat())


def state(network, shape=(1, 3, 32, 32), **fields):
    return State(classifier=network, checked=Preflight((), "hit", {"hit": 1.0}, input_shape=shape), **fields)


def test_without_a_classifier_everything_is_on_offer():
    assert all(one.possible for one in offering.on_offer(State()))
    assert offering.cost(State()) is None


def test_a_network_that_cannot_be_cut_changes_the_method(flat, plain):
    now = state(flat)
    refused = [one for one in offering.on_offer(now) if not one.possible]
    assert [one.method.name for one in refused] == ["pixel-ablation-cam", "fused-ablation-cam"]
    assert all("cannot be cut" in one.why for one in refused)
    (sentence,) = offering.refusals(offering.on_offer(now))
    assert sentence.startswith("Pixel Ablation-CAM and Fused Ablation-CAM are not on offer: ")
    assert not offering.chosen(now).possible
    assert offering.cost(now) is None
    assert offering.still_possible(now) == "pcim"
    assert offering.still_possible(state(flat, method="occlusion")) == "occlusion"
    assert offering.still_possible(state(plain)) == "pixel-ablation-cam"


def test_without_gradients_it_costs_more():
    deaf, plain = classifier(Deaf()), classifier(Gap())
    few, _ = offering.cost(state(plain, method="pcim"))
    many, _ = offering.cost(state(deaf, method="pcim"))
    assert many > 500 > few
    assert "drawn masks" in offering.chosen(state(deaf, method="pcim")).why


def test_the_cost_follows_the_parameters_and_the_inputs(plain):
    few, seconds = offering.cost(state(plain, method="pcim", parameters={"pcim": {"steps": 5}}))
    more, longer = offering.cost(state(plain, method="pcim", parameters={"pcim": {"steps": 50}}))
    assert more > 4 * few
    assert longer / more == pytest.approx(seconds / few)
    many, _ = offering.cost(state(plain, (12, 3, 32, 32), method="pcim", parameters={"pcim": {"steps": 5}}))
    assert many == pytest.approx(12 * few)


def test_a_larger_field_than_was_timed_takes_longer():
    free = classifier(Gap(), size=None, mode="whole")
    forwards, seconds = offering.cost(state(free, (1, 3, 256, 256), method="dcmix"))
    same, longer = offering.cost(state(free, (1, 3, 1024, 1024), method="dcmix"))
    assert same == pytest.approx(forwards)
    assert longer == pytest.approx(16 * seconds)
