import numpy as np
import pytest
from napari.layers import Image, Shapes

from napari_attribution.desktop.layers import RECORD, show_attribution, show_well
from napari_attribution.desktop.layers.bars import LEAST_PITCH_PX, LENGTH, bar_label, bar_shapes, layer_color
from napari_attribution.desktop.layers.maps import robust_limit
from napari_attribution.desktop.layers.wells import stain_colors


def test_a_well_is_one_additive_layer_a_stain_in_um(viewer, well):
    layers = show_well(viewer, well)
    assert [layer.name for layer in layers] == list(well.stains)
    for layer, plane in zip(layers, well.pixels, strict=True):
        assert np.array_equal(layer.data, plane)
        assert layer.blending == "additive"
        assert tuple(layer.scale) == well.pixel_size
        assert {str(unit) for unit in layer.units} == {"micrometer"}
        assert layer.axis_labels == ("y", "x")


def test_a_well_without_a_pixel_size_is_in_pixels(viewer, wells):
    layer = show_well(viewer, wells(pixel_size=None))[0]
    assert tuple(layer.scale) == (1, 1)
    assert {str(unit) for unit in layer.units} == {"pixel"}


def test_stains_have_their_customary_and_different_colours():
    assert stain_colors(["Hoechst 33342", "Alexa 488 ER", "MitoTracker"])[0] == stain_colors(["DNA"])[0]
    assert stain_colors(["filter", "channel 2"])[0] not in (stain_colors(["ER"])[0],)
    for stains in (["DNA", "ER", "RNA", "AGP", "Mito"], ["a", "b", "c", "d"], ["DNA", "DAPI"]):
        assert len(set(stain_colors(stains))) == len(stains)


def test_the_map_lies_on_the_pixels_of_the_well(viewer, well, answers):
    references = show_well(viewer, well)
    for layer in references:
        layer.translate = (10, -5)
    top = show_attribution(viewer, answers(), references)[0]
    assert np.allclose(top.extent.world, references[0].extent.world)
    assert np.allclose(top.data_to_world((7, 11)), references[0].data_to_world((7, 11)))
    assert top.units == references[0].units
    assert top.axis_labels == references[0].axis_labels


def test_the_map_follows_a_rotated_well(viewer, well, answers):
    references = show_well(viewer, well)
    answer = answers()
    top = show_attribution(viewer, answer, references)[0]
    for layer in references:
        layer.affine = [[0, 1, 3], [-1, 0, 4], [0, 0, 1]]
    assert show_attribution(viewer, answer, references)[0] is top
    assert np.allclose(top.data_to_world((7, 11)), references[0].data_to_world((7, 11)))


def test_the_map_lies_on_a_layer_with_a_channel_axis(viewer, well, answers):
    layer = viewer.add_image(well.pixels, scale=(1, 0.5, 0.25), translate=(0, 3, 4), units=("pixel", "um", "um"))
    top = show_attribution(viewer, answers(), [layer])[0]
    assert top.ndim == 2
    assert np.allclose(top.data_to_world((7, 11)), layer.data_to_world((0, 7, 11))[1:])


def test_the_map_is_signed_zero_is_clear_and_the_limits_are_symmetric(viewer, well, answers):
    answer = answers()
    top = show_attribution(viewer, answer, show_well(viewer, well))[0]
    assert np.allclose(top.data, answer.map)
    low, high = top.contrast_limits
    assert low == -high
    # Rounded up, so that the colour bar can write its ends.
    strong = float(np.percentile(np.abs(answer.map), 99.5))
    assert strong <= high <= 1.5 * strong
    against, zero, speaks_for = top.colormap.map(np.array([0.0, 0.5, 1.0]))
    assert zero[3] == 0
    assert against[3] == speaks_for[3] == 1
    assert against[1] > against[0]  # green, not red
    assert speaks_for[2] > speaks_for[1]  # purple
    assert top.colorbar.visible


