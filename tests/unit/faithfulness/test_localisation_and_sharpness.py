import math

import numpy as np
import pytest
from planted import disc

from napari_attribution.errors import RequestError
from napari_attribution.faithfulness import localisation
from napari_attribution.faithfulness.sharpness import sparseness, width

MAP = np.array([[4.0, 3.0, 0.0], [2.0, -5.0, 1.0]])
MASK = np.array([[1, 0, 0], [1, 0, 1]])
MEASURES = (
    localisation.mass,
    localisation.rank,
    localisation.precision,
    localisation.iou,
    localisation.pointing,
    localisation.inside_cells,
)


def test_by_hand():
    assert localisation.mass(MAP, MASK) == pytest.approx(7 / 10)
    assert localisation.inside_cells(MAP, 17 * MASK) == pytest.approx(7 / 10)
    assert localisation.rank(MAP, MASK) == pytest.approx(2 / 3)  # of 4, 3, 2 the mask holds 4 and 2
    assert localisation.precision(MAP, MASK, 0.5) == pytest.approx(2 / 3)
    assert localisation.precision(MAP, MASK, 0.03) == 1  # one unit at least
    assert localisation.iou(MAP, MASK) == pytest.approx(2 / 4)
    assert localisation.pointing(MAP, MASK) == 1
    assert localisation.pointing(MAP, 1 - MASK) == 0
    assert localisation.pointing([[1.0, 1.0, 0.0]], [[1, 0, 0]]) == 0.5


def test_stains_at_places():
    values = np.stack([np.zeros_like(MAP), MAP])
    meant = np.stack([np.zeros_like(MASK), MASK])
    for ask in MEASURES:
        assert ask(values, meant) == ask(MAP, MASK)
        assert ask(values, np.roll(meant, 1, axis=0)) == 0  # the other stain
        assert ask(MAP, meant) == ask(MAP, MASK)
    assert localisation.mass(values, MASK) == pytest.approx(7 / 10)
    assert localisation.rank(values, MASK) == pytest.approx(3 / 6)  # the mask holds for both stains


@pytest.mark.parametrize("ask", MEASURES)
@pytest.mark.parametrize("values", [np.zeros((2, 3)), np.full((2, 3), -1.0), np.zeros((4, 2, 3))])
def test_a_map_that_speaks_for_nothing_finds_nothing(ask, values):
    assert ask(values, MASK) == 0


@pytest.mark.parametrize("ask", MEASURES)
def test_masks_that_cannot_be(ask):
    with pytest.raises(RequestError, match="empty"):
        ask(MAP, np.zeros_like(MASK))
    with pytest.raises(RequestError, match=r"\(3, 3\) is not that of the map, \(2, 3\)"):
        ask(MAP, np.ones((3, 3)))
    with pytest.raises(RequestError, match="not numbers"):
        ask(MAP * np.nan, MASK)


def test_a_right_map_finds_more_than_a_wrong_one():
    truth = disc(40, 33, 12, 20, 5)
    blurred = np.exp(-(((np.mgrid[:40, :33] - np.array([12, 20])[:, None, None]) / 4) ** 2).sum(axis=0))
    for ask in MEASURES:
        assert ask(blurred, truth) > 0.7
        assert ask(blurred[::-1, ::-1], truth) < 0.1


@pytest.mark.parametrize("radius", [0, 3, 7.5])
def test_the_width_of_a_disc_is_its_diameter(radius):
    values = disc(40, 33, 15, 16, radius) * 2.0
    values[38, 2] = 1.9  # as high, but not connected
    area = disc(40, 33, 15, 16, radius).sum()
    assert width(values) == pytest.approx(math.sqrt(4 * area / math.pi))
    assert width(np.stack([0.5 * np.ones_like(values), values])) == width(values)


def test_the_width_of_a_gaussian_at_half_its_height():
    rows, columns = np.mgrid[:101, :101] - 50
    values = np.exp(-(rows**2 + columns**2) / (2 * 10.0**2)) - 0.0
    assert width(values) == pytest.approx(2 * 10 * math.sqrt(2 * math.log(2)), rel=0.01)
    assert width(values - 5 * (rows > 30)) == width(values)


@pytest.mark.parametrize("values", [np.zeros((4, 4)), -np.ones((4, 4))])
def test_no_peak_no_width(values):
    assert math.isnan(width(values))


def test_sparseness_by_hand():
    assert sparseness(np.zeros((3, 3))) == 0
    assert sparseness(np.full((3, 3), -2.0)) == pytest.approx(0)
    one = np.zeros((10, 10))
    one[3, 3] = -4
    assert sparseness(one) == pytest.approx(0.99)  # 1 - 1 / N
    assert sparseness([[1.0, 3.0]]) == pytest.approx(0.25)


def test_sparseness_is_half_the_relative_mean_difference():
    values = np.random.default_rng(0).normal(size=(2, 5, 4))
    c = np.abs(values).ravel()
    pairs = sum(abs(a - b) for a in c for b in c)
    assert sparseness(values) == pytest.approx(pairs / (2 * len(c) ** 2 * c.mean()))
