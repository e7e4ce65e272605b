"""What picking is made of, each part against a slow twin or a planted truth."""

import dataclasses

import numpy as np
import pytest
from napari.components import ViewerModel
from napari_builtins.io import napari_write_points

from napari_attribution.desktop.layers.picks import COLUMNS, picks_layer, put_pick, show_outline
from napari_attribution.desktop.picks import outlines, words
from napari_attribution.desktop.picks.cells import count_objects, freeze
from napari_attribution.desktop.picks.spots import FrozenLabels, Spot, find
from napari_attribution.desktop.picks.table import row_of, same_pick, spot_of
from napari_attribution.errors import RequestError, WellError
from napari_attribution.methods.question.parts import Part
from napari_attribution.wells.place import Place


def discs(shape, radius=4.0, step=12):
    image = np.zeros(shape, dtype=np.int32)
    rows, columns = np.indices(shape)
    number = 0
    for row in range(step // 2, shape[0], step):
        for column in range(step // 2, shape[1], step):
            number += 1
            image[np.hypot(rows - row, columns - column) <= radius] = number
    return image


LAID = {
    "as it is": {},
    "coarser": {"scale": (2.0, 2.0), "translate": (0.5, 0.5)},
    "moved": {"translate": (7.0, -3.0)},
    "turned": {"rotate": 20, "translate": (3.0, 9.0)},
    "sheared": {"shear": [0.2]},
}


@pytest.mark.parametrize(
    "well_keywords", [{}, {"scale": (0.65, 0.4), "translate": (5, 9), "rotate": -15}], ids=["plain", "turned"]
)
@pytest.mark.parametrize("keywords", LAID.values(), ids=LAID)
def test_a_cell_is_where_its_label_lies(keywords, well_keywords):
    viewer = ViewerModel()
    well = viewer.add_image(np.zeros((40, 50)), **well_keywords)
    image = discs((40, 50))
    layer = viewer.add_labels(image, **keywords)
    frozen = freeze(viewer, layer, well)
    # The slow twin: a pixel at a time, laid into the label image by napari itself.
    wrong, seen = 0, set()
    masks = {label: frozen.mask_of(image, label, (40, 50)) for label in range(1, image.max() + 1)}
    for pixel in np.ndindex(14, 17):
        row, column = 3 * pixel[0], 3 * pixel[1]
        if row >= 40 or column >= 50:
            continue
        i, j = np.round(layer.world_to_data(well.data_to_world((row, column)))).astype(int)
        label = image[i, j] if 0 <= i < 40 and 0 <= j < 50 else 0
        wrong += [one for one, mask in masks.items() if mask[row, column]] != ([label] if label else [])
        wrong += frozen.label_at(image, row, column) != label
        seen.add(label)
    # Halfway between two pixels of the label image, either may be meant.
    assert wrong <= 3
    assert len(seen) >= 3


def test_a_label_outside_the_image_is_background():
    frozen = FrozenLabels("cells", np.ones((4, 4), int))
    assert [frozen.label_at(frozen.data, *at) for at in ((0, 0), (-1, 0), (0, 4), (3.4, 3.4))] == [1, 0, 0, 1]


@pytest.mark.parametrize("keywords", [{"shift": np.array([30.0, 0])}, {"matrix": np.eye(2) * 0.5}])
def test_a_cell_that_is_not_there_any_more_is_a_sentence(keywords):
    frozen = FrozenLabels("cells", np.zeros((20, 20), int), **keywords)
    with pytest.raises(RequestError, match="no cell 3 of the layer cells"):
        find(Spot(5, 5, label=3), frozen, (20, 20))
    with pytest.raises(RequestError, match="not there any more"):
        find(Spot(5, 5, label=3), None, (20, 20))


def test_labels_that_cannot_be_read_are_a_sentence():
    class Lost:
        def __getitem__(self, at):
            raise OSError("the disk has gone")

    with pytest.raises(WellError, match="the disk has gone"):
        find(Spot(5, 5), FrozenLabels("cells", Lost()), (20, 20))
    with pytest.raises(WellError, match="no plane of cells"):
        find(Spot(5, 5), FrozenLabels("cells", np.zeros(3)), (20, 20))


def test_what_counts_as_inside_cells():
    image = discs((40, 50))
    frozen = FrozenLabels("cells", image)
    cell = find(Spot(6, 6), frozen, image.shape)
    assert (cell.kind, cell.label) == ("cell", 1)
    np.testing.assert_array_equal(cell.cells, image == 1)
    square = find(Spot(0, 0, side=6), frozen, image.shape)
    assert square.kind == "square"
    np.testing.assert_array_equal(square.cells, image > 0)
    assert find(Spot(0, 0, side=6), None, image.shape).cells is None


@pytest.mark.parametrize("shape", [(30, 40), (3, 30, 40), (960, 1280)])
def test_objects_are_counted(shape):
    image = discs((30, 40), radius=5.5)
    larger = np.kron(image, np.ones((shape[-2] // 30, shape[-1] // 40), dtype=int))
    assert count_objects(np.broadcast_to(larger, shape)) == len(np.unique(image)) - 1


# ------------------------------------------------------------------------------------------------------------ layers


def test_an_outline_runs_between_the_pixels(viewer):
    mask = np.zeros((20, 20), bool)
    mask[5:9, 6:12] = True
    (line,) = outlines.boundary(mask)
    np.testing.assert_array_equal(line[0], line[-1])
    assert (line.min(axis=0) == (4.5, 5.5)).all()
    assert (line.max(axis=0) == (8.5, 11.5)).all()
    reference = viewer.add_image(np.zeros((20, 20)), scale=(2, 2), translate=(10, 0))
    (box,) = outlines.in_world(Place(mask), "square", reference)
    assert (box.min(axis=0) == (19, 11)).all()
    assert (box.max(axis=0) == (27, 23)).all()


def test_an_outline_is_one_layer_that_changes_and_hides(viewer):
    reference = viewer.add_image(np.zeros((20, 20)))
    line = np.array([(0, 0), (0, 5), (5, 5), (0, 0)], float)
    for lines in ([line], [line, line + 3], [line + 1]):
        show_outline(viewer, reference, lines)
        assert [len(viewer.layers), len(viewer.layers["picked"].data)] == [2, len(lines)]
    show_outline(viewer, reference, [])
    assert not viewer.layers["picked"].visible
    show_outline(viewer, reference, [line])
    assert viewer.layers["picked"].visible
    assert viewer.layers.selection.active is reference


def test_a_row_is_put_and_changed(viewer):
    reference = viewer.add_image(np.zeros((20, 20)), scale=(0.5, 0.5), units=("um", "um"))
    assert put_pick(viewer, reference, np.array([1.0, 2.0]), {"pick": 1, "place": "cell 4"}, None) == 0
    assert put_pick(viewer, reference, np.array([3.0, 4.0]), {"pick": 2, "drop": 0.5}, None) == 1
    assert put_pick(viewer, reference, np.array([1.0, 2.0]), {"pick": 1, "place": "cell 5"}, 0) == 0
    layer = picks_layer(viewer)
    assert list(layer.features.columns) == list(COLUMNS)
    assert list(layer.features["place"]) == ["cell 5", ""]
    assert list(layer.features["pick"]) == [1, 2]
    assert np.isnan(layer.features["drop"][0])
    assert str(layer.units[0]) == "micrometer"
    layer.features = layer.features.drop(columns="place")
    put_pick(viewer, reference, np.array([5.0, 6.0]), {"pick": 3, "place": "cell 6"}, None)
    assert list(layer.features["place"]) == ["", "", "cell 6"]


def test_the_table_can_be_saved_as_a_spreadsheet(viewer, tmp_path):
    reference = viewer.add_image(np.zeros((20, 20)))
    put_pick(viewer, reference, np.array([1.0, 2.0]), {"pick": 1, "place": "cell 4", "class": "hit"}, None)
    data, attributes, _ = picks_layer(viewer).as_layer_data_tuple()
    napari_write_points(str(tmp_path / "picks.csv"), data, attributes)
    head, row = (tmp_path / "picks.csv").read_text("utf-8").splitlines()
    assert set(COLUMNS) <= set(head.split(","))
    assert "cell 4" in row


# ------------------------------------------------------------------------------------------------------------- words


def picked(answers, part=None, name="cell 12", **fields):
    place = Place(np.ones((40, 60), bool), name)
    note = {
        "kind": "cell",
        "cell": 12,
        "cells": "cells",
        "row": 4.5,
        "column": 7.25,
        "side": 8,
        "corners": [],
        "inside": 0.8,
    }
    return dataclasses.replace(answers(**fields), place=place, part=part, record={"pick": note})


def part(loses, filled=0.0):
    return Part(2.0, 2.0 - loses, filled, {"hit": 0.9, "other": 0.1})


@pytest.mark.parametrize(
    ("loses", "filled", "said"),
    [
        (0.11, -0.895, "Without cell 12 the score drops by 0.11 logit, 3.8 % of what speaks for hit here."),
        (0.9, 0.0, "Without cell 12 the score drops by 0.9 logit, 45 % of what speaks for hit here."),
        (-0.2, 0.0, "Without cell 12 the score rises by 0.2 logit: it speaks against hit."),
        (0.001, 0.0, "Without cell 12 the score stays as it is: it hardly counts for hit."),
        (0.0, 3.0, "Without cell 12 the score stays as it is: it hardly counts for hit."),
        (0.3, 3.0, "Without cell 12 the score drops by 0.3 logit."),
    ],
)
def test_the_part_comes_first(answers, loses, filled, said):
    assert words.headline(picked(answers, part(loses, filled))) == said


def test_of_a_single_cell_the_class_comes_first(answers):
    assert words.headline(picked(answers)) == "Cell 12 is hit to the classifier (97 %)."


def test_a_cell_on_an_empty_field_is_said_to_be_one(answers):
    probabilities = {"hit": 0.06, "other": 0.91}
    said = words.details(picked(answers, part(0.1), predicted="other", probabilities=probabilities))
    assert said.startswith("Cell 12 by itself, on an empty field: hit 6.0 % (other 91 %).")
    assert "unlike any well" in said
    assert "Mito speaks most for hit (70 %)" in said
    alike = words.details(picked(answers, part(0.1)))
    assert "unlike any well" not in alike


def test_without_values_of_the_stains_nothing_is_said_of_them(answers):
    said = words.details(picked(answers, part(0.1), importance=(0.0, 0.0, 0.0)))
    assert "Shares" not in said


# ------------------------------------------------------------------------------------------------------------- table


def test_a_row_leads_back_to_its_spot(answers):
    row = row_of(picked(answers, part(0.1)), "B03", 7)
    assert (row["pick"], row["well"], row["top stain"], row["inside cell"]) == (7, "B03", "Mito", 0.8)
    assert row["share of score"] == pytest.approx(0.05)
    assert spot_of(row) == Spot(4.5, 7.25, 8, (), 12)
    corners = [[1.0, 2.0], [1.0, 5.0], [4.0, 5.0]]
    region = picked(answers)
    region.record["pick"].update({"cell": 0, "corners": corners, "inside": None})
    row = row_of(region, "B03", 8)
    assert spot_of(row).corners == tuple(map(tuple, corners))
    assert np.isnan(row["inside cell"])
    assert np.isnan(row["drop"])


def test_a_point_that_is_no_pick_has_no_spot():
    assert spot_of(COLUMNS) is None
    assert spot_of({}) is None
    assert spot_of({**COLUMNS, "row": 1.0, "column": 2.0, "corners": "no json"}) is None


def test_when_two_picks_are_the_same(answers):
    row = row_of(picked(answers), "B03", 1)
    elsewhere = {**row, "row": 9.0}
    assert same_pick(row, elsewhere), "the same cell, clicked at another place of it"
    assert not same_pick(row, {**row, "class": "other"})
    square = {**row, "cell": 0}
    assert same_pick(square, dict(square))
    assert not same_pick(square, {**square, "row": 9.0})