def test_a_map_of_zeros_and_a_sparse_map_have_limits(answers):
    assert robust_limit([np.zeros((8, 8))]) == 1
    sparse = np.zeros((100, 100))
    sparse[3, 4] = -2
    assert robust_limit([sparse]) == 2
    # At 0.8 the colour bar would write nothing but its zero.
    assert robust_limit([0.4 * sparse]) == 1


def test_asking_again_updates_the_layers(viewer, well, answers):
    references = show_well(viewer, well)
    first = show_attribution(viewer, answers(), references, per_stain=True)
    second_answer = answers(target="other", importance=(0.6, -0.3, 0.1), method="dcmix", record={"seed": 7})
    second = show_attribution(viewer, second_answer, references, per_stain=True)
    assert [id(layer) for layer in first] == [id(layer) for layer in second]
    assert len(viewer.layers) == 3 + 1 + 3 + 1
    assert second[0].name == "why other - DCMIX (post-hoc)"
    assert second[0].metadata[RECORD] == {"seed": 7}
    assert second[-1].features["stain"].tolist() == ["DNA", "Mito", "ER"]
    assert np.allclose(second[-1].features["importance"], [0.6, 0.1, -0.3])
    assert list(second[-1].text.values) == ["DNA  60 % ± 3", "Mito  10 % ± 3", "ER  −30 % ± 3"]


def test_maps_by_stain_go_when_they_are_no_longer_asked_for(viewer, well, answers):
    references = show_well(viewer, well)
    show_attribution(viewer, answers(), references, per_stain=True)
    show_attribution(viewer, answers(), references, per_stain=False)
    assert [layer.name for layer in viewer.layers] == ["DNA", "ER", "Mito", "why hit - PCIM", "channel importance"]


def test_layers_by_stain_lie_under_the_map_and_the_map_is_chosen(viewer, well, answers):
    references = show_well(viewer, well)
    show_attribution(viewer, answers(), references)
    show_attribution(viewer, answers(), references, per_stain=True)
    names = [layer.name for layer in viewer.layers][3:]
    assert names == ["why hit - DNA", "why hit - ER", "why hit - Mito", "why hit - PCIM", "channel importance"]
    assert viewer.layers.selection.active.name == "why hit - PCIM"


def test_a_layer_that_the_user_renamed_keeps_its_name_and_is_updated(viewer, well, answers):
    references = show_well(viewer, well)
    top = show_attribution(viewer, answers(), references)[0]
    top.name = "figure 3"
    again = show_attribution(viewer, answers(target="other"), references)[0]
    assert again is top
    assert top.name == "figure 3"


def test_a_layer_that_the_user_deleted_comes_back(viewer, well, answers):
    references = show_well(viewer, well)
    bars = show_attribution(viewer, answers(), references)[-1]
    viewer.layers.remove(bars)
    layers = show_attribution(viewer, answers(), references)
    assert layers[-1] in viewer.layers
    assert len(viewer.layers) == 5


def test_another_size_of_well_and_another_number_of_stains(viewer, well, wells, answers):
    show_attribution(viewer, answers(), show_well(viewer, well))
    small = wells(20, 20, None)
    values = np.ones((20, 20), dtype=np.float32)
    answer = answers(
        values=values,
        stains=("GFP",),
        channel_importance={"GFP": 1.0},
        channel_spread={},
        pixel_size=None,
    )
    top, bars = show_attribution(viewer, answer, show_well(viewer, small))
    assert top.data.shape == (20, 20)
    assert tuple(top.scale) == (1, 1)
    assert bars.features["stain"].tolist() == ["GFP"]
    assert list(bars.text.values) == ["GFP  100 %"]
    assert len(bars.data) == 1


