"""Measures of a field's pixels: each against its slow and obvious twin, and against what was planted."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_attribution.screens.quality import images
from napari_attribution.screens.quality.blocks import block_means, foreground, side_of_blocks


@pytest.fixture
def cells() -> np.ndarray:
    """(128, 160) a field of round, mottled cells on a dim ground, in detector units."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:128, :160]
    field = np.full((128, 160), 120.0)
    for top, left in rng.uniform((10, 10), (118, 150), (14, 2)):
        field += 400 * (np.hypot(y - top, x - left) < 9)
    return (
        field * (1 + 0.2 * gaussian_filter(rng.normal(size=field.shape), 1)) + rng.normal(0, 2, field.shape)
    ).astype(np.uint16)


@pytest.mark.parametrize("side", [1, 2, 3, 7])
def test_block_means_are_means_of_blocks(side):
    planes = np.random.default_rng(0).integers(0, 60000, (2, 23, 31)).astype(np.uint16)
    means = block_means(planes, side)
    assert means.shape == (2, 23 // side, 31 // side)
    for c, i, j in np.ndindex(*means.shape):
        assert means[c, i, j] == pytest.approx(
            planes[c, i * side : (i + 1) * side, j * side : (j + 1) * side].mean(), rel=1e-6
        )
    assert side_of_blocks((500, 1280)) == 10


def test_focus_is_the_laplacian_s_variance_as_part_of_the_field_s(cells):
    small = [[cells[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(80)] for i in range(64)]
    a = np.array(small)
    laplacian = [
        a[i - 1, j] + a[i + 1, j] + a[i, j - 1] + a[i, j + 1] - 4 * a[i, j] for i in range(1, 63) for j in range(1, 79)
    ]
    assert images.focus(cells) == pytest.approx(np.var(laplacian) / np.var(a[1:-1, 1:-1]), rel=1e-4)


def test_slope_is_that_of_the_rings_of_the_power_spectrum(cells):
    middle = cells[:, 16:144].astype(float)
    window = np.hanning(128)[:, None] * np.hanning(128)
    power = np.abs(np.fft.fft2((middle - middle.mean()) * window)) ** 2
    away = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128))) * 128
    half = np.zeros_like(away, bool)
    half[:, :65] = True  # the other half says the same again
    rings = range(2, 33)
    means = [power[half & (np.rint(away) == ring)].mean() for ring in rings]
    assert images.slope(cells) == pytest.approx(np.polyfit(np.log(rings), np.log(means), 1)[0], rel=1e-4)


def test_blur_lowers_focus_and_steepens_the_slope_and_brightness_does_neither(cells):
    blurred = gaussian_filter(cells.astype(float), 3)
    assert images.focus(blurred) < 0.5 * images.focus(cells)
    assert images.slope(blurred) < 1.25 * images.slope(cells)
    brighter = 3.0 * cells + 500
    assert images.focus(brighter) == pytest.approx(images.focus(cells), rel=1e-3)
    assert images.slope(brighter) == pytest.approx(images.slope(cells), rel=1e-3)


def test_saturated_is_the_share_at_the_largest_value(cells):
    assert images.saturated(cells) < 0.001
    assert images.saturated(np.minimum(cells, 450)) == pytest.approx((cells >= 450).mean())


def test_illumination_is_the_darkest_part_of_the_ground_by_the_brightest(cells):
    small = block_means(cells, 2)
    where = foreground(small[None])
    light = []
    rows, columns = (np.linspace(0, length, 9).astype(int) for length in small.shape)
    for i in range(8):
        for j in range(8):
            part = (slice(rows[i], rows[i + 1]), slice(columns[j], columns[j + 1]))
            if (~where[part]).mean() > 0.1:
                light.append(small[part][~where[part]].mean())
    assert images.illumination(small, where) == pytest.approx(min(light) / max(light), rel=1e-6)


def test_a_shadow_lowers_the_illumination(cells):
    shadow = np.ones(cells.shape)
    shadow[:, :20] = 0.5
    before, after = (block_means(field, 2) for field in (cells, cells * shadow))
    where = foreground(before[None])
    assert images.illumination(before, where) > 0.8
    assert images.illumination(after, where) == pytest.approx(0.5, abs=0.08)


def test_a_blank_stain_has_no_focus_and_no_slope():
    blank = np.full((64, 64), 7, np.uint16)
    assert math.isnan(images.focus(blank))
    assert math.isnan(images.slope(blank))
    assert images.saturated(blank) == 1
    assert not foreground(block_means(blank[None], 1)).any()
    assert images.illumination(block_means(blank, 1), np.zeros((64, 64), bool)) == 1
    assert math.isnan(images.illumination(block_means(blank, 1), np.ones((64, 64), bool)))
