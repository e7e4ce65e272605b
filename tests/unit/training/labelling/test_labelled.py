"""Which wells can be learned from, what is left out with a note, and what is refused."""

import pytest
from labelled_plates import CLASSES, STAINS, csv_of, field_pixels, plate_of_tiffs

from napari_attribution import Well, read_plate
from napari_attribution.errors import LabelError, RequestError, StainError
from napari_attribution.training.labelling.labelled import labelled
from napari_attribution.training.labelling.matching import check_different
from napari_attribution.training.labelling.preview import classes_and_counts


@pytest.fixture
def plate(tmp_path):
    return read_plate(plate_of_tiffs(tmp_path / "plate"), stains=STAINS, layout=(8, 12))


def wells(count=12):
    return [Well(field_pixels(p, 1, CLASSES[p]), STAINS, position=p, field=1) for p in list(CLASSES)[:count]]


def test_counts_and_what_is_left_out(plate):
    told = {well: label for well, label in CLASSES.items() if well != "B02"} | {"H12": "hit", "H11": "drug"}
    preview = classes_and_counts(plate, told)
    assert (
        preview.wells
        == preview.fields
        == {"control": 12 - (CLASSES["B02"] == "control"), "hit": 12 - (CLASSES["B02"] == "hit")}
    )
    assert (preview.unlabelled, preview.unknown) == (("B02",), ("H12", "H11"))
    assert preview.notes == (
        "1 well without a label: left out.",
        "2 labels of wells without images (H12, H11): passed over.",
        "No well of the class drug has images: the classifier will not know it.",
    )
    assert preview.warnings == ()


def test_labels_of_another_plate_are_refused(plate):
    with pytest.raises(LabelError, match=r"name 1 well \(P24\) outside the plate of 8 x 12 wells"):
        labelled(plate, CLASSES | {"P24": "hit"})
    with pytest.raises(LabelError, match=r"None of the 2 wells that the labels name \(H01, H02\) has images here"):
        labelled(plate, {"H01": "hit", "H02": "control"})


def test_images_of_a_part_of_a_plate_and_labels_of_all_of_it(tmp_path):
    part = read_plate(plate_of_tiffs(tmp_path / "part"), stains=STAINS)
    assert part.layout == (4, 6)
    found = labelled(part, CLASSES | {"H12": "hit", "P24": "hit"})
    assert (len(found.wells), found.unknown) == (24, ("H12", "P24"))
    with pytest.raises(LabelError, match=r"name 1 well \(AG01\) outside the plate of 32 x 48"):
        labelled(part, CLASSES | {"AG01": "hit"})


def test_one_class_and_classes_of_one_or_two_wells(plate):
    with pytest.raises(LabelError, match="All 24 labelled wells are of one class, 'hit'"):
        labelled(plate, dict.fromkeys(CLASSES, "hit"))
    with pytest.raises(LabelError, match=r"Too few wells of the class 'rare' \(1 well\)"):
        labelled(plate, CLASSES | {"A01": "rare"})
    two = CLASSES | {"A01": "rare", "A02": "rare"}
    assert len(labelled(plate, two).classes) == 3
    with pytest.raises(LabelError, match=r"Too few wells of the class rare \(2 wells\) to be parted in three"):
        classes_and_counts(plate, two)


def test_a_stain_that_is_missing_in_part_of_the_plate(tmp_path):
    lacking = read_plate(plate_of_tiffs(tmp_path / "p", without={("A01", "Mito"), ("A02", "Mito")}), stains=STAINS)
    found = labelled(lacking, CLASSES)
    assert len(found.wells) == 22
    assert found.notes == ("The stain Mito is missing in 2 fields (A01 field 1, A02 field 1): left out.",)
    without = labelled(lacking, CLASSES, stains=["gfp", "DNA"])
    assert (len(without.wells), without.stains, without.notes) == (24, ("GFP", "DNA"), ())
    assert without.wells[0].fields[0].read().stains[:2] == ("DNA", "GFP")
    rare = dict.fromkeys(CLASSES, "control") | {"A01": "rare", "A02": "rare", "A03": "rare"}
    with pytest.raises(LabelError, match=r"class 'rare' \(1 well\).*In the others the stain Mito is missing"):
        labelled(lacking, rare)


def test_stains_that_are_not_there(plate):
    with pytest.raises(StainError, match=r"no stain ER\. There are DNA, GFP, Mito"):
        labelled(plate, CLASSES, stains=["ER", "DNA"])
    with pytest.raises(RequestError, match="nothing to weigh"):
        labelled(plate, CLASSES, stains=["DNA"])


def test_several_plates(tmp_path, plate):
    other = read_plate(plate_of_tiffs(tmp_path / "other"), stains=STAINS)
    file = csv_of(
        tmp_path / "labels.csv",
        [(name, well, label) for name in (plate.name, other.name) for well, label in CLASSES.items()],
        "plate,well,label",
    )
    found = labelled([plate, other], file)
    assert found.plates == (plate.name, other.name)
    assert found.wells[24].name == f"{other.name}/A01"
    assert len(labelled([plate, other], CLASSES).wells) == 48  # labels that name no plate are every plate's
    assert labelled(plate, file).wells[0].name == "A01"  # the other plate's labels are not this one's
    with pytest.raises(LabelError, match="none of which is"):
        labelled(plate, csv_of(tmp_path / "x.csv", [("x", "A01", "a"), ("y", "A01", "b")], "plate,well,label"))
    with pytest.raises(LabelError, match=r"of the plate x, but the plates that were given are called plate, other\."):
        labelled([plate, other], csv_of(tmp_path / "x.csv", [("x", "A01", "a")], "plate,well,label"))
    with pytest.raises(RequestError, match=f"The plate {plate.source} was given twice"):
        check_different([plate, other, plate])
    check_different([plate, other])
    twice = labelled([plate, plate], CLASSES)
    assert len({well.name for well in twice.wells}) == 48


def test_wells_with_a_class_each():
    given = wells()
    found = labelled(given, [CLASSES[well.position] for well in given])
    assert [well.name for well in found.wells] == [well.position for well in given]
    assert found.wells == labelled(given, CLASSES).wells
    fields = [*given, Well(field_pixels("A01", 2, "hit"), STAINS, position="A01", field=2)]
    together = labelled(fields, [*(CLASSES[well.position] for well in given), CLASSES["A01"]])
    assert len(together.wells) == 12
    assert len(together.wells[0].fields) == 2
    with pytest.raises(LabelError, match="Two fields of the well A01 have the classes"):
        labelled(fields, [*(CLASSES[well.position] for well in given), "neither"])
    with pytest.raises(LabelError, match="3 classes were given for 12 wells"):
        labelled(given, ["a", "b", "c"])
    with pytest.raises(RequestError, match="nothing to learn from"):
        labelled([], [])


def test_a_stain_that_the_first_well_lacks_is_not_dropped_for_all():
    first, *rest = wells()
    given = [Well(first.pixels[:2], STAINS[:2], position=first.position, field=1), *rest]
    found = labelled(given, CLASSES)
    assert found.stains == STAINS
    assert len(found.wells) == 11
    assert f"The stain {STAINS[2]} is missing in 1 field ({first.name}): left out." in found.notes
    assert len(labelled(given, CLASSES, stains=STAINS[:2]).wells) == 12


def test_nothing_is_read(plate, monkeypatch):
    monkeypatch.setattr("napari_attribution.wells.plate.Field.read", None)
    assert classes_and_counts(plate, CLASSES).classes == ("control", "hit")
