"""Which methods a classifier allows, and what each costs, said before anything runs."""

import subprocess
import sys

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import Well, explain, load_classifier
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.errors import LayerError, RequestError
from napari_attribution.methods.choice.catalogue import METHODS
from napari_attribution.methods.choice.choosing import check_parameters
from napari_attribution.methods.choice.cost import forwards_needed
from napari_attribution.methods.choice.offers import offer, offers


class Detached(networks.FullyConnected):
    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x.detach()))


class Flat(nn.Module):
    """Nothing in it is a map of places, so it cannot be cut."""

    def __init__(self, gradients: bool) -> None:
        super().__init__()
        self.line = nn.Linear(3 * 32 * 32, 3)
        self.gradients = gradients

    def forward(self, x: Tensor) -> Tensor:
        return self.line((x if self.gradients else x.detach()).flatten(1))


def well() -> Well:
    return Well(np.random.default_rng(0).normal(size=(3, 32, 32)).astype(np.float32), networks.STAINS)


def classifier_of(network: nn.Module) -> Classifier:
    torch.manual_seed(0)
    return Classifier(torchscript_network(torch.jit.script(network.eval()), torch.device("cpu")), networks.card())


def test_everything_is_offered_where_everything_works(tmp_path):
    found = offers(networks.opened(networks.make("gap"), tmp_path))
    assert [offer.method for offer in found] == list(METHODS.values())
    assert all(offer.possible and not offer.why and offer.forwards > 0 for offer in found)


