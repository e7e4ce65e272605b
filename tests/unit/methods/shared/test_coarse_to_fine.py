"""PCIM's coarse-to-fine form: its evidence against a loop, what must add up, and planted truth."""

import networks
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from napari_attribution import explain
from napari_attribution.errors import ClassifierError
from napari_attribution.faithfulness.localisation import mass
from napari_attribution.faithfulness.sharpness import width
from napari_attribution.methods.channels.problems import problems_of
from napari_attribution.methods.choice.catalogue import METHODS
from napari_attribution.methods.choice.cost import forwards_needed
from napari_attribution.methods.shared import coarse_to_fine
from napari_attribution.methods.shared.coarse_to_fine import LEAN, agreed, evidence


class Line(nn.Module):
    """Scores that are linear in every pixel."""

    def __init__(self, stains: int = 3, size: int = 16) -> None:
        super().__init__()
        self.line = nn.Linear(stains * size * size, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.line(x.flatten(1))


def evidence_by_loops(network: nn.Module, x: Tensor, fill: Tensor, target: int, steps: int, region: float) -> Tensor:
    """One game at a time, on the eager network; the mixture is made pixel by pixel."""
    C, h, w = x.shape
    total = np.zeros((C, h, w))
    alpha_lean = np.zeros((h, w))
    for step in range(steps):
        level = 0.5 * (1 - (2 * step + 1) / (2 * steps))
        for game in ("keep", "remove"):
            alpha = np.empty((h, w), np.float32)
            for row in range(h):
                for column in range(w):
                    weight = min(1.0, max(0.0, level + alpha_lean[row, column]))
                    alpha[row, column] = weight if game == "keep" else 1 - weight
            mixture = (fill + torch.from_numpy(alpha) * (x - fill)).requires_grad_(True)
            network(mixture[None])[0, target].backward()
            total += 0.5 * (mixture.grad * (x - fill)).double().numpy()
        seen = gaussian_filter(total.sum(axis=0), region, mode="reflect")
        seen -= seen.mean()
        alpha_lean = LEAN * (step + 1) / steps * seen / np.abs(seen).max()
    return torch.from_numpy(total / steps)


@pytest.mark.parametrize(("steps", "region"), [(1, 3.2), (4, 3.2), (3, 1.0)])
def test_evidence_is_what_loops_over_the_games_give(steps, region):
    network = networks.make("gap")
    c = networks.wrapped(network)
    (problem,) = problems_of(c, networks.noise(), "dead", fill="blur")
    found = evidence(problem, steps, region)
    expected = evidence_by_loops(network, problem.x[0], problem.fill[0], 2, steps, region)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("lean", [0.0, LEAN, 5.0])
@pytest.mark.parametrize("fill", ["mean", "blur"])
def test_evidence_of_a_linear_network_adds_up_whatever_the_leaning(lean, fill, monkeypatch):
    monkeypatch.setattr(coarse_to_fine, "LEAN", lean)
    c = networks.wrapped(Line(), (16, 16))
    (problem,) = problems_of(c, networks.noise((16, 16)), "hit", fill=fill)
    found = evidence(problem, 5, 1.6)
    with torch.no_grad():
        expected = float(problem.of(problem.x)[0] - problem.of(problem.mixed(torch.zeros(1, 1, 1, 1)))[0])
    assert float(found.sum()) == pytest.approx(expected, abs=1e-4)


def test_the_evidence_of_a_linear_network_is_the_importance():
    """And the record says what it adds up to."""
    c = networks.wrapped(Line(), (16, 16))
    w = networks.noise((16, 16))
    found = explain(c, w, "pcim", "hit", fill="background")
    with torch.no_grad():
        scores = [float(c.scores(torch.from_numpy(w.pixels * kept)[None])[0, 1]) for kept in _one_stain_at_a_time()]
        nothing = float(c.scores(torch.zeros(1, 3, 16, 16))[0, 1])
    gained = np.array(scores) - nothing
    np.testing.assert_allclose(list(found.channel_importance.values()), gained / np.abs(gained).sum(), atol=1e-4)
    assert found.record["found"]["gained"] == pytest.approx(gained.sum(), abs=1e-4)
    assert found.record["found"]["estimate"] == "gradient"


def _one_stain_at_a_time() -> list[np.ndarray]:
    return [np.eye(3, dtype=np.float32)[stain].reshape(3, 1, 1) for stain in range(3)]


@pytest.mark.parametrize("values", [{}, {"region": 0}, {"fine": 0}])
def test_the_stains_add_up_to_the_shared_map(values):
    c = networks.wrapped(networks.make("gated"))
    by_stain = explain(c, networks.noise(), "pcim", "hit", **values)
    shared = explain(c, networks.noise(), "pcim", "hit", per_stain=False, **values)
    assert by_stain.values.shape == (3, 32, 32)
    np.testing.assert_allclose(by_stain.map, shared.values, atol=1e-5)
    assert np.abs(shared.values).max() == pytest.approx(1, abs=1e-5)
    assert by_stain.values.min() < 0 < by_stain.values.max()


def test_stains_at_odds_each_keep_their_sign():
    pull = torch.zeros(3, 24, 24)
    pull[0, 8:12, 8:12], pull[1, 8:12, 8:12] = 1.0, -3.0
    for region in (0.0, 2.4):
        found = agreed(pull, 1.0, region)
        assert found.sum(dim=0).abs().max() == pytest.approx(1)
        np.testing.assert_allclose(found[1], -3 * found[0], atol=1e-6)
        assert found[0].max() > 0
        assert not found[2].any()


def test_region_0_leaves_every_place_alone():
    pull = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 20, 30)))
    smooth = np.stack([gaussian_filter(plane, 2.0, mode="reflect") for plane in pull.numpy()])
    np.testing.assert_allclose(agreed(pull, 2.0, 0.0), smooth / np.abs(smooth.sum(axis=0)).max(), atol=1e-12)


