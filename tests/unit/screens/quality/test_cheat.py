"""The sample plate: both classifiers are right on it; the flags know which of them decides by the shadow."""

import csv
from pathlib import Path

import pytest

from napari_attribution import read_plate
from napari_attribution.screens.quality.flags import about
from napari_attribution.screens.run.screen import run_screen

SAMPLE_DATA = Path(__file__).parents[4] / "sample_data"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    plate = read_plate(SAMPLE_DATA / "plate.zarr", conditions=SAMPLE_DATA / "plate.conditions.csv")
    options = {"parameters": {"pixel-ablation-cam": {"channels": "none"}}, "faithfulness": False, "maps": False}
    return {
        name: run_screen(
            plate, SAMPLE_DATA / f"{name}.pt", tmp_path_factory.mktemp(name) / "results", time_limit=None, **options
        ).table
        for name in ("phenotypes", "confounded")
    }


def flagged(table, kind: str):
    """Which fields have a flag of that kind."""
    return table["flags"].map(lambda flags: any(about(name) == kind for name in flags.split("; ") if name))


@pytest.mark.parametrize("name", ["phenotypes", "confounded"])
def test_accuracy_does_not_tell_them_apart(tables, name):
    table = tables[name]
    with (SAMPLE_DATA / "plate.conditions.csv").open() as file:
        treated = {row["well"]: row["treatment"] != "DMSO" for row in csv.DictReader(file)}
    assert set(table["well"]) == set(treated)
    right = (table["predicted"] == "mito fragmented") == table["well"].map(treated)
    assert right.mean() > 0.95


def test_flags_about_the_explanation_do(tables):
    cheat, sound = (tables[name][tables[name]["predicted"] != "control"] for name in ("confounded", "phenotypes"))
    assert len(cheat) >= len(sound) == 16
    assert flagged(cheat, "explanation").mean() >= 0.9
    assert flagged(sound, "explanation").mean() <= 0.05
    assert cheat["why"].str.contains("in the outermost 5 % of the field, where 19 % would lie by chance").mean() >= 0.9


def test_flags_about_the_image_are_the_same_for_both(tables):
    assert flagged(tables["confounded"], "image").equals(flagged(tables["phenotypes"], "image"))
    measures = [name for name in tables["phenotypes"] if name.startswith("quality.")]
    assert tables["confounded"][measures].equals(tables["phenotypes"][measures])


def test_nothing_is_said_of_a_sound_classifier_s_controls(tables):
    controls = tables["phenotypes"][tables["phenotypes"]["predicted"] == "control"]
    assert (controls["flags"] == "").mean() >= 0.95
