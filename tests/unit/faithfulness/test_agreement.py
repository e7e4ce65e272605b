"""Do two maps agree: planted truths, and a slow twin that counts by hand."""

import numpy as np
import pytest

from napari_attribution.errors import RequestError
from napari_attribution.faithfulness.agreement import agreement


def slow_ranks(values):
    """For every place: how many are below it, and half of the others that are as high."""
    flat = np.ravel(values).tolist()
    return [sum(other < one for other in flat) + (sum(other == one for other in flat) - 1) / 2 for one in flat]


def slow_correlation(a, b):
    a, b = slow_ranks(a), slow_ranks(b)
    mean = (len(a) - 1) / 2
    product = sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True))
    return product / (sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b)) ** 0.5


def slow_top(values):
    flat = np.ravel(values).tolist()
    order = sorted(range(len(flat)), key=lambda place: (-flat[place], place))
    return {place for place in order[: round(0.2 * len(flat))] if flat[place] > 0}


def slow_overlap(a, b):
    a, b = slow_top(a), slow_top(b)
    return 2 * len(a & b) / (len(a) + len(b))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("levels", [0, 4, 25])
def test_the_slow_twin_agrees(seed, levels):
    rng = np.random.default_rng(seed)
    shape = (9, 11) if seed % 2 else (3, 5, 6)
    a, b = rng.standard_normal((2, *shape))
    b = b + (seed - 2) * a
    if levels:
        # Few values, so many ties.
        a, b = (np.round(levels / 4 * values) for values in (a, b))
    found = agreement(a, b)
    assert found.correlation == pytest.approx(slow_correlation(a, b), abs=1e-12)
    assert found.overlap == pytest.approx(slow_overlap(a, b), abs=1e-12)
    assert not found.why


def test_the_same_map_in_another_unit_agrees_wholly():
    a = np.random.default_rng(0).standard_normal((20, 30))
    found = agreement(a, 1000 * a)
    assert (found.correlation, found.overlap, found.by_chance) == (pytest.approx(1), 1.0, pytest.approx(0.2))


def test_the_reverse_disagrees_wholly():
    a = np.random.default_rng(0).standard_normal((20, 30))
    found = agreement(a, -a)
    assert (found.correlation, found.overlap) == (pytest.approx(-1), 0.0)


def test_maps_that_know_nothing_of_each_other_agree_by_chance():
    a, b = np.random.default_rng(3).standard_normal((2, 200, 200))
    found = agreement(a, b)
    assert abs(found.correlation) < 0.02
    assert found.overlap == pytest.approx(found.by_chance, abs=0.02)


def test_zeros_that_two_sparse_maps_share_are_no_agreement():
    a, b = np.zeros((2, 40, 40))
    a[2:6, 2:6], b[30:34, 30:34] = 1, 1
    found = agreement(a, b)
    assert found.overlap == 0
    assert agreement(a, a).overlap == 1
    assert found.by_chance == pytest.approx(16 / 1600)


def test_a_planted_share_of_the_top():
    a, b = np.zeros((2, 10, 10))
    a[:2], b[1:3] = 5, 5
    assert agreement(a, b).overlap == pytest.approx(0.5)


def test_a_map_that_is_the_same_everywhere_has_no_order():
    a = np.random.default_rng(0).standard_normal((5, 5))
    found = agreement(a, np.full((5, 5), 3.0), ("PCIM", "Occlusion"))
    assert found.correlation is None
    assert found.why == ("The map of Occlusion is the same everywhere: it has no order to compare.",)
    found = agreement(np.zeros((5, 5)), np.zeros((5, 5)))
    assert (found.correlation, found.overlap, found.by_chance) == (None, None, None)
    assert len(found.why) == 2


def test_a_map_that_nowhere_speaks_for_the_class_has_no_top():
    a = np.random.default_rng(0).standard_normal((5, 5))
    found = agreement(-np.abs(a) - 1, a, ("PCIM", "Occlusion"))
    assert found.overlap is None
    assert found.correlation is not None
    assert found.why == ("The map of PCIM nowhere speaks for the class: it has no top to compare.",)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_refused(bad):
    a = np.ones((4, 4))
    a[1, 1] = bad
    with pytest.raises(RequestError, match="not numbers"):
        agreement(np.arange(16.0).reshape(4, 4), a)


def test_maps_of_different_wells_are_refused():
    with pytest.raises(RequestError, match="4 x 4 and 4 x 5"):
        agreement(np.ones((4, 4)), np.ones((4, 5)))
