import threading

import dask.array as da
import numpy as np
import pytest

from napari_attribution.desktop.layers import show_attribution, show_well
from napari_attribution.desktop.wells_from_layers import find_wells
from napari_attribution.errors import WellError

PLANE = np.arange(24, dtype=np.uint16).reshape(4, 6)


def only(viewer):
    found = find_wells(viewer.layers)
    assert len(found) == 1
    return found[0]


def test_a_well_that_we_showed_is_read_back(viewer, wells):
    well = wells(position="B03", field=2)
    show_well(viewer, well)
    again = only(viewer).freeze().read()
    assert again.stains == well.stains
    assert np.array_equal(again.pixels, well.pixels)
    assert again.pixel_size == pytest.approx(well.pixel_size)
    assert (again.position, again.field, again.source) == ("B03", 2, well.source)


def test_two_open_wells_stay_apart_though_their_layers_share_names(viewer, wells):
    show_well(viewer, wells(seed=1))
    show_well(viewer, wells(seed=2))
    first, second = find_wells(viewer.layers)
    assert first.stains == second.stains == ("DNA", "ER", "Mito")
    assert not np.array_equal(first.freeze().read().pixels, second.freeze().read().pixels)


def test_our_answers_are_no_stains(viewer, well, answers):
    show_attribution(viewer, answers(), show_well(viewer, well), per_stain=True)
    assert only(viewer).stains == well.stains


def test_layers_of_one_size_and_place_make_a_well(viewer):
    viewer.add_image(PLANE, name="DAPI", scale=(0.5, 0.5), units=("um", "um"))
    viewer.add_image(PLANE + 1, name="GFP", scale=(0.5, 0.5), units=("um", "um"))
    found = only(viewer)
    assert found.stains == ("DAPI", "GFP")
    assert found.freeze().read().pixel_size == (0.5, 0.5)


def test_units_become_um_and_pixels_have_no_size(viewer):
    viewer.add_image(PLANE, name="a", scale=(650, 650), units=("nm", "nm"))
    assert only(viewer).freeze().pixel_size == pytest.approx((0.65, 0.65))
    viewer.layers.clear()
    viewer.add_image(PLANE, name="a")
    assert only(viewer).freeze().pixel_size is None


def test_a_layer_with_a_channel_axis_is_a_well_whose_stains_have_no_names(viewer):
    viewer.add_image(np.stack([PLANE, PLANE + 1, PLANE + 2]), name="stack")
    found = only(viewer)
    assert found.stains == ("channel 1", "channel 2", "channel 3")
    well = found.freeze().read()
    assert not well.named
    assert np.array_equal(well.pixels[2], PLANE + 2)


def test_axes_of_length_one_do_no_harm(viewer):
    viewer.add_image(
        np.stack([PLANE, PLANE + 1])[None, :, None], name="x", axis_labels=("t", "c", "z", "y", "x")
    )  # (1, 2, 1, 4, 6)
    well = only(viewer).freeze().read()
    assert well.pixels.shape == (2, 4, 6)
    assert np.array_equal(well.pixels[1], PLANE + 1)


@pytest.mark.parametrize("length", [3, 25])
def test_a_z_stack_is_refused_with_a_sentence(viewer, length):
    viewer.add_image(np.zeros((length, 4, 6)), name="stack", axis_labels=("z", "y", "x"))
    found = only(viewer)
    assert f"{length} focal planes" in found.problem
    with pytest.raises(WellError, match="project"):
        found.freeze()


def test_many_unnamed_planes_are_taken_for_a_stack(viewer):
    viewer.add_image(np.zeros((25, 4, 6)), name="stack")
    assert "looks like a stack" in only(viewer).problem


def test_two_long_axes_are_refused(viewer):
    viewer.add_image(np.zeros((2, 3, 4, 6)), name="movie")
    assert "2 axes beside height and width" in only(viewer).problem


def test_a_colour_picture_is_refused(viewer):
    viewer.add_image(np.zeros((4, 6, 3), dtype=np.uint8), rgb=True, name="screenshot")
    assert "RGB" in only(viewer).problem


def test_a_multiscale_layer_gives_its_finest_level(viewer):
    viewer.add_image([np.ones((3, 8, 8)), np.ones((3, 4, 4))], multiscale=True, name="pyramid")
    assert only(viewer).freeze().read().pixels.shape == (3, 8, 8)


def test_lazy_pixels_are_computed_only_when_read(viewer):
    computed_in = []

    def block():
        computed_in.append(threading.current_thread())
        return np.zeros((2, 4, 6))

    lazy = da.from_delayed(__import__("dask").delayed(block)(), shape=(2, 4, 6), dtype=float)
    viewer.layers.events.inserted.disconnect()
    viewer.add_image(lazy, name="lazy", contrast_limits=(0, 1))
    computed_in.clear()
    frozen = only(viewer).freeze()
    assert not computed_in
    frozen.read()
    assert computed_in


def test_stains_that_do_not_lie_over_each_other_are_no_well(viewer, well):
    layers = show_well(viewer, well)
    layers[0].translate = (5, 5)
    assert "do not lie over each other" in only(viewer).problem


def test_stains_of_different_types_are_named(viewer):
    viewer.add_image(PLANE, name="a")
    viewer.add_image(PLANE.astype(np.uint8), name="b")
    with pytest.raises(WellError, match="a uint16, b uint8"):
        only(viewer).freeze().read()


def test_nan_is_a_sentence(viewer):
    bad = PLANE.astype(float)
    bad[1, 1] = np.nan
    viewer.add_image(bad, name="a")
    with pytest.raises(WellError, match="not a number"):
        only(viewer).freeze().read()
