"""Where a map lies: shares that can be counted by hand."""

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from napari_attribution.screens.quality import maps
from napari_attribution.screens.quality.blocks import block_means

RNG = np.random.default_rng(0)


def test_a_flat_map_has_in_the_frame_what_the_frame_covers():
    assert maps.at_edge(np.ones((100, 200))) == pytest.approx(1 - 0.9 * 0.9)
    assert maps.at_edge(np.ones((512, 512), np.float32)) == pytest.approx(0.19, abs=0.005)


def test_the_share_at_the_edge_is_that_of_a_mask():
    positive = np.maximum(RNG.normal(size=(60, 80)), 0)
    inner = np.zeros((60, 80), bool)
    inner[3:57, 4:76] = True
    assert maps.at_edge(positive) == pytest.approx(positive[~inner].sum() / positive.sum())
    assert maps.share_in(positive, ~inner) == pytest.approx(maps.at_edge(positive))


def test_a_map_without_positive_values_has_no_shares():
    assert math.isnan(maps.at_edge(np.zeros((20, 20))))
    assert math.isnan(maps.share_in(np.zeros((20, 20)), np.ones((20, 20), bool)))


def test_saturated_pixels_are_found_where_many_share_the_largest_value():
    pixels = RNG.integers(100, 4000, (2, 50, 50)).astype(np.uint16)
    assert maps.saturated_places(pixels) is None
    pixels[1, 10:20, 10:20] = 4095
    np.testing.assert_array_equal(maps.saturated_places(pixels), pixels[1] == 4095)


def test_empty_pixels_are_those_where_no_stain_shows_anything():
    pixels = RNG.integers(100, 4000, (3, 50, 50)).astype(np.uint16)
    assert maps.empty_places(pixels) is None
    pixels[:, :, 40:] = 0
    pixels[0, :, :5] = 0  # of one stain alone
    found = maps.empty_places(pixels)
    assert found is not None
    assert found[:, 40:].all()
    assert not found[:, :40].any()


def test_agreement_is_spearman_s_correlation_of_coarse_maps():
    one = RNG.normal(size=(64, 96))
    other = one + RNG.normal(size=(64, 96))
    expected = spearmanr(block_means(one, 3).ravel(), block_means(other, 3).ravel()).statistic
    assert maps.agreement(one, other) == pytest.approx(expected)
    assert maps.agreement(one, -one) == pytest.approx(-1)
    assert math.isnan(maps.agreement(one, np.zeros_like(one)))
