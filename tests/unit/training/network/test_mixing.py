"""The mixing layer: against a loop, its weights, its saved forms, and what it costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_attribution.training.network.mixing import DCMIX, SoftplusDCMIX, shares, start


@pytest.mark.parametrize("layer", [DCMIX, SoftplusDCMIX])
@pytest.mark.parametrize("mixers", [1, 3])
def test_a_mixture_is_the_weighted_sum(layer: type, mixers: int) -> None:
    weights = 0.1 + torch.rand(mixers, 4, generator=torch.Generator().manual_seed(0))
    x = torch.randn(2, 4, 5, 6)
    expected = torch.zeros(2, mixers, 5, 6)
    for n in range(2):
        for r in range(mixers):
            for c in range(4):
                expected[n, r] += weights[r, c] * x[n, c]
    torch.testing.assert_close(layer(weights)(x), expected)


def test_shares_are_the_mean_over_mixers_of_equal_say() -> None:
    # The second mixer is a thousand times stronger: only ratios within one mean anything.
    weights = torch.tensor([[3.0, 1.0, 0.0], [0.0, 1000.0, 1000.0]])
    torch.testing.assert_close(shares(weights), torch.tensor([0.375, 0.375, 0.25]))


def test_shares_of_weights_that_are_all_zero() -> None:
    torch.testing.assert_close(shares(torch.zeros(2, 4)), torch.full((4,), 0.25))
    torch.testing.assert_close(shares(torch.tensor([[0.0, 0.0], [1.0, 3.0]])), torch.tensor([0.25, 0.75]))


def test_softplus_starts_where_it_is_told_to_and_its_plain_form_is_the_same() -> None:
    layer = SoftplusDCMIX(start(2, 5))
    torch.testing.assert_close(layer.plain().weights, layer.weights)
    torch.testing.assert_close(layer.plain().importance, layer.importance)
    assert type(layer.plain()) is DCMIX


def test_projection_lifts_to_zero_and_a_stain_at_zero_comes_back() -> None:
    layer = DCMIX(torch.tensor([[0.5, 0.02]]))
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    x = torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    for wanted, reached in ((0.0, 0.0), (0.7, 0.7)):
        for _ in range(120):
            optimiser.zero_grad()
            ((layer(x) - 0.5 * x[:, :1] - (wanted or -3) * x[:, 1:]) ** 2).mean().backward()
            optimiser.step()
            layer.project()
            assert layer.weights.min() >= 0
        assert layer.weights[0, 1].item() == pytest.approx(reached, abs=0.01)


def test_saved_as_torchscript_it_keeps_its_name_its_weights_and_its_answers(tmp_path: Path) -> None:
    layer = DCMIX(start(2, 3))
    torch.jit.script(layer).save(str(tmp_path / "layer.pt"))
    loaded = torch.jit.load(str(tmp_path / "layer.pt"))
    x = torch.randn(1, 3, 4, 4)
    assert loaded.original_name == "DCMIX"
    assert torch.equal(loaded.weights, layer.weights)
    assert torch.equal(loaded(x), layer(x))


def test_mixers_start_apart_and_one_mixer_starts_with_all_stains_alike() -> None:
    assert np.unique(start(1, 5).numpy()).size == 1
    several = start(3, 5)
    assert not torch.equal(several[0], several[1])
    assert several.min() > 0
