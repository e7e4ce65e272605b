"""The well as one picture: the same colours as its layers have."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.colormaps import Colormap

from napari_attribution.desktop.compare.picture import paints_of, picture_of
from napari_attribution.desktop.layers import show_well
from napari_attribution.desktop.wells_from_layers import find_wells


def slow_picture(well, layers):
    """Light added up a pixel at a time, by napari's own colormaps."""
    light = np.zeros((*well.shape, 3))
    for layer, plane in zip(layers, well.pixels, strict=True):
        if not layer.visible:
            continue
        low, high = layer.contrast_limits
        share = np.clip((plane.astype(float) - low) / (high - low), 0, 1) ** layer.gamma
        for place in np.ndindex(well.shape):
            color = layer.colormap.map(np.array([share[place]]))[0]
            light[place] += color[:3] * color[3] * layer.opacity
    return 255 * light.clip(0, 1)


@pytest.fixture
def shown(viewer: ViewerModel, wells):
    well = wells(height=7, width=9)
    show_well(viewer, well)
    (found,) = find_wells(viewer.layers)
    return well, found


def test_the_slow_twin_agrees(shown):
    well, found = shown
    picture = picture_of(well, paints_of(found))
    assert np.abs(picture - slow_picture(well, found.layers)).max() <= 2.5


def test_the_users_own_colours_limits_gamma_and_opacity(shown):
    well, found = shown
    found.layers[0].colormap = Colormap([(0, 0, 0, 1), (1, 0.5, 0, 1)])
    found.layers[0].contrast_limits = (500, 900)
    found.layers[1].gamma = 0.6
    found.layers[1].opacity = 0.5
    found.layers[2].visible = False
    picture = picture_of(well, paints_of(found))
    assert np.abs(picture - slow_picture(well, found.layers)).max() <= 4


def test_a_well_whose_layers_are_all_hidden_is_shown_all_the_same(shown):
    well, found = shown
    wanted = picture_of(well, paints_of(found))
    for layer in found.layers:
        layer.visible = False
    assert np.array_equal(picture_of(well, paints_of(found)), wanted)


def test_one_layer_of_all_stains_has_the_customary_colours(viewer, shown):
    well, found = shown
    wanted = picture_of(well, paints_of(found))
    viewer.layers.clear()
    viewer.add_image(well.pixels, axis_labels=("c", "y", "x"), metadata={"channel_names": list(well.stains)})
    (one,) = find_wells(viewer.layers)
    assert paints_of(one) is None
    assert np.array_equal(picture_of(well, paints_of(one)), wanted)
