"""References on what is unusual: constants, odd sizes, one or many stains, no gradients, no cut."""

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import explain
from napari_attribution.errors import LayerError, RequestError
from napari_attribution.methods.choice.catalogue import ALL, METHODS, REFERENCES
from napari_attribution.methods.choice.cost import forwards_needed
from napari_attribution.methods.choice.offers import offer

QUICK = {
    "rise": {"masks": 40},
    "integrated-gradients": {"steps": 4},
    "captum-integrated-gradients": {"steps": 4},
    "captum-occlusion": {"window": 16},
}
CONTROLS = ("random", "centred-blob")
INSIDE = [name for name, method in REFERENCES.items() if method.looks_inside]
SCORES = [name for name in REFERENCES if name not in CONTROLS]


class Detached(networks.FullyConnected):
    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x.detach()))


class Flat(nn.Module):
    """Nothing in it is a map of places, so it cannot be cut."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(3 * 32 * 32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.line(x.flatten(1))


def test_references_stand_apart():
    assert list(METHODS) == ["pixel-ablation-cam", "fused-ablation-cam", "pcim", "dcmix", "occlusion"]
    assert list(ALL) == [*METHODS, *REFERENCES]
    assert all(method.reference for method in REFERENCES.values())
    assert not any(method.reference for method in METHODS.values())


def test_a_constant_score_has_a_map_of_zeros(well, classifier):
    """The score of one class is constant; that of the others is not, so that the network can be cut."""
    network = networks.make("gap")
    with torch.no_grad():
        network.head.weight[1] = 0
    c = classifier(network)
    for method in SCORES:
        found = explain(c, well(), method, target="hit", **QUICK.get(method, {}))
        np.testing.assert_allclose(found.values, 0, atol=1e-7, err_msg=method)
        assert not np.isnan(found.values).any()


@pytest.mark.parametrize(("size", "stains"), [((33, 21), 3), ((17, 64), 2), ((32, 32), 1), ((32, 32), 20)])
def test_odd_sizes_and_any_number_of_stains(size, stains, well, classifier):
    c = classifier(networks.Gap(stains), size=size, stains=stains)
    w = well(size, stains)
    for method in REFERENCES:
        values = QUICK.get(method, {})
        found = explain(c, w, method, target="hit", **values)
        assert found.map.shape == size
        assert np.isfinite(found.values).all()
        assert found.map.any()
        assert found.forwards <= forwards_needed(c, method, ALL[method].parameters(**values)) + 0.02


def test_shapley_values_of_twenty_stains_can_be_asked_for_beside_any_map(well, classifier):
    c = classifier(networks.Gap(20), stains=20)
    found = explain(c, well(stains=20), "grad-cam", target="hit", channels="shapley")
    assert len(found.channel_importance) == 20
    assert found.forwards == pytest.approx(
        forwards_needed(c, "grad-cam", ALL["grad-cam"].parameters(channels="shapley")), abs=0.02
    )


def test_a_layer_of_one_location(well, classifier):
    """At the size of its card a network with such a layer cannot be cut there: this one meets a smaller input."""
    c = classifier(networks.make("gap"), size=None, mode="whole")
    for method in INSIDE:
        for values in ({}, {"gaussian": False}) if method == "recipro-cam" else ({},):
            found = explain(c, well((4, 4)), method, target="hit", accept_flaws=True, **values)
            assert found.native.shape == (1, 1)
            assert np.isfinite(found.native).all()
            assert found.native.any()


def test_without_gradients_those_that_need_none_still_work(well, classifier):
    c = classifier(Detached())
    assert not c.gradients
    for name, method in REFERENCES.items():
        found = offer(c, method)
        if not method.needs_gradients:
            assert found.possible
            assert explain(c, well(), name, target="hit", **QUICK.get(name, {})).map.any()
            continue
        assert not found.possible
        with pytest.raises(RequestError, match="gives no gradients") as raised:
            explain(c, well(), name, target="hit")
        assert str(raised.value) == found.why
    assert {name for name, method in REFERENCES.items() if method.needs_gradients} >= {"grad-cam", "grad-cam++"}


def test_ablation_and_recipro_cam_without_gradients_are_what_they_are_with_them(well, classifier):
    torch.manual_seed(0)
    with_gradients = networks.FullyConnected()
    without = Detached()
    without.load_state_dict(with_gradients.state_dict())
    for method in ("ablation-cam", "ablation-cam++", "recipro-cam"):
        one, other = (explain(classifier(n), well(), method, target="hit") for n in (with_gradients, without))
        np.testing.assert_allclose(other.native, one.native, rtol=1e-3, atol=1e-6)


def test_without_a_cut_those_that_look_inside_say_so(well, classifier):
    c = classifier(Flat())
    for name, method in REFERENCES.items():
        found = offer(c, method)
        assert found.possible == (not method.looks_inside)
        if found.possible:
            assert explain(c, well(), name, target="hit", **QUICK.get(name, {})).map.any()
            continue
        with pytest.raises(LayerError, match="cannot be cut") as raised:
            explain(c, well(), name, target="hit")
        assert str(raised.value) == found.why


@pytest.mark.parametrize("method", INSIDE)
def test_an_unknown_layer_is_named_with_those_that_exist(method, well, classifier):
    with pytest.raises(LayerError, match=r"no layer 'conv9'.*blocks\.0"):
        explain(classifier(networks.make("gap")), well(), method, layer="conv9")


def test_one_input_at_a_time(well, classifier):
    class Single(networks.Gap):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.blocks(x).mean(dim=(2, 3)).reshape(1, 12).relu() ** 2)

    torch.manual_seed(0)
    c = classifier(Single())
    assert c.one_by_one
    for method in REFERENCES:
        values = QUICK.get(method, {})
        found = explain(c, well(), method, target="hit", **values)
        assert found.map.any()
        assert found.forwards <= forwards_needed(c, method, ALL[method].parameters(**values)) + 0.02


def test_a_parameter_that_a_reference_does_not_have_is_named(well, classifier):
    c = classifier(networks.make("gap"))
    with pytest.raises(RequestError, match=r"Grad-CAM has no parameter 'steps'\. It has: fill, layer, channels, relu"):
        explain(c, well(), "grad-cam", steps=3)
    with pytest.raises(RequestError, match=r"no method 'grad-cam2'.*grad-cam"):
        explain(c, well(), "grad-cam2")
