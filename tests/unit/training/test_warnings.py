"""When an answer is doubtful, and when it is not."""

import numpy as np
import pytest

from napari_attribution.training.preview import few_wells
from napari_attribution.training.warnings import accuracy_lost, at_chance, orders_disagree, seeds_disagree

STAINS = ("DNA", "ER", "RNA", "Mito")


@pytest.mark.parametrize(
    ("accuracy", "chance", "wells", "warned"),
    [(1.0, 0.5, 6, False), (5 / 6, 0.5, 6, True), (0.5, 0.5, 40, True), (0.75, 0.5, 40, False), (0.75, 0.75, 40, True)],
)
def test_chance_is_that_of_so_few_wells(accuracy, chance, wells, warned):
    assert bool(at_chance(np.array([accuracy]), chance, wells)) is warned


def test_what_one_blended_channel_loses():
    def lost(dcmix, **others):
        return accuracy_lost(
            {"dcmix": np.array([dcmix]), **{k.replace("_", " "): np.array([v]) for k, v in others.items()}}, 1, 24
        )

    assert lost(0.9) == lost(0.9, all_stains=0.92) == ()
    (sentence,) = lost(0.8, all_stains=0.95)
    assert "15 points less accurate than all stains (24 held-out wells)" in sentence
    assert "mixers=2" in sentence


def test_seeds_that_disagree():
    agree = np.array([[0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1]])
    assert seeds_disagree(agree, STAINS) == ()
    (sentence,) = seeds_disagree(agree[:, [0, 1, 2, 3]] * [[1, 1, 1, 1], [0, 1, 1, 1]], STAINS)
    assert "DNA in 1, ER in 1 of 2" in sentence
    assert "Only one seed" in seeds_disagree(agree[:1], STAINS)[0]


def test_orders_that_disagree():
    ours = np.array([0.7, 0.2, 0.08, 0.02])
    assert orders_disagree(ours, {"the Shapley values": 10 * ours}, STAINS) == ()
    (first,) = orders_disagree(ours, {"the Shapley values": np.array([1.0, 2.0, 0.2, 0.1])}, STAINS)
    assert "put DNA first, the Shapley values put ER first" in first
    (rest,) = orders_disagree(ours, {"the Shapley values": np.array([3.0, 0.1, 0.5, 1.0])}, STAINS)
    assert "agree on DNA, but order the other stains otherwise" in rest
    silent = {"a": np.full(4, np.nan), "b": np.zeros(4), "c": np.array([-3.0, -1.0, -2.0, -4.0])}
    assert orders_disagree(ours, silent, STAINS) == ()
    faint = {"the Shapley values": 10 * ours, "the permutation values": np.array([0.1, 0.3, 0.0, 0.0])}
    assert orders_disagree(ours, faint, STAINS) == ()
    assert (
        len(
            orders_disagree(
                ours, {name: values * 30 for name, values in faint.items()} | {"the Shapley values": ours}, STAINS
            )
        )
        == 1
    )


def test_few_wells():
    assert few_wells({"a": 5, "b": 40}) == ()
    assert "a has 4" in few_wells({"a": 4, "b": 40})[0]
