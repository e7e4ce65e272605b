"""What is set in napari's Preferences arrives where it belongs, and is kept."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.layers import show_attribution, show_well
from napari_attribution.desktop.layers.maps import diverging
from napari_attribution.desktop.layers.palettes import PALETTES, palette
from napari_attribution.desktop.preferences import GROUPS, PLUGIN, Preferences, preferences, within
from napari_attribution.methods.choice.catalogue import METHODS

MANIFEST = Path(__file__).resolve().parents[3] / "napari.yaml"


@pytest.fixture
def settings(plugin_settings, npe2pm):
    """The plugin's settings, in a folder of this test's own."""
    from napari.settings import get_plugin_settings

    npe2pm.register(str(MANIFEST))
    return get_plugin_settings(PLUGIN)


def test_the_manifest_and_the_code_have_the_same_preferences_and_defaults(settings):
    groups = yaml.safe_load(MANIFEST.read_text())["contributions"]["configurations"]
    declared = {
        (name, group): face["default"] for group in groups for name, face in groups[group]["properties"].items()
    }
    assert declared == {(name, group): getattr(Preferences(), name) for name, group in GROUPS.items()}
    assert {(name, group): getattr(getattr(settings, group), name) for name, group in declared} == declared
    allowed = type(settings.maps).model_json_schema()["properties"]["palette"]["enum"]
    assert allowed == list(PALETTES)
    memory = METHODS["pixel-ablation-cam"].parameters.model_fields["memory"]
    assert memory.get_default() == Preferences().memory


def test_what_is_set_is_read_and_kept(settings):
    assert preferences() == Preferences()
    settings.computing.device = "cpu"
    settings.computing.memory = 64
    settings.maps.palette = "orange / blue"
    settings.maps.percentile = 98
    assert preferences() == Preferences("cpu", 64, "orange / blue", 98.0)
    kept = settings.config_path.read_text()
    assert "memory: 64" in kept
    assert "orange / blue" in kept
    with pytest.raises(ValidationError):
        settings.maps.palette = "red / green"
    with pytest.raises(ValidationError):
        settings.computing.memory = 1


def test_where_napari_does_not_know_the_plugin_the_defaults_hold(plugin_settings, npe2pm):
    assert preferences() == Preferences()
    assert palette().name == "purple / green"


def test_a_new_window_takes_over_device_and_memory(settings, viewer, mail):
    settings.computing.device = "cuda"
    settings.computing.memory = 64
    controller = Controller(viewer, mail)
    assert controller.state.device == "cuda"
    asked = {name: METHODS[name].parameters(**values).memory for name, values in controller.state.parameters.items()}
    assert asked == {"pixel-ablation-cam": 64}
    assert within(512) == {}
    controller.close()


def test_maps_that_are_shown_change_with_the_preferences(settings, viewer, mail, well, answers):
    controller = Controller(viewer, mail)
    told = []
    controller.watchers.append(lambda: told.append(palette().name))
    show_attribution(viewer, answers(), show_well(viewer, well), per_stain=True)
    top, by_stain, own = (viewer.layers[f"why hit - {name}"] for name in ("PCIM", "DNA", "ER"))
    own.colormap = "gray"
    assert np.allclose(top.colormap.map(1.0), PALETTES["purple / green"].colors[-1])
    before = top.contrast_limits[1]
    by_stain.contrast_limits = (-1, 1)
    settings.maps.palette = "orange / blue"
    assert by_stain.contrast_limits == [-1, 1]
    for layer in (top, by_stain):
        assert np.allclose(layer.colormap.map(1.0), PALETTES["orange / blue"].colors[-1])
        assert layer.colormap.map(0.5).ravel()[3] == 0
    assert own.colormap.name == "gray"
    assert told[-1] == "orange / blue"
    settings.maps.percentile = 90
    strong = float(np.percentile(np.abs(top.data), 90))
    assert strong <= top.contrast_limits[1] <= 1.5 * strong < before
    assert top.contrast_limits[0] == -top.contrast_limits[1]
    assert by_stain.contrast_limits == own.contrast_limits
    # New maps have them too.
    assert diverging().name == "orange / blue"
    controller.close()
    seen = len(told)
    settings.maps.palette = "purple / green"
    assert len(told) == seen


# Machado, Oliveira & Fernandes, IEEE TVCG 15 (2009): full protanopia and deuteranopia, on linear RGB.
PROTAN = np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]])
DEUTAN = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])


def seen_apart(a, b, matrix):
    """How far apart two colours are (CIE76), to eyes of this kind."""
    from skimage.color import deltaE_cie76, rgb2lab

    linear = np.where(
        np.array([a, b]) <= 0.04045, np.array([a, b]) / 12.92, ((np.array([a, b]) + 0.055) / 1.055) ** 2.4
    )
    changed = np.clip(linear @ matrix.T, 0, 1)
    coded = np.where(changed <= 0.0031308, 12.92 * changed, 1.055 * changed ** (1 / 2.4) - 0.055)
    return float(deltaE_cie76(*rgb2lab(coded)))


@pytest.mark.parametrize("matrix", [PROTAN, DEUTAN], ids=["protan", "deutan"])
@pytest.mark.parametrize("name", list(PALETTES))
def test_for_and_against_are_told_apart_without_red_and_green(name, matrix):
    colors = PALETTES[name].colors
    assert seen_apart(colors[0][:3], colors[-1][:3], matrix) > 60
    assert seen_apart(colors[1][:3], colors[-2][:3], matrix) > 30
    # Which red and green are not.
    assert seen_apart((0.8, 0.3, 0.2), (0.4, 0.55, 0.2), matrix) < 30
