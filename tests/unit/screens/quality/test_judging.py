"""Judging: what was planted in a plate is flagged, in words and with numbers, and nothing else is."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from napari_attribution.screens.quality.flags import FLAGS, about
from napari_attribution.screens.quality.judging import judge, learn
from napari_attribution.screens.quality.judging import judged as held_against
from napari_attribution.screens.quality.measures import field_columns

QUALITY = Path(__file__).parents[4] / "docs" / "quality.md"
CAM = "pixel-ablation-cam"
ROWS, COLUMNS = 8, 12


def sound(fields: int = 1, seed: int = 0) -> dict[str, np.ndarray]:
    """The columns of a plate of 96 wells with nothing wrong: hits and controls like the squares of a chessboard."""
    rng = np.random.default_rng(seed)
    row, column, field = (at.ravel() for at in np.mgrid[:ROWS, :COLUMNS, :fields])
    hit = (row + column) % 2 == 1
    n = len(row)
    normal = rng.normal
    return {
        "plate": np.full(n, "plate"),
        "well": np.array([f"{'ABCDEFGH'[r]}{c + 1:02d}" for r, c in zip(row, column, strict=True)]),
        "row": row.astype(np.int16),
        "column": column.astype(np.int16),
        "field": field.astype(np.int32),
        "condition.treatment": np.where(hit, "compound", "DMSO"),
        "predicted": np.where(hit, "hit", "control"),
        "logit.control": np.where(hit, -2, 2) + normal(0, 0.4, n),
        "logit.hit": np.where(hit, 2, -2) + normal(0, 0.4, n),
        "margin": 4 + normal(0, 0.5, n),
        f"importance.{CAM}.DNA": np.where(hit, 0.1, 0.5) + normal(0, 0.03, n),
        f"importance.{CAM}.Mito": np.where(hit, 0.9, 0.5) + normal(0, 0.03, n),
        f"map.{CAM}.inside": 0.8 + normal(0, 0.03, n),
        f"map.{CAM}.edge": 0.17 + normal(0, 0.03, n),
        f"map.{CAM}.saturated": np.zeros(n),
        f"map.{CAM}.empty": np.zeros(n),
        "map.pcim.edge": 0.4 + normal(0, 0.1, n),
        "map.pcim.agreement": 0.7 + normal(0, 0.05, n),
        "quality.cells": 0.5 + normal(0, 0.02, n),
        **{f"quality.focus.{stain}": 0.8 + normal(0, 0.04, n) for stain in ("DNA", "Mito")},
        **{f"quality.slope.{stain}": -2.5 + normal(0, 0.05, n) for stain in ("DNA", "Mito")},
        **{f"quality.saturated.{stain}": np.full(n, 1e-5) for stain in ("DNA", "Mito")},
        **{f"quality.illumination.{stain}": 0.9 + normal(0, 0.01, n) for stain in ("DNA", "Mito")},
        "seconds": np.ones(n),
        "error": np.full(n, ""),
    }


def judged(columns: dict[str, np.ndarray]):
    return judge(pa.table(columns)).to_pandas()


def test_a_sound_plate_has_next_to_no_flags():
    flagged = sum((judged(sound(seed=seed))["flags"] != "").sum() for seed in range(10))
    assert flagged <= 0.01 * 10 * ROWS * COLUMNS


def test_rows_and_columns_stay_as_they_are_and_the_new_ones_stand_before_the_seconds():
    columns = sound()
    found = judge(pa.table(columns))
    old = list(columns)
    new = [f"distance.{CAM}", "row_effect", "column_effect", "edge_effect", "flags", "why"]
    assert found.column_names == [*old[:-2], *new, "seconds", "error"]
    for name, values in columns.items():
        np.testing.assert_array_equal(found[name].to_numpy(zero_copy_only=False), values)


PLANTED = [
    ("map at the edge", f"map.{CAM}.edge", 0.61, "61 % of the map (Pixel Ablation-CAM) lies in the outermost 5 % of the field"),
    ("map beside the cells", f"map.{CAM}.inside", 0.2, "Only 20 % of the map (Pixel Ablation-CAM) lies in cells"),
    ("map on saturated pixels", f"map.{CAM}.saturated", 0.4, "40 % of the map"),
    ("map on empty pixels", f"map.{CAM}.empty", 0.2, "20 % of the map"),
    ("methods disagree", "map.pcim.agreement", -0.25, "The map of PCIM has little in common .*−0.25; the plate's median: 0.7"),
    ("close call", "margin", 0.3, "logits 0.30 apart"),
    ("out of focus", "quality.focus.DNA", 0.1, "DNA is out of focus: .* of DNA is 0.1 "),
    ("out of focus", "quality.slope.Mito", -3.5, "Mito is out of focus: .* slope −3.50"),
    ("saturated", "quality.saturated.Mito", 0.05, "Mito is saturated: 5.0 % of the pixels"),
    ("uneven light", "quality.illumination.DNA", 0.5, "DNA is unevenly lit: .* DNA has 50 % of the light"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "column", "value", "sentence"), PLANTED, ids=[f"{p[0]}, {p[1]}" for p in PLANTED])
def test_what_is_planted_in_one_field_is_flagged_there(name, column, value, sentence):
    columns = sound()
    columns[column][17] = value
    found = judged(columns)
    assert found["flags"][17] == name
    assert found["why"].str.match(f".*{sentence.replace('(', '[(]').replace(')', '[)]')}")[17]
    assert (found["flags"].drop(17) == judged(sound())["flags"].drop(17)).all()


def test_limits_of_the_map_hold_where_every_hit_is_wrong():
    columns = sound()
    hit = columns["predicted"] == "hit"
    columns[f"map.{CAM}.edge"][hit] = 0.6
    assert (judged(columns)["flags"][hit] == "map at the edge").all()


def test_the_edge_has_a_limit_for_each_method():
    columns = sound()
    columns["map.pcim.edge"][5] = 0.6  # enough for Pixel Ablation-CAM; PCIM's one region may be there by chance
    assert judged(columns)["flags"][5] == ""
    columns["map.pcim.edge"][5] = 0.95
    assert judged(columns)["flags"][5] == "map at the edge"


def test_several_stains_share_a_sentence_that_gives_the_worst():
    columns = sound()
    columns["quality.focus.DNA"][3], columns["quality.focus.Mito"][3] = 0.2, 0.1
    found = judged(columns)
    assert found["flags"][3] == "out of focus"
    assert found["why"][3].startswith("DNA and Mito are out of focus: the variance of the Laplacian of Mito is 0.1 (")


def test_the_distance_is_that_from_the_others_of_the_class():
    columns = sound()
    columns[f"importance.{CAM}.DNA"][1], columns[f"importance.{CAM}.Mito"][1] = (
        0.5,
        0.5,
    )  # a hit that is explained like a control
    found = judged(columns)
    of = columns["predicted"] == "hit"
    z = []
    for stain in ("DNA", "Mito"):
        values = columns[f"importance.{CAM}.{stain}"]
        middle = np.median(values[of])
        z.append((values - middle) / max(1.4826 * np.median(np.abs(values[of] - middle)), 0.01))
    expected = np.sqrt(np.mean(np.square(z), axis=0))
    np.testing.assert_allclose(found[f"distance.{CAM}"][of], expected[of])
    assert found["flags"][1] == "unusual stains"
    assert (found["flags"] == "unusual stains").sum() == 1


def test_of_a_class_of_few_fields_nothing_is_usual():
    columns = sound()
    columns["predicted"] = np.where(np.arange(96) < 5, "rare", columns["predicted"])
    assert judged(columns)[f"distance.{CAM}"].isna().sum() == 5


@pytest.mark.parametrize(("axis", "line"), [("row", 2), ("column", 7)])
def test_a_row_or_column_that_is_called_otherwise_is_flagged(axis, line):
    columns = sound(fields=2)
    there = columns[axis] == line
    columns["logit.hit"][there] += 2.5
    found = judged(columns)
    assert found["flags"][there].str.contains(f"{axis} effect").all()
    assert not found["flags"][~there].str.contains("effect").any()
    residual = columns["logit.hit"].reshape(-1, 2).mean(axis=1)
    hit = (columns["predicted"] == "hit")[::2]
    residual -= np.where(hit, np.median(residual[hit]), np.median(residual[~hit]))
    scale = 1.4826 * np.median(np.abs(residual - np.median(residual)))
    expected = (np.median(residual[there[::2]]) - np.median(residual)) / scale
    np.testing.assert_allclose(found[f"{axis}_effect"][there], expected)


def test_wells_at_the_rim_that_are_called_otherwise_are_flagged():
    columns = sound()
    row, column = columns["row"], columns["column"]
    rim = (row == 0) | (row == 7) | (column == 0) | (column == 11)
    columns["logit.control"][rim] -= 3
    found = judged(columns)
    assert found["flags"][rim].str.contains("edge effect").all()
    assert not found["flags"][~rim].str.contains("edge effect").any()
    assert found["edge_effect"][~rim].isna().all()


def test_a_treatment_laid_out_in_columns_is_no_effect_of_the_column():
    columns = sound()
    hit = columns["column"] == 11
    columns["predicted"] = np.where(hit, "hit", "control")
    columns["condition.treatment"] = np.where(hit, "compound", "DMSO")
    rng = np.random.default_rng(5)
    for name, sign in (("logit.hit", 1), ("logit.control", -1)):
        columns[name] = sign * np.where(hit, 3, -3) + rng.normal(0, 0.4, 96)
    assert not judged(columns)["flags"].str.contains("column effect").any()
    del columns["condition.treatment"]
    assert judged(columns)["flags"][hit].str.contains("column effect").all()


def test_fields_that_failed_have_no_flags_and_change_none():
    columns = sound()
    expected = judged(columns)
    failed = np.arange(96) == 40
    for name, values in columns.items():
        if values.dtype == float and name != "seconds":
            columns[name] = np.where(failed, np.nan, values)
    columns["predicted"] = np.where(failed, None, columns["predicted"])
    columns["condition.treatment"] = np.where(failed, None, columns["condition.treatment"])
    found = judged(columns)
    assert found["flags"][40] == found["why"][40] == ""
    assert (found["flags"].drop(40) == expected["flags"].drop(40)).all()


@pytest.mark.parametrize("rows", [0, 1])
def test_a_plate_of_no_field_or_one_can_be_judged(rows):
    found = judge(pa.table(sound()).slice(0, rows))
    assert found.num_rows == rows
    assert "why" in found.column_names


def test_columns_that_are_not_there_are_not_looked_at():
    found = judge(pa.table({"well": ["A01"], "margin": [0.1], "seconds": [1.0]}))
    assert found.column_names == ["well", "margin", "flags", "why", "seconds"]
    assert found["flags"].to_pylist() == ["close call"]


@pytest.mark.parametrize("size", [1, 37, 500])
def test_some_fields_at_a_time_are_judged_as_all_at_once(size):
    columns = sound(fields=2)
    rng = np.random.default_rng(3)
    for values in columns.values():
        if values.dtype == float:
            values[rng.random(len(values)) < 0.05] *= 3
            values[rng.random(len(values)) < 0.05] = np.nan
    columns["predicted"] = np.where(np.arange(192) % 48 == 0, None, columns["predicted"])
    table = pa.table(columns)
    plate = learn(table)
    pieces = [held_against(table.slice(at, size), plate) for at in range(0, 192, size)]
    found, whole = pa.concat_tables(pieces), judge(table)
    assert found.schema == whole.schema
    pd.testing.assert_frame_equal(found.to_pandas(), whole.to_pandas(), check_exact=True)
    assert (whole.to_pandas()["flags"] != "").sum() >= 20


def test_a_hundred_thousand_fields_take_seconds():
    one = pa.table(sound())
    many = pa.concat_tables([one] * 1042)
    started = time.perf_counter()
    judge(many)
    assert time.perf_counter() - started < 20, "seconds, with room for a busy machine"


def test_every_flag_says_what_it_is_about():
    assert {about(flag.name) for flag in FLAGS} == {"explanation", "image", "call", "plate"}
    for flag in FLAGS:
        assert flag.sentence.endswith(".")
        assert "; " not in flag.name


@pytest.mark.skipif(not QUALITY.is_file(), reason="the docs are not here")
def test_the_docs_define_every_flag_and_every_measure():
    text = QUALITY.read_text("utf-8")
    for flag in FLAGS:
        assert flag.name in text
    for column in field_columns(["STAIN"], ["METHOD", "METHOD"]):
        assert f"`{column}`" in text
