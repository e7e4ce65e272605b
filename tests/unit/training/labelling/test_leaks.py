"""Labels that go with the place on the plate are told; labels that do not are let be."""

from dataclasses import replace

import numpy as np
import pytest

from napari_attribution.training.labelling.labelled import Labelled, LabelledWell
from napari_attribution.training.labelling.leaks import leaks


def plate_of(label, rows=8, columns=12, plates=("",)):
    """A plate whose wells' classes are said by label(row, column, plate)."""
    wells = tuple(
        LabelledWell(
            f"{plate}/{row}-{column}", plate, f"{chr(65 + row)}{column + 1:02d}", label(row, column, plate), ()
        )
        for plate in plates
        for row in range(rows)
        for column in range(columns)
    )
    classes = tuple(sorted({well.label for well in wells}))
    return Labelled(wells, ("a", "b"), classes, dict.fromkeys(plates, (rows, columns)), (), (), "", ())


@pytest.mark.parametrize(
    ("label", "kind", "share"),
    [
        (lambda row, column, plate: "ab"[row >= 4], "the row of the plate", "100%"),
        (lambda row, column, plate: "ab"[column >= 10], "the column of the plate", "100%"),
        (lambda row, column, plate: "ab"[row in (0, 7) or column in (0, 11)], "lying at the rim of the plate", "100%"),
        (lambda row, column, plate: "ab"[(row >= 4) ^ (column == 3)], "the row of the plate", "92%"),
    ],
)
def test_places_that_tell_the_class(label, kind, share):
    found = [sentence for sentence in leaks(plate_of(label)) if kind in sentence]
    assert len(found) == 1
    assert f"tells the class of {share} of the wells" in found[0]


def test_plates_that_tell_the_class():
    found = leaks(plate_of(lambda row, column, plate: "ab"[plate == "q"], 4, 6, ("p", "q")))
    assert len(found) == 1
    assert "the plate a well is on" in found[0]


def test_wells_without_a_plate_have_rows_and_columns_too():
    rows = plate_of(lambda row, column, plate: "ab"[row >= 4])
    assert "the row of the plate" in leaks(replace(rows, layouts={}))[0]
    for position in ("", "slide 3"):
        nowhere = tuple(replace(well, position=position) for well in rows.wells)
        assert leaks(replace(rows, wells=nowhere, layouts={})) == ()


def test_a_chessboard_tells_nothing():
    assert leaks(plate_of(lambda row, column, plate: "ab"[(row + column) % 2])) == ()


def test_a_small_plate_whose_rows_are_the_classes_is_told():
    assert len(leaks(plate_of(lambda row, column, plate: "ab"[row], 2, 4))) == 1


def test_chance_is_seldom_taken_for_a_leak():
    said = 0
    for seed in range(15):
        dealt = iter(np.random.default_rng(seed).permutation(list("ab" * 12)).tolist())
        said += len(leaks(plate_of(lambda row, column, plate, dealt=dealt: next(dealt), 4, 6)))
    assert said <= 2  # 45 tests at 1 %
