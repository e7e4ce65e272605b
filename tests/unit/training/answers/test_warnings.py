"""When an answer is doubtful, and when it is not."""

import numpy as np
import pytest

from napari_attribution.training.answers.warnings import accuracy_lost, at_chance, orders_disagree, seeds_disagree
from napari_attribution.training.labelling.preview import few_wells

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
            {"dcmix": np.array([dcmix]), **{k.replace("_", " "): np.array([v]) for k, v in others.items()}}, 1, 0.5, 24
        )

    assert lost(0.9) == lost(0.9, all_stains=0.92) == ()
    (sentence,) = lost(0.8, all_stains=0.95)
    assert "15 points less accurate than all stains (about 4 of 24 held-out wells)" in sentence
    assert "mixers=2" in sentence
    assert lost(0.5, all_stains=0.6) == (), "of what is no better than chance nothing is lost"
    assert lost(0.5, all_stains=0.75)


def test_a_seed_that_failed_does_not_count_against_the_others():
    accuracy = {"dcmix": np.array([1.0, 0.7, 0.7]), "all stains": np.array([np.nan, 0.7, 0.7])}
    assert accuracy_lost(accuracy, 1, 0.5, 24) == ()
    assert accuracy_lost({**accuracy, "all stains": np.full(3, np.nan)}, 1, 0.5, 24) == ()
    assert accuracy_lost({"dcmix": np.array([np.nan, 0.5]), "all stains": np.array([0.4, 0.9])}, 1, 0.5, 10)


def test_seeds_that_disagree():
    agree = np.array([[0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1]])
    assert seeds_disagree(agree, STAINS) == ()
    (sentence,) = seeds_disagree(agree[:, [0, 1, 2, 3]] * [[1, 1, 1, 1], [0, 1, 1, 1]], STAINS)
    assert "DNA in 1, ER in 1 of 2" in sentence
    tied = np.array([[0.45, 0.44, 0.06, 0.05], [0.44, 0.45, 0.06, 0.05]])
    assert seeds_disagree(tied, STAINS) == ()
    assert "Only one seed" in seeds_disagree(agree[:1], STAINS)[0]


def test_orders_that_disagree():
    ours = np.array([0.7, 0.2, 0.08, 0.02])

    def said(**others):
        return orders_disagree(ours[None], {name.replace("_", " "): v for name, v in others.items()}, STAINS, {})

    assert said(the_Shapley_values=10 * ours) == ()
    (first,) = said(the_Shapley_values=np.array([1.0, 2.0, 0.2, 0.1]))
    assert "put DNA first, the Shapley values put ER first" in first
    (rest,) = said(the_Shapley_values=np.array([3.0, 0.1, 0.5, 1.0]))
    assert "agree on DNA, but order the other stains otherwise (rank correlation 0.00)" in rest
    assert said(a=np.full(4, np.nan), b=np.zeros(4), c=np.array([-3.0, -1.0, -2.0, -4.0])) == ()
    faint = np.array([0.1, 0.3, 0.0, 0.0])
    assert said(the_Shapley_values=10 * ours, the_permutation_values=faint) == ()
    assert len(said(the_Shapley_values=ours, the_permutation_values=30 * faint)) == 1


def test_ties_are_no_disagreement():
    shapley = {"the Shapley values": np.array([1.0, 2.0, 0.2, 0.1])}
    assert orders_disagree(np.array([[0.41, 0.4, 0.1, 0.09]]), shapley, STAINS, {}) == ()
    seeds = np.array(
        [[0.5, 0.3, 0.1, 0.1], [0.3, 0.4, 0.2, 0.1]]
    )  # DNA is 0.05 above ER, but 0.15 apart from seed to seed
    assert orders_disagree(seeds, shapley, STAINS, {}) == ()
    clear = np.array([[0.7, 0.2, 0.05, 0.05]])
    assert len(orders_disagree(clear, shapley, STAINS, {})) == 1
    for nothing in ([0.01, 0.04, 0.0, 0.0], [1.0, 1.04, 0.0, 0.0], [3.0, 0.01, 0.02, 0.03]):
        assert orders_disagree(clear, {"the Shapley values": np.array(nothing)}, STAINS, {}) == ()


def test_redundancy_is_said_only_where_either_stain_alone_does_as_well():
    measures = {"the Shapley values": np.array([8.3, 2.4]), "the permutation values": np.array([-3.4, 3.8])}

    def said(**alone):
        accuracy = {name: np.array(values) for name, values in alone.items()}
        (sentence,) = orders_disagree(np.array([[0.9, 0.1]]), measures, ("GFP", "DNA"), accuracy, 0.5)
        assert "put GFP first, the permutation values put DNA first" in sentence
        return sentence

    apart = said(GFP=[1.0, 1.0], DNA=[0.67, 0.67])
    assert "redundant" not in apart
    assert "Alone, GFP tells 100% of the held-out wells, DNA 67%" in apart
    assert "redundant stains; alone, GFP tells 100%" in said(GFP=[1.0, 0.1], DNA=[0.97, np.nan])
    for unknown in (said(), said(GFP=[1.0], DNA=[np.nan])):
        assert "redundant" not in unknown
        assert "alone, GFP" not in unknown
    by_chance = said(GFP=[0.5], DNA=[0.45])
    assert by_chance.endswith(
        "Alone, GFP tells 50% of the held-out wells, DNA 45%, no more than chance (50%): neither order is to be relied on."
    )


def test_few_wells():
    assert few_wells({"a": 5, "b": 40}) == ()
    assert "a has 4" in few_wells({"a": 4, "b": 40})[0]
