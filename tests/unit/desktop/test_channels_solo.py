import numpy as np
import pytest

from napari_attribution.desktop.layers import show_attribution, show_well
from napari_attribution.desktop.layers.solo import Solo
from napari_attribution.desktop.wells_from_layers import find_wells


def seen(viewer):
    return {layer.name for layer in viewer.layers if layer.visible}


@pytest.fixture
def shown(viewer, well, answers):
    """A well and an answer whose method resolves the stains; DNA was hidden by the user."""
    references = show_well(viewer, well)
    answer = answers()
    show_attribution(viewer, answer, references)
    viewer.layers["DNA"].visible = False
    return find_wells(viewer.layers)[0], answer


def test_a_stain_alone_and_all_exactly_as_before(viewer, shown):
    before = [(layer, layer.visible) for layer in viewer.layers]
    active = viewer.layers.selection.active
    solo = Solo(viewer)
    solo.show("Mito", *shown)
    assert seen(viewer) == {"Mito", "why hit - Mito"}
    assert np.allclose(viewer.layers["why hit - Mito"].data, shown[1].per_stain["Mito"])
    solo.show("DNA", *shown)
    assert seen(viewer) == {"DNA", "why hit - DNA"}
    solo.end()
    assert [(layer, layer.visible) for layer in viewer.layers] == before
    assert viewer.layers.selection.active is active
    assert solo.stain == ""


def test_maps_by_stain_that_are_there_already_are_used_and_stay(viewer, well, answers):
    references = show_well(viewer, well)
    answer = answers()
    show_attribution(viewer, answer, references, per_stain=True)
    before = [(layer, layer.visible) for layer in viewer.layers]
    solo = Solo(viewer)
    solo.show("ER", find_wells(viewer.layers)[0], answer)
    assert seen(viewer) == {"ER", "why hit - ER"}
    solo.end()
    assert [(layer, layer.visible) for layer in viewer.layers] == before


def test_a_method_that_does_not_resolve_stains_leaves_the_stain(viewer, well, answers):
    references = show_well(viewer, well)
    answer = answers(values=np.ones((40, 60), dtype=np.float32))
    show_attribution(viewer, answer, references)
    solo = Solo(viewer)
    solo.show("ER", find_wells(viewer.layers)[0], answer)
    assert seen(viewer) == {"ER"}


def test_maps_by_stain_have_one_scale(viewer, shown):
    solo = Solo(viewer)
    limits = []
    for stain in ("DNA", "ER", "Mito"):
        solo.show(stain, *shown)
        limits.append(tuple(viewer.layers[f"why hit - {stain}"].contrast_limits))
    assert len(set(limits)) == 1


def test_layers_that_are_deleted_renamed_or_new_meanwhile(viewer, shown):
    solo = Solo(viewer)
    solo.show("Mito", *shown)
    viewer.layers["ER"].name = "endoplasmic reticulum"
    viewer.layers.remove("DNA")
    viewer.layers.remove("why hit - Mito")
    new = viewer.add_image(np.zeros((4, 4)), name="new")
    solo.end()
    assert new.visible
    assert seen(viewer) == {"endoplasmic reticulum", "Mito", "why hit - PCIM", "channel importance", "new"}


def test_the_slider_goes_to_a_stain_of_a_layer_with_an_axis_of_stains_and_back(viewer, well, answers):
    viewer.add_image(well.pixels, name="stack", axis_labels=("c", "y", "x"), metadata={"stains": well.stains})
    viewer.dims.set_current_step(0, 1)
    (found,) = find_wells(viewer.layers)
    solo = Solo(viewer)
    solo.show("Mito", found, answers())
    assert viewer.dims.current_step[0] == 2
    assert "stack" in seen(viewer)
    solo.end()
    assert viewer.dims.current_step[0] == 1


def test_a_stain_of_no_layer_leaves_nothing_but_its_map(viewer, shown):
    solo = Solo(viewer)
    solo.show("Mito", None, shown[1])
    assert seen(viewer) == {"why hit - Mito"}
    solo.end()
    assert "ER" in seen(viewer)
