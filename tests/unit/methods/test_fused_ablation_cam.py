"""Fused Ablation-CAM against loops over an eager network, where it has one stage, and on planted truth."""

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import explain
from napari_attribution.errors import ClassifierError, LayerError, RequestError
from napari_attribution.faithfulness.sharpness import width
from napari_attribution.methods import fused_ablation_cam
from napari_attribution.methods.choice.catalogue import METHODS
from napari_attribution.methods.choice.cost import forwards_needed
from napari_attribution.methods.choice.offers import offer
from napari_attribution.methods.explain import answer
from napari_attribution.methods.fused_ablation_cam import fused, stages
from napari_attribution.methods.shared.regions import borne_out

NAME = "fused-ablation-cam"


def deep(seed: int = 0, stains: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    network = networks.Deep(stains).eval()
    with torch.no_grad():
        # Far from affine.
        network.head[0].weight *= 20
    return network


def laid(drops: np.ndarray, start: float, jump: float, size: int) -> np.ndarray:
    """Bilinearly over the input, one line after the other."""
    at = start + jump * np.arange(len(drops))
    columns = np.stack([np.interp(np.arange(size), at, line) for line in drops])
    return np.stack([np.interp(np.arange(size), at, line) for line in columns.T], axis=1)


def drops_by_loops(network: nn.Module, x: Tensor, block: int, target: int, exact: bool) -> np.ndarray:
    """Location by location: silenced, or to first order, one channel at a time."""
    with torch.no_grad():
        a = network.blocks[: block + 1](x)

    def score(values: Tensor) -> Tensor:
        return network.classify(network.blocks[block + 1 :](values))[0, target]

    values = a.clone().requires_grad_(True)
    # The blocks add in place: what is derived by must not be what they write to.
    (slope,) = torch.autograd.grad(score(values * 1), values)
    drops = np.zeros(tuple(a.shape[2:]))
    for place in np.ndindex(*drops.shape):
        if exact:
            silenced = a.clone()
            silenced[0, :, place[0], place[1]] = 0
            with torch.no_grad():
                drops[place] = float(score(a.clone()) - score(silenced))
            continue
        for k in range(a.shape[1]):
            drops[place] += float(a[0, k, place[0], place[1]] * slope[0, k, place[0], place[1]])
    return drops


@pytest.mark.parametrize("region", [0.0, 0.1])
def test_it_is_the_product_of_the_stages_where_they_agree(region):
    network, w = deep(), networks.noise((64, 64))
    c = networks.wrapped(network, (64, 64))
    explained = answer(c, w, NAME, "hit", region=region)
    used = explained.attribution.record["found"]["layers"]
    assert [c.layer(name).stride for name in used] == [4, 8, 16]
    x = torch.from_numpy(w.pixels.copy())[None]
    maps = []
    for block, name in zip((1, 2, 3), used, strict=True):
        grid = c.layer(name).grid
        drops = drops_by_loops(network, x, block, 1, exact=block == 3)
        maps.append(laid(drops, grid.start[0], grid.jump[0], 64))
    expected = np.zeros((64, 64))
    for row, column in np.ndindex(64, 64):
        here = [float(map[row, column]) for map in maps]
        if min(here) > 0 or max(here) < 0:
            expected[row, column] = here[0]
            for value, map in zip(here[1:], maps[1:], strict=True):
                expected[row, column] *= abs(value) / np.abs(map).max()
    assert 0.1 < (expected != 0).mean() < 0.9
    expected = borne_out(torch.from_numpy(expected), torch.from_numpy(maps[-1]), region * 64).numpy()
    np.testing.assert_allclose(explained.at_input(), expected, atol=2e-4 * np.abs(expected).max())


def test_the_last_stage_has_exact_drops():
    network, w = deep(), networks.noise((64, 64))
    c = networks.wrapped(network, (64, 64))
    x = torch.from_numpy(w.pixels.copy())[None]
    exact, first_order = (drops_by_loops(network, x, 3, 1, exact=exact) for exact in (True, False))
    assert np.abs(exact - first_order).max() > 1e-3 * np.abs(exact).max()
    found = answer(c, w, NAME, "hit", finest=16)
    assert found.attribution.record["found"]["layers"] == [c.default_layer]
    grid = c.layer().grid
    np.testing.assert_allclose(found.at_input(), laid(exact, grid.start[0], grid.jump[0], 64), atol=1e-5)


class Tokens(nn.Module):
    """A transformer's block without its attention's detail: patches, each changed by the mean of all, then read together."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 12, 8, 8)
        self.norm, self.mix, self.wide, self.narrow = (
            nn.LayerNorm(12),
            nn.Linear(12, 12),
            nn.Linear(12, 24),
            nn.Linear(24, 12),
        )
        self.last, self.head = nn.LayerNorm(12), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.embed(x).flatten(2).transpose(1, 2)
        y = y + self.mix(self.norm(y).mean(dim=1, keepdim=True))
        y = y + self.narrow(torch.relu(self.wide(self.norm(y))))
        return self.head(self.last(y).mean(dim=1))


@pytest.mark.parametrize("network", [networks.make("gated"), networks.make("fully-connected"), Tokens()])
def test_with_one_stage_it_is_pixel_ablation_cam(network):
    c = networks.wrapped(network)
    assert len(stages(c, 4.0)) == 1
    expected = explain(c, networks.noise(), target="hit")
    found = explain(c, networks.noise(), NAME, "hit")
    np.testing.assert_allclose(found.values, expected.values, atol=1e-5)
    assert found.channel_importance == expected.channel_importance
    assert found.units == expected.units


def test_signs_that_differ_give_0():
    a, b = torch.tensor([[2.0, -2.0, 2.0, -2.0, 0.0, 2.0]]), torch.tensor([[4.0, -1.0, -1.0, 1.0, 1.0, 0.0]])
    np.testing.assert_allclose(fused([a, b]), [[2, -0.5, 0, 0, 0, 0]])
    np.testing.assert_allclose(fused([a, b, -b]), np.zeros((1, 6)))
    assert fused([a]) is a
    assert not fused([a, torch.zeros_like(a)]).any()


def test_stages_are_the_last_block_at_every_stride():
    c = networks.wrapped(deep(), (64, 64))
    for finest, strides in ((1, [2, 4, 8, 16]), (4, [4, 8, 16]), (9, [16]), (64, [16])):
        found = stages(c, finest)
        assert [layer.stride for layer in found] == strides
        assert found[-1] == c.layer()
        for layer in found:
            later = c.layers[c.layers.index(layer) + 1 :]
            assert not any(other.block and other.stride == layer.stride for other in later if layer != found[-1])


def test_a_planted_disc_is_found_and_is_no_wider_than_two():
    c = networks.wrapped(networks.MatchedFilter(), (96, 96))
    w = networks.discs(96, [(40, 52)])
    for values in ({}, {"region": 0.1}):
        found = explain(c, w, NAME, "hit", **values)
        top = np.unravel_index(found.map.argmax(), found.map.shape)
        assert np.hypot(top[0] - 40, top[1] - 52) <= 4
        assert width(found.map) <= 16
        assert width(found.map) < width(explain(c, w, target="hit").map)
        assert found.channel_importance["ER"] > 0.99


@pytest.mark.parametrize(("channels", "finest"), [("shapley", 4), ("none", 1), ("leave-one-out", 16)])
def test_what_it_costs_is_what_is_counted_behind_a_head_that_is_not_affine(channels, finest):
    c = networks.wrapped(deep(), (64, 64))
    values = {"channels": channels, "finest": finest}
    found = explain(c, networks.noise((64, 64)), NAME, "hit", **values)
    needed = forwards_needed(c, NAME, METHODS[NAME].parameters(**values))
    assert found.forwards == pytest.approx(needed, rel=0.1)


def test_behind_an_affine_head_it_costs_no_more():
    c = networks.wrapped(networks.MatchedFilter(), (96, 96))
    found = explain(c, networks.discs(96, [(40, 52)]), NAME, "hit")
    assert found.forwards <= forwards_needed(c, NAME) + 0.01


def test_a_stage_that_is_refused_is_left_out(monkeypatch):
    c = networks.wrapped(deep(), (64, 64))
    finest, *others = (layer.name for layer in stages(c, 4.0))
    whole = fused_ablation_cam.first_order_drops

    def refusing(problem, layer):
        if layer == finest:
            raise LayerError("not here")
        return whole(problem, layer)

    monkeypatch.setattr(fused_ablation_cam, "first_order_drops", refusing)
    seen: list[tuple[int, int]] = []
    found = explain(c, networks.noise((64, 64)), NAME, "hit", progress=lambda *step: seen.append(step))
    assert found.record["found"]["layers"] == others
    assert seen[:2] == [(1, 3), (2, 3)]
    assert seen[-1] == (3, 3)


def test_a_layer_of_one_location():
    """At the size of its card a network with such a layer is cut earlier: this one meets a smaller input."""
    c = networks.wrapped(deep(), None, mode="whole")
    for values in ({}, {"region": 0.1}):
        found = explain(c, networks.noise((16, 16)), NAME, "hit", accept_flaws=True, **values)
        assert found.map.shape == (16, 16)
        assert np.isfinite(found.values).all()
        assert found.map.any()


@pytest.mark.parametrize(("size", "stains"), [((65, 91), 3), ((64, 128), 2), ((64, 64), 1), ((64, 64), 20)])
def test_odd_sizes_and_any_number_of_stains(size, stains):
    c = networks.wrapped(deep(stains=stains), size, stains)
    found = explain(c, networks.noise(size, stains), NAME, "hit", channels="leave-one-out")
    assert found.values.shape == size
    assert np.isfinite(found.values).all()
    assert found.map.any()
    assert len(found.channel_importance) == stains


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_a_score_may_be_negative_or_a_probability(score):
    network, w = deep(), networks.noise((64, 64))
    found = explain(networks.wrapped(network, (64, 64)), w, NAME, "hit", score)
    assert np.isfinite(found.values).all()
    assert found.map.any()
    with torch.no_grad():
        network.head[2].bias -= 50
    lower = explain(networks.wrapped(network, (64, 64)), w, NAME, "hit", score)
    assert score == "probability" or lower.score < -20
    np.testing.assert_allclose(lower.values, found.values, atol=1e-3 * np.abs(found.values).max())


def test_a_constant_score_has_a_map_of_zeros_and_says_so():
    network = deep()
    with torch.no_grad():
        network.head[2].weight[1] = 0
    found = explain(networks.wrapped(network, (64, 64)), networks.noise((64, 64)), NAME, "hit")
    assert not found.values.any()
    assert any("map is zero" in warning for warning in found.warnings)


def test_gradients_that_are_not_numbers_are_an_error():
    class Root(nn.Module):
        """Its score has no slope where nothing is seen."""

        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                *(nn.Sequential(nn.Conv2d(n, 4, 3, 2, 1, bias=False), nn.LeakyReLU()) for n in (3, 4, 4, 4))
            )

        def forward(self, x: Tensor) -> Tensor:
            seen = torch.sqrt(torch.abs(self.body(x).mean(dim=(1, 2, 3))))
            return torch.stack([-seen, seen, seen * 0], dim=1)

    c = networks.wrapped(Root(), (64, 64))
    assert len(stages(c, 4.0)) == 3
    dark = networks.Well(np.zeros((3, 64, 64), np.float32), networks.STAINS)
    with pytest.raises(ClassifierError, match="are not numbers"):
        explain(c, dark, NAME, "hit", accept_flaws=True)


def test_without_gradients_it_is_refused_and_says_what_needs_none():
    class Detached(networks.FullyConnected):
        def forward(self, x: Tensor) -> Tensor:
            return self.classify(self.features(x.detach()))

    c = networks.wrapped(Detached())
    found = offer(c, METHODS[NAME])
    assert not found.possible
    assert found.error is RequestError
    with pytest.raises(RequestError, match=r"gives no gradients.*Pixel Ablation-CAM, PCIM") as raised:
        explain(c, networks.noise(), NAME, "hit")
    assert str(raised.value) == found.why