def test_what_is_on_offer_is_known_without_torch():
    code = (
        "import sys\n"
        "from napari_attribution.methods.choice import catalogue, cost, offers\n"
        "assert 'torch' not in sys.modules and 'captum' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_method_says_its_own_cost(monkeypatch, tmp_path):
    """What stands beside `compute` is asked, with the prices of this classifier."""
    from napari_attribution.methods import pcim

    classifier = networks.opened(networks.make("gap"), tmp_path)
    seen = []

    def forwards(prices, parameters):
        seen.append(
            (prices.size, prices.stains, prices.stain_values("shapley"), prices.channels(None), prices.locations(None))
        )
        return parameters.steps * 2.0

    monkeypatch.setattr(pcim, "forwards", forwards, raising=False)
    assert forwards_needed(classifier, "pcim", METHODS["pcim"].parameters(steps=6), inputs=3) == 3 * 13
    assert seen == [((32, 32), 3, 8, 12, 64)]


def test_without_gradients_the_estimate_and_its_cost_are_said():
    found = {offer.method.name: offer for offer in offers(classifier_of(Detached()))}
    assert [name for name, offer in found.items() if not offer.possible] == ["fused-ablation-cam"]
    assert found["fused-ablation-cam"].why.startswith(
        "This network gives no gradients, which Fused Ablation-CAM is made of."
    )
    assert found["fused-ablation-cam"].error is RequestError
    assert found["pcim"].why == "Without gradients: estimated from 500 drawn masks, about 501 forwards an input."
    assert found["dcmix"].why == (
        "Without gradients: estimated from subsets of the stains and 500 drawn masks, about 509 forwards an input."
    )
    assert not found["occlusion"].why


@pytest.mark.parametrize("gradients", [True, False])
def test_without_a_cut_the_others_still_work_and_the_error_is_the_offer(gradients):
    classifier = classifier_of(Flat(gradients))
    assert classifier.gradients == gradients
    assert classifier.default_layer is None
    found = {offer.method.name: offer for offer in offers(classifier)}
    assert [name for name, offer in found.items() if not offer.possible] == ["pixel-ablation-cam", "fused-ablation-cam"]
    assert found["fused-ablation-cam"].error is (LayerError if gradients else RequestError)
    with pytest.raises(LayerError) as raised:
        explain(classifier, well())
    assert str(raised.value) == found["pixel-ablation-cam"].why
    assert "cannot be cut" in str(raised.value)
    for name in ("pcim", "dcmix", "occlusion"):
        assert explain(classifier, well(), name, target="hit").map.any()


def test_an_impossible_parameter_is_the_offers_sentence():
    classifier = classifier_of(Detached())
    for name, values in (
        ("pcim", {"estimate": "gradient"}),
        ("dcmix", {"estimate": "gradient"}),
        ("pcim", {"form": "literal"}),
    ):
        method = METHODS[name]
        found = offer(classifier, method, check_parameters(method, values))
        assert not found.possible
        with pytest.raises(RequestError) as raised:
            explain(classifier, well(), name, **values)
        assert str(raised.value) == found.why


EXACT = [
    ("pcim", {}),
    ("pcim", {"per_stain": False, "steps": 3}),
    ("pcim", {"form": "smooth", "steps": 3}),
    ("pcim", {"form": "literal", "steps": 4}),
    ("pcim", {"estimate": "masks", "masks": 101}),
    ("pcim", {"estimate": "masks", "masks": 64, "per_stain": False}),
    ("dcmix", {}),
    ("dcmix", {"shapley": False, "steps": 2}),
    ("dcmix", {"estimate": "masks", "masks": 64}),
    ("occlusion", {}),
    ("occlusion", {"window": 10, "stride": 7, "per_stain": True, "channels": "none"}),
]


@pytest.mark.parametrize(("method", "values"), EXACT)
@pytest.mark.parametrize("mode", ["resize", "tiles"])
def test_the_cost_is_what_is_counted(method, values, mode, tmp_path):
    path = networks.save(networks.make("gap"), tmp_path / "net.pt")
    classifier = load_classifier(path, "cpu", networks.card(mode=mode))
    pixels = np.random.default_rng(0).normal(size=(3, 40, 50)).astype(np.float32)
    found = explain(classifier, Well(pixels, networks.STAINS), method, target="hit", **values)
    needed = forwards_needed(
        classifier, method, check_parameters(METHODS[method], values), found.record["preparation"]["inputs"]
    )
    assert found.forwards == pytest.approx(needed, abs=0.02)


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("channels", ["shapley", "none"])
def test_the_cost_of_pixel_ablation_cam_behind_a_head_that_is_not_affine(gradients, channels, tmp_path):
    network = networks.make("fully-connected") if gradients else Detached().eval()
    classifier = networks.opened(network, tmp_path)
    for layer in classifier.layers[:3]:
        values = {"layer": layer.name, "channels": channels}
        found = explain(classifier, well(), target="hit", **values)
        needed = forwards_needed(
            classifier, "pixel-ablation-cam", check_parameters(METHODS["pixel-ablation-cam"], values)
        )
        assert found.forwards == pytest.approx(needed, rel=0.1)


def test_the_cost_of_pixel_ablation_cam_behind_an_affine_head_is_no_more(tmp_path):
    classifier = networks.opened(networks.make("gap"), tmp_path)
    found = explain(classifier, well(), target="hit")
    assert found.forwards <= forwards_needed(classifier, "pixel-ablation-cam") + 0.01


def test_ten_stains_cost_what_is_counted():
    class Mean(nn.Module):
        def __init__(self, gradients: bool) -> None:
            super().__init__()
            self.gradients = gradients

        def forward(self, x: Tensor) -> Tensor:
            seen = (x if self.gradients else x.detach())[:, 9].mean(dim=(1, 2))
            return torch.stack([-seen, seen, seen * 0], dim=1)

    stains = [f"stain {index}" for index in range(10)]
    card = networks.card(16, stains=stains, mean=[0.0] * 10, std=[1.0] * 10, background=[0.0] * 10)
    pixels = np.random.default_rng(0).uniform(1, 2, size=(10, 16, 16)).astype(np.float32)
    for gradients in (True, False):
        module = torch.jit.script(Mean(gradients))
        classifier = Classifier(torchscript_network(module, torch.device("cpu")), card)
        for method in ("pcim", "dcmix", "occlusion"):
            found = explain(classifier, Well(pixels, stains), method, target="hit")
            assert found.forwards == pytest.approx(forwards_needed(classifier, method), abs=0.02)
