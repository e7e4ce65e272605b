"""Regions and scales against formulas written out, and what they must leave alone."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_attribution.methods.shared.regions import FLOOR, POWER, borne_out, weighing
from napari_attribution.methods.shared.scales import smoothed, standing_out, strongest_one


def noise(seed: int = 0, size: tuple[int, int] = (24, 40)) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=size))


def by_loops(evidence: np.ndarray, coarse: np.ndarray, sigma: float) -> np.ndarray:
    """Place by place, one side after the other."""
    around = gaussian_filter(coarse, sigma, mode="reflect")
    found = np.zeros(evidence.shape)
    for sign, floor in ((1, FLOOR), (-1, 0.0)):
        above = sign * (around - around.mean())
        side, highest, farthest = np.zeros(evidence.shape), (sign * evidence).max(), above.max()
        height = (sign * evidence)[above > 0].max()
        for place in np.ndindex(*evidence.shape):
            share = max(0.0, sign * evidence[place]) / highest
            side[place] = (share + floor) * max(0.0, above[place] / farthest) ** POWER
        found += sign * side / side.max() * height
    return found


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("sigma", [1.0, 4.0])
def test_it_is_what_its_formula_says(seed, sigma):
    evidence, coarse = noise(seed), noise(seed + 100)
    np.testing.assert_allclose(
        borne_out(evidence, coarse, sigma), by_loops(evidence.numpy(), coarse.numpy(), sigma), atol=1e-5
    )


def test_without_a_region_evidence_stays_as_it_is():
    torch.testing.assert_close(borne_out(noise(), noise(1), 0), noise(), rtol=0, atol=0)


def test_where_no_region_stands_out_evidence_stays_as_it_is():
    for level in (-3.0, 0.0, 1e6):
        torch.testing.assert_close(borne_out(noise(), torch.full((24, 40), level), 3.0), noise(), rtol=0, atol=0)
    assert not borne_out(torch.zeros(24, 40), torch.zeros(24, 40), 3.0).any()


def test_regions_are_relative():
    """Evidence all of whose regions speak against the class keeps the order of its regions."""
    expected = borne_out(noise(), noise(1), 3.0)
    torch.testing.assert_close(borne_out(noise(), noise(1) - 1000, 3.0), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(borne_out(noise(), 7 * noise(1), 3.0), expected)
    torch.testing.assert_close(borne_out(7 * noise(), noise(1), 3.0), 7 * expected)


def test_what_lies_in_a_favoured_region_is_kept_and_what_lies_elsewhere_is_not():
    evidence = torch.zeros(48, 48)
    evidence[10:14, 10:14] = 1
    evidence[16:20, 10:14] = 1
    evidence[36, 36] = 1.2
    found = borne_out(evidence, evidence, 5.0)
    assert found.argmax() in (evidence[:24] > 0).flatten().nonzero()
    assert found[36, 36] < 0.05 * found.max()
    assert (found >= 0).all()


def test_both_sides_keep_their_sign():
    evidence = torch.zeros(48, 48)
    evidence[10:14, 10:14], evidence[34:38, 34:38] = 1.0, -2.0
    found = borne_out(evidence, evidence, 4.0)
    assert found.max() == pytest.approx(1)
    assert found.min() == pytest.approx(-2)
    assert found[12, 12] > 0.9
    assert found[36, 36] < -1.8


def test_a_speck_in_the_worst_region_does_not_lend_its_height_to_another():
    evidence, coarse = torch.full((48, 48), -0.1), torch.full((48, 48), -0.1)
    evidence[36, 36], coarse[30:42, 30:42] = 1.0, -5.0
    found = borne_out(evidence, coarse, 4.0)
    assert found.max() <= 0


def test_factor_and_floor_are_finite_and_never_negative():
    for exponent in (-30, -15, 0, 15):
        factor, floor = weighing(noise().float() * 10.0**exponent, noise(1).float(), 3.0)
        for part in (factor, floor):
            assert torch.isfinite(part).all()
            assert (part >= 0).all()


def test_smoothing_keeps_sums_and_constants_up_to_the_border():
    map = noise()[None].repeat(2, 1, 1)
    found = smoothed(map, 3.0)
    torch.testing.assert_close(found.sum(dim=(1, 2)), map.sum(dim=(1, 2)))
    torch.testing.assert_close(smoothed(torch.full((5, 7), 2.5), 40.0), torch.full((5, 7), 2.5))
    torch.testing.assert_close(found[0], found[1])
    assert smoothed(map, 0) is map
    assert smoothed(map.float(), 1.0).dtype == torch.float32


def test_what_stands_out():
    np.testing.assert_allclose(standing_out(torch.tensor([[0.0, 0.0], [1.0, 3.0]])), [[0, 0], [0, 1]])
    assert not standing_out(torch.full((4, 4), 0.1)).any()
    np.testing.assert_allclose(strongest_one(torch.tensor([[-4.0, 1.0, 2.0]])), [[0, 0.5, 1]])
    assert not strongest_one(-torch.ones(3, 3)).any()