def test_the_bars_are_as_long_as_the_shares_and_have_the_stains_colours(viewer, well, answers):
    references = show_well(viewer, well)
    references[2].colormap = "red"
    _, bars = show_attribution(viewer, answers(importance=(0.3, -0.1, 0.6)), references)
    assert isinstance(bars, Shapes)
    assert bars.features["stain"].tolist() == ["Mito", "DNA", "ER"]
    assert np.allclose(bars.features["spread"], 0.03)
    for polygon, share in zip(bars.data, bars.features["importance"], strict=True):
        ends = sorted({0.0, round(share * LENGTH, 5)})
        assert polygon[:, 1].min() == pytest.approx(ends[0])
        assert polygon[0, 1] == pytest.approx(ends[0])
        assert polygon[1, 1] == pytest.approx(ends[1])
    colours = dict(zip(bars.features["stain"], bars.face_color, strict=True))
    assert np.allclose(colours["Mito"], [1, 0, 0, 1])
    assert np.allclose(colours["DNA"], layer_color(references[0]), atol=1e-3)


def test_the_bars_stand_beside_the_well(viewer, well, answers):
    references = show_well(viewer, well)
    _, bars = show_attribution(viewer, answers(importance=(-0.5, 0.2, 0.3)), references)
    box, image = bars.extent.world, references[0].extent.world
    assert box[0, 1] > image[1, 1]
    assert box[0, 0] >= image[0, 0]


@pytest.mark.parametrize("zoom", [0.02, 0.3, 1, 4, 50])
def test_rows_leave_room_for_their_labels_at_every_zoom(viewer, well, answers, zoom):
    _, bars = show_attribution(viewer, answers(), show_well(viewer, well))
    viewer.scene.camera.zoom = zoom
    pitch = bars.scale[0] * zoom
    assert pitch >= LEAST_PITCH_PX - 1e-6
    points_to_pixels = 96 / 72
    assert 1.2 * bars.text.size * points_to_pixels <= 0.56 * pitch + 1e-6
    assert bars.text.size >= 9


def test_labels_are_seen_on_a_light_canvas_too(viewer, well, answers):
    _, bars = show_attribution(viewer, answers(), show_well(viewer, well))
    viewer.theme = "light"
    assert np.allclose(bars.text.color.constant, [0, 0, 0, 1])
    viewer.theme = "dark"
    assert np.allclose(bars.text.color.constant, [1, 1, 1, 1])


def test_a_bar_of_nothing_and_a_share_that_is_no_number_can_be_drawn(viewer, well, answers):
    _, bars = show_attribution(viewer, answers(importance=(0.0, float("nan"), 1.0)), show_well(viewer, well))
    assert len(bars.data) == 3
    assert all(np.isfinite(polygon).all() for polygon in bar_shapes([0.0, float("nan"), 1.0]))


def test_labels_deserve_their_digits():
    assert bar_label("Mito", 0.7149, 0.0312) == "Mito  71 % ± 3"
    assert bar_label("ER", -0.2, None) == "ER  −20 %"
    assert bar_label("ER", -0.001, float("nan")) == "ER  0 %"


def test_our_layers_are_no_images_to_be_confused_with_stains(viewer, well, answers):
    layers = show_attribution(viewer, answers(), show_well(viewer, well))
    assert isinstance(layers[0], Image)
    assert RECORD in layers[0].metadata
    assert RECORD in layers[-1].metadata


def test_without_the_stains_values_there_are_no_bars(viewer, well, answers):
    references = show_well(viewer, well)
    show_attribution(viewer, answers(), references)
    shown = show_attribution(viewer, answers(importance=(0.0, 0.0, 0.0)), references)
    assert [layer.name for layer in viewer.layers] == ["DNA", "ER", "Mito", "why hit - PCIM"]
    assert shown == [viewer.layers[-1]]
    # And they come back, on top.
    show_attribution(viewer, answers(), references)
    assert viewer.layers[-1].name == "channel importance"


def test_a_reference_is_called_by_its_title(viewer, well, answers):
    shown = show_attribution(viewer, answers(method="integrated-gradients"), show_well(viewer, well))
    assert shown[0].name == "why hit - Integrated Gradients"
