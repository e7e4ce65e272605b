"""The random map and the centred blob."""

import networks
import numpy as np
import pytest

from napari_attribution import explain


def test_the_random_map_is_the_same_for_the_same_input_and_another_for_another(well, classifier):
    c = classifier(networks.make("gap"))
    one = explain(c, well(), "random", target="hit").native
    assert one.shape == (8, 8)
    np.testing.assert_array_equal(explain(c, well(), "random", target="dead").native, one)
    assert not np.array_equal(explain(c, well(), "random", seed=1).native, one)
    assert not np.array_equal(explain(c, well(seed=1), "random").native, one)


def test_the_random_map_is_normal_and_as_coarse_as_asked_for(well, classifier):
    c = classifier(networks.make("gap"), size=(64, 32))
    assert explain(c, well((64, 32)), "random").native.shape == (8, 4)
    fine = explain(c, well((64, 32)), "random", grid=4096).native
    assert fine.shape == (64, 32)
    assert fine.mean() == pytest.approx(0, abs=0.1)
    assert fine.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("size", [(32, 32), (33, 21)])
def test_the_blob_stands_in_the_middle_whatever_is_asked(size, well, classifier):
    c = classifier(networks.make("gap"), size=size)
    found = explain(c, well(size), "centred-blob", target="hit", width=0.2).native
    for i in (0, 7, size[0] - 1):
        for j in (0, 11, size[1] - 1):
            u, v = ((at - (length - 1) / 2) / length for at, length in zip((i, j), size, strict=True))
            assert found[i, j] == pytest.approx(np.exp(-(u**2 + v**2) / (2 * 0.2**2)), rel=1e-4)
    np.testing.assert_allclose(found, found[::-1, ::-1], rtol=1e-4)
    np.testing.assert_array_equal(explain(c, well(size, seed=5), "centred-blob", width=0.2).native, found)
