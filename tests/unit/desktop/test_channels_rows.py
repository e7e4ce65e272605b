import math
from dataclasses import replace

import numpy as np
import pytest

from napari_attribution.desktop.channels import rows
from napari_attribution.desktop.explain import words
from napari_attribution.methods.channels.brightness import Null
from napari_attribution.methods.channels.importance import ChannelImportance
from napari_attribution.wells.place import Place


def estimate(values=(0.5, -1.0, 6.0), error=(0.0, 0.0, 0.0), clouds=None, flat=None, **fields):
    """An estimate of one well; `clouds` are (seeds, C)."""
    null = None
    if clouds is not None:
        null = Null(np.asarray(clouds, float)[None], np.asarray(flat, float)[None])
    defaults = {
        "stains": ("DNA", "ER", "Mito"),
        "per_well": np.asarray(values, float)[None],
        "error": np.asarray(error, float)[None],
        "null": null,
        "estimator": "shapley",
        "meaning": "Shapley value of the stain",
        "unit": "logit",
        "wells": ("B03",),
        "targets": ("hit",),
        "score_names": ("logit",),
        "fill": "mean",
        "seeds": 3,
        "forwards": 1.0,
        "seconds": 1.0,
    }
    return ChannelImportance(**(defaults | fields))


def test_rows_are_sorted_and_what_is_no_number_comes_last(answers):
    found = rows.rows_of_answer(answers(importance=(-0.2, math.nan, 0.8)), {"Mito": (2.14, "logit")})
    assert [row.stain for row in found] == ["Mito", "DNA", "ER"]
    assert [row.figure for row in found] == ["80 % ± 3", "−20 % ± 3", "no number"]
    assert found[0].told == "Mito: 80 % ± 3, +2.14 logit."


def test_a_spread_that_is_no_number_is_none(answers):
    (first, *_) = rows.rows_of_answer(answers(channel_spread={"Mito": math.nan}), {})
    assert (first.stain, first.spread, first.figure) == ("Mito", None, "70 %")


def test_an_estimate_has_shares_of_all_values_and_its_spread_too():
    found = {row.stain: row for row in rows.rows_of_estimate(estimate(error=(0.0, 0.15, 0.75)))}
    total = 0.5 + 1.0 + 6.0
    for stain, value, error in (("DNA", 0.5, None), ("ER", -1.0, 0.15), ("Mito", 6.0, 0.75)):
        assert found[stain].share == pytest.approx(value / total)
        assert found[stain].spread == (error if error is None else pytest.approx(error / total))
        assert found[stain].value == (pytest.approx(value), "logit")
        assert found[stain].brightness is None


def test_the_line_of_brightness_is_the_larger_null_in_the_direction_of_the_value():
    clouds = [[0.4, -0.8, 1.0], [0.6, -0.8, 1.0], [0.5, -0.8, 1.0]]
    found = estimate(clouds=clouds, flat=(0.1, -1.5, 2.0))
    lines = {row.stain: row.brightness for row in rows.rows_of_estimate(found)}
    assert lines == {"DNA": pytest.approx(0.5 / 7.5), "ER": pytest.approx(-1.5 / 7.5), "Mito": pytest.approx(2.0 / 7.5)}
    # The line and the verdict say the same: only Mito is beyond its line.
    assert rows.conclusions(found) == (
        "Beyond what brightness alone explains: Mito.",
        "No more than brightness alone explains: DNA, ER.",
    )


def test_stains_that_count_for_nothing_are_named_and_so_are_those_that_nothing_is_concluded_of():
    clouds = [[0.0, -3.0, 0.0], [0.0, -3.0, 0.0], [0.0, -3.0, 0.0]]
    said = rows.conclusions(estimate((0.0, -1.0, 6.0), clouds=clouds, flat=(0.0, 0.0, 0.0)))
    assert said == (
        "Beyond what brightness alone explains: Mito.",
        "Not to be told from brightness: ER.",
        "Counting for nothing: DNA.",
    )


def test_minus_signs_are_some_and_names_keep_their_hyphens():
    found = estimate(stains=("Alexa-488", "ER", "Mito"), clouds=np.full((3, 3), -0.25), flat=(0.0, 0.0, 0.0))
    sentence = next(row.sentence for row in rows.rows_of_estimate(found) if row.stain == "Alexa-488")
    assert "rearranged −0.25" in sentence
    assert "Alexa-488" in sentence