def test_a_planted_disc_is_found_and_is_no_wider_than_two():
    c = networks.wrapped(networks.MatchedFilter(), (96, 96))
    found = explain(c, networks.discs(96, [(40, 52)]), "pcim", "hit")
    top = np.unravel_index(found.map.argmax(), found.map.shape)
    assert np.hypot(top[0] - 40, top[1] - 52) <= 4
    assert width(found.map) <= 16
    assert found.channel_importance["ER"] > 0.99
    assert found.units == "mixing weight"


def test_one_tile_of_nine_is_found():
    """Its discs are many; a single one in every other tile is chance."""
    single = [(23 + 48 * row, 25 + 48 * column) for row in range(3) for column in range(3) if (row, column) != (1, 2)]
    crowd = [(62, 110), (62, 130), (82, 110), (82, 130), (72, 120)]
    c = networks.wrapped(networks.MatchedFilter(), (144, 144))
    w = networks.discs(144, single + crowd)
    found = explain(c, w, "pcim", "hit")
    inside = np.zeros((144, 144), bool)
    inside[48:96, 96:144] = True
    assert mass(found.map, inside) > 0.95
    for_itself = explain(c, w, "pcim", "hit", region=0)
    assert mass(for_itself.map, inside) < 0.8


@pytest.mark.parametrize("values", [{}, {"steps": 3, "per_stain": False}, {"covered": 0, "steps": 8}, {"region": 0.02}])
def test_what_it_costs_is_what_is_counted(values):
    c = networks.wrapped(networks.make("gap"))
    found = explain(c, networks.noise(), "pcim", "hit", **values)
    needed = forwards_needed(c, "pcim", METHODS["pcim"].parameters(**values))
    assert found.forwards == pytest.approx(needed, abs=0.02)
    assert found.forwards <= 60


