"""The sentences about a map that is asked."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_attribution.desktop.asking import words
from napari_attribution.faithfulness.enough import Enough
from napari_attribution.faithfulness.what_if import Verdict, WhatIf


def verdict(predicted, probability, score=0.0, other="control"):
    return Verdict(predicted, {predicted: probability, other: 1 - probability}, score)


def plain(said):
    return said.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            verdict("hit", 0.99),
            verdict("control", 0.71, other="hit"),
            "hit 99 % → control 71 %: without this, the classifier changes its mind.",
        ),
        (verdict("hit", 0.99), verdict("hit", 0.6), "hit 99 % → 60 %: the classifier does not change its mind."),
        (verdict("hit", 0.991), verdict("hit", 0.989), "hit 99 %, as before: the classifier does without this."),
        (verdict("hit", 0.9999), verdict("hit", 0.9), "hit > 99 % → 90 %: the classifier does not change its mind."),
    ],
)
def test_before_and_after(before, after, said):
    assert plain(words.changed(WhatIf(before, after, 0.1, ("DNA",)))) == said


def answer(target, score_name="logit", stains=5, place=None):
    return SimpleNamespace(target=target, score_name=score_name, stains=("",) * stains, place=place)


def test_the_score_and_what_is_removed():
    found = WhatIf(verdict("hit", 0.9, 2.26), verdict("hit", 0.4, -1.081), 0.0423, ("DNA", "Mito"))
    assert plain(words.changed_score(found, answer("hit"))) == (
        "Logit of hit: 2.26 → −1.08 (−3.34). Removed: 4.2 % of the well, DNA and Mito only."
    )
    of_place = answer("hit", place=SimpleNamespace(name="cell 3"))
    assert "of cell 3," in words.changed_score(found, of_place)
    assert "all stains" in words.changed_score(found, answer("hit", "contrast with control", 2))
    assert "its probability 10 % → 60 %" in plain(words.changed_score(found, answer("control")))
    third = WhatIf(
        Verdict("a", {"a": 0.8, "b": 0.1, "c": 0.1}, 0), Verdict("b", {"a": 0.1, "b": 0.5, "c": 0.4}, 0), 0, ()
    )
    assert "its probability 10 % → 40 %" in plain(words.changed_score(third, answer("c")))


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0 %"), (0.001, "< 1 %"), (0.5, "50 %"), (0.998, "> 99 %"), (1.0, "100 %")]
)
def test_nearly_sure_is_not_sure(value, said):
    assert plain(words.probability(value)) == said


def test_a_probability_that_is_no_number_is_unknown():
    assert words.probability(float("nan")) == "unknown"


def test_the_top_of_the_map():
    found = Enough(0.2, verdict("hit", 0.98, 2.2), 2.3, -0.7)
    assert plain(words.kept(found, False, "")) == "The top 20 % of the map keeps 97 % of the score: hit 98 %."
    assert plain(words.kept(found, True, " of cell 3")).startswith(
        "The top 20 % of the map of cell 3 (stains at places)"
    )
    none = Enough(1.0, verdict("hit", 0.98, 2.2), -0.7, 2.3, 4, 9)
    assert (
        plain(words.kept(none, False, ""))
        == "All of each input's map has the score 2.20 (the fill alone: 2.30): hit 98 %."
    )


@pytest.mark.parametrize(
    ("value", "said"), [(0.973, "97 %"), (-0.004, "0 %"), (-0.16, "−16 %"), (-1.0, "−100 %"), (1.17, "117 %")]
)
def test_shares(value, said):
    assert plain(words.share(value)) == said


@pytest.mark.parametrize(
    ("value", "limit", "said"),
    [
        (0.0312, 0.0318, "+0.0312"),
        (-1.2, 340.0, "−1"),
        (1e-9, 0.5, "0"),
        (-0.26, 0.99, "−0.260"),
        (0.5, 0.0, "+0.50"),
        (float("inf"), 1.0, "+inf"),
    ],
)
def test_digits_are_those_of_the_map(value, limit, said):
    assert words.fixed(value, limit) == said


def test_small_scores_keep_two_digits():
    assert words.number(0.00123) == "0.0012"
    assert words.number(-0.0) == "0.00"
    assert words.number(np.float64(-3.456)) == "−3.46"