def test_of_shuffled_pixels_it_is_said_what_changes(answers):
    found = estimate((-0.5, 1.0, -6.0), estimator="permutation", meaning=rows.SHUFFLED)
    answer = rows.with_estimate(answers(), found)
    assert rows.headline(answer, rows.rows_of_estimate(found)) == "Shuffling Mito changes the score most (−80 %)."
    assert rows.headline(answers(), ()) == words.headline(answers())

    from napari_attribution.methods.channels.values import ESTIMATORS

    assert ESTIMATORS["permutation"].meaning == rows.SHUFFLED


def test_no_stain_counts_for_anything():
    found = rows.rows_of_estimate(estimate((0.0, 0.0, 0.0), clouds=np.zeros((3, 3)), flat=np.zeros(3)))
    assert [row.share for row in found] == [0, 0, 0]
    assert {row.brightness for row in found} == {None}


def test_an_answer_takes_over_an_estimate_and_is_otherwise_the_same(answers):
    answer = answers()
    other = rows.with_estimate(answer, estimate())
    assert words.headline(other) == "Mito decides (80 %)."
    assert other.channel_spread == {}
    assert other.record["stains' importance"] == {"estimator": "shapley", "fill": "mean", "seeds": 3}
    assert other.values is answer.values
    assert answer.channel_importance["Mito"] == 0.7


def test_the_table_can_be_pasted(answers):
    answer = answers(
        importance=(math.nan, -0.25, 0.75),
        score_name="contrast with control",
        record={"well": {"position": "B03", "field": 2, "source": ["x.ome.tiff"]}},
    )
    answer = replace(answer, importance_meaning="a\tb\nc")
    lines = rows.table(rows.rows_of_answer(answer, {}), answer, "the whole well").splitlines()
    cells = [line.split("\t") for line in lines]
    assert {len(line) for line in cells} == {len(rows.COLUMNS)}
    first = dict(zip(*cells[:2], strict=True))
    assert (first["stain"], float(first["share"]), float(first["spread"])) == ("Mito", 0.75, 0.03)
    assert (first["class"], first["score"], first["well"]) == ("hit", "contrast with control", "B03 field 2")
    assert (first["meaning"], first["about"]) == ("a b c", "the whole well")
    assert dict(zip(cells[0], cells[3], strict=True))["share"] == ""


@pytest.mark.parametrize(
    ("well", "name"),
    [
        ({"position": "B03", "field": None, "source": []}, "B03"),
        ({"position": None, "source": ["C:\\data\\B03_mito.OME.TIF"]}, "B03_mito"),
        ({}, "the well"),
    ],
)
def test_wells_are_called_by_their_position_or_file(well, name):
    assert rows.well_name({"well": well}) == name


def test_the_caption_says_what_was_asked_and_of_what(answers):
    record = {"well": {"position": "B03"}}
    assert rows.caption(answers(record=record), False) == "Why hit, in B03."
    place = Place(np.ones((4, 4), dtype=bool), "cell 12")
    answer = answers(record=record, place=place, score_name="contrast with control")
    assert rows.caption(answer, False) == "Why hit rather than control, in cell 12 of B03."
    assert rows.caption(answer, True) == "Why hit rather than control, in the whole of B03."


def test_contrasts_read_right(answers):
    answer = answers(
        importance=(0.3, -0.2, 0.5),
        score_name="contrast with non-treated",
        score=-2.5,
        probabilities={"hit": 0.6, "non-treated": 0.4},
    )
    assert words.why(answer) == "why hit rather than non-treated"
    text = words.details(answer)
    assert "You compared with non-treated (probability 0.40)." in text
    assert "For non-treated: ER (−20 %)." in text
    assert words.legend(answer) == "PCIM: purple speaks for hit, green for non-treated; unit: logit per location"
    assert words.footnote(answer).startswith("contrast with non-treated −2.50 ")
    nobody = answers(importance=(-0.5, -0.4, -0.1), score_name="contrast with control", probabilities={"hit": 1.0})
    assert words.headline(nobody) == "No stain speaks for hit rather than control."


@pytest.mark.parametrize(
    ("probability", "title"),
    [
        (0.987, "hit  99 %"),
        (0.999, "hit  > 99 %"),
        (1.0, "hit  100 %"),
        (0.001, "hit  < 1 %"),
        (0.0, "hit  0 %"),
        (None, "hit"),
        (math.nan, "hit"),
    ],
)
def test_classes_are_listed_with_their_probability(probability, title):
    assert words.with_probability("hit", probability) == title