@pytest.mark.parametrize(("size", "stains"), [((33, 21), 3), ((17, 64), 2), ((32, 32), 1), ((16, 16), 20)])
def test_odd_sizes_and_any_number_of_stains(size, stains):
    c = networks.wrapped(networks.Gap(stains), size, stains)
    found = explain(c, networks.noise(size, stains), "pcim", "hit")
    assert found.values.shape == (stains, *size)
    assert np.isfinite(found.values).all()
    assert np.abs(found.map).max() == pytest.approx(1, abs=1e-5)
    assert len(found.channel_importance) == stains


@pytest.mark.parametrize("per_stain", [True, False])
def test_a_constant_score_has_a_map_of_zeros_and_says_so(per_stain):
    network = networks.make("gap")
    with torch.no_grad():
        network.head.weight[1] = 0
    found = explain(networks.wrapped(network), networks.noise(), "pcim", "hit", per_stain=per_stain)
    assert not found.values.any()
    assert not any(found.channel_importance.values())
    assert any("map is zero" in warning for warning in found.warnings)


@pytest.mark.parametrize("score", ["logit", "probability", "contrast"])
def test_a_score_may_be_negative_or_a_probability(score):
    """The map of a logit is that of the same logit far below zero."""
    network = networks.make("gap")
    found = explain(networks.wrapped(network), networks.noise(), "pcim", "hit", score)
    assert np.isfinite(found.values).all()
    assert np.abs(found.map).max() == pytest.approx(1, abs=1e-5)
    with torch.no_grad():
        network.head.bias -= 100
    lower = explain(networks.wrapped(network), networks.noise(), "pcim", "hit", score)
    assert score != "logit" or lower.score < -90
    # Scores near -100 are rounded to 1e-5, and regions are told by small differences.
    np.testing.assert_allclose(lower.values, found.values, atol=5e-3)


def test_a_well_that_speaks_everywhere_alike_has_a_map():
    """Where no region stands out, every place stands for itself."""

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen = x.mean(dim=(1, 2, 3))
            return torch.stack([-seen, seen, seen * 0], dim=1)

    pixels = networks.Well(np.ones((3, 32, 32), np.float32), networks.STAINS)
    found = explain(networks.wrapped(Mean()), pixels, "pcim", "hit", fill="background", accept_flaws=True)
    np.testing.assert_allclose(found.map, 1, atol=1e-5)


@pytest.mark.parametrize(
    ("form", "level"), [("coarse-to-fine", 0.25), ("coarse-to-fine", 0.75), ("smooth", 0.5), ("literal", 1.0)]
)
def test_gradients_that_are_not_numbers_are_an_error(form, level):
    class Root(nn.Module):
        """Its scores are numbers; where the first stain is at one level, their slope is not."""

        def __init__(self, level: float) -> None:
            super().__init__()
            self.level = level

        def forward(self, x: Tensor) -> Tensor:
            off = x[:, 0].mean(dim=(1, 2)) - self.level
            seen = torch.sqrt(off * off) + x[:, 1].mean(dim=(1, 2))
            return torch.stack([-seen, seen, seen * 0], dim=1)

    w = networks.Well(np.ones((3, 32, 32), np.float32), networks.STAINS)
    with pytest.raises(ClassifierError, match="gradients are not numbers"):
        explain(
            networks.wrapped(Root(level)), w, "pcim", "hit", fill="background", form=form, steps=1, accept_flaws=True,
            estimate="gradient",
        )  # fmt: skip


def test_without_gradients_masks_are_drawn():
    class Detached(networks.Gap):
        def forward(self, x: Tensor) -> Tensor:
            return self.classify(self.features(x.detach()))

    found = explain(networks.wrapped(Detached()), networks.noise(), "pcim", "hit", masks=64)
    assert found.record["found"]["estimate"] == "masks"
    assert found.units == "change of mixing weight"
    assert found.map.any()
