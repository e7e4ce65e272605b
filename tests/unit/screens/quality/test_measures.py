"""The measures of a field, under the names that are known before the run."""

from dataclasses import replace

import numpy as np
import pytest

from napari_attribution import Attribution, Well
from napari_attribution.screens.quality.measures import field_columns, field_measures

STAINS = ("DNA", "Actin")


def attribution(values: np.ndarray, method: str = "pixel-ablation-cam", stains=STAINS) -> Attribution:
    shares = dict.fromkeys(stains, 0.5)
    return Attribution(
        values=values.astype(np.float32), native=values, stains=stains, channel_importance=shares, channel_spread={},
        importance_meaning="", target="hit", score_name="logit", score=1.0, predicted="hit", probabilities={"hit": 1.0},
        method=method, units="logit", pixel_size=None, device="cpu", seconds=0.0, forwards=1.0,
    )  # fmt: skip


@pytest.fixture
def well() -> Well:
    rng = np.random.default_rng(3)
    pixels = rng.normal(100, 3, (3, 120, 120))
    pixels[:, 30:60, 40:90] += 500
    return Well(pixels.astype(np.uint16), ("Actin", "unused", "DNA"))


@pytest.mark.parametrize("methods", [["pcim"], ["pixel-ablation-cam", "pcim"]])
def test_the_names_are_those_that_were_announced_in_their_order(well, methods):
    found = field_measures(well, [attribution(np.eye(120), method) for method in methods])
    announced = field_columns(STAINS, methods)
    assert set(found) == set(announced)
    assert len(announced) == len(set(announced))
    assert ("map.pcim.agreement" in found) == (len(methods) > 1)


def test_stains_are_the_classifier_s_by_name_and_may_be_called_otherwise(well):
    plain = field_measures(well, [attribution(np.eye(120))])
    renamed = field_measures(well, [attribution(np.eye(120))], ("dna", "actin"))
    for measure in ("focus", "slope", "saturated", "illumination"):
        assert plain[f"quality.{measure}.DNA"] == renamed[f"quality.{measure}.dna"]
    blank = replace(well, pixels=np.stack([well.pixels[0], well.pixels[1], np.full((120, 120), 5, np.uint16)]))
    found = field_measures(blank, [attribution(np.eye(120))])
    assert np.isnan(found["quality.focus.DNA"])
    assert found["quality.focus.Actin"] == plain["quality.focus.Actin"]


def test_only_what_speaks_for_the_class_counts(well):
    values = np.full((120, 120), -1.0)
    values[35:55, 45:85] = 2.0
    found = field_measures(well, [attribution(values)])
    assert found["map.pixel-ablation-cam.inside"] == 1
    assert found["map.pixel-ablation-cam.edge"] == 0
    assert found["quality.cells"] == pytest.approx(30 * 50 / 120**2, abs=0.02)
    turned = field_measures(well, [attribution(-values)])
    assert turned["map.pixel-ablation-cam.inside"] < 0.1
    assert turned["map.pixel-ablation-cam.edge"] > 0.19


def test_a_map_by_stain_counts_as_their_sum(well):
    values = np.zeros((2, 120, 120))
    values[0, :3], values[1, :3], values[1, 50] = 1.0, -1.0, 1.0
    assert field_measures(well, [attribution(values)])["map.pixel-ablation-cam.edge"] == pytest.approx(12 / 120)


def test_what_lies_in_saturated_or_empty_pixels(well):
    pixels = np.array(well.pixels)
    pixels[:, :12] = 0
    pixels[2, 80:100, 80:100] = 4095
    values = np.zeros((120, 120))
    values[6:18, 20:30], values[90, 80:120] = 1.0, 1.0
    found = field_measures(replace(well, pixels=pixels), [attribution(values)])
    assert found["map.pixel-ablation-cam.empty"] == pytest.approx(60 / 160)
    assert found["map.pixel-ablation-cam.saturated"] == pytest.approx(20 / 160)
    assert found["quality.saturated.DNA"] == pytest.approx(400 / 120**2)
