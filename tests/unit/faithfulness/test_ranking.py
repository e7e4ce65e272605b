import numpy as np
import pytest

from napari_attribution.errors import RequestError
from napari_attribution.faithfulness.ranking import ranks, top


def slowly(values: np.ndarray) -> np.ndarray:
    """The rank of a unit is the number of units that are greater, or as great and earlier."""
    flat = list(values.ravel())
    return np.array([sum(b > a or (b == a and j < i) for j, b in enumerate(flat)) for i, a in enumerate(flat)]).reshape(
        values.shape
    )


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (3, 4, 5), (20, 3, 1), (1, 6, 6)])
@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_ranks_equal_counting(shape, levels):
    values = np.random.default_rng(0).integers(0, levels, shape) - levels / 2
    np.testing.assert_array_equal(ranks(values), slowly(values))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (3, 33, 31)])
def test_the_top_is_counted_exactly(shape, share):
    values = np.random.default_rng(1).normal(size=shape)
    chosen = top(values, share)
    assert chosen.shape == shape
    assert chosen.sum() == round(share * values.size)
    if chosen.any() and not chosen.all():
        assert values[chosen].min() >= values[~chosen].max()


def test_ties_fall_to_the_earlier_place_and_stain():
    np.testing.assert_array_equal(top(np.zeros((2, 5)), 0.3), [[1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(top([[[1, 0]], [[1, 1]]], 0.5), [[[1, 0]], [[1, 0]]])


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_has_no_rank(odd):
    values = np.zeros((4, 4))
    values[1, 2] = odd
    with pytest.raises(RequestError, match="1 of the map's 16 values"):
        ranks(values)


@pytest.mark.parametrize("shape", [(), (4,), (0, 3), (1, 1, 2, 2)])
def test_what_is_no_map_is_refused(shape):
    with pytest.raises(RequestError, match="at least one place"):
        ranks(np.zeros(shape))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), 20])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(RequestError, match="between 0 and 1"):
        top(np.zeros((2, 2)), share)
