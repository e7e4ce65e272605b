"""Labels from tables, conditions and mappings; and all that can be wrong with them."""

import pytest
from labelled_plates import csv_of

from napari_attribution import read_plate
from napari_attribution.errors import LabelError, WellError
from napari_attribution.training.labelling.labels import columns_of, in_order, read_labels

PLATE = "sample_data/plate.zarr"
CONDITIONS = "sample_data/plate.conditions.csv"


def test_a_table_may_name_the_well_or_its_row_and_column(tmp_path):
    by_well = csv_of(tmp_path / "a.csv", [("b3", "hit"), ("C-04", "control"), ("D05", "")])
    by_row = csv_of(tmp_path / "b.csv", [("B", 3, "hit"), (3, "04", "control")], "Row,Column,Class")
    assert read_labels(by_well).of == {("", "B03"): "hit", ("", "C04"): "control"} == read_labels(by_row).of
    assert read_labels(by_well).source == "the column label of a.csv"


def test_a_table_in_the_shape_of_the_plate(tmp_path):
    file = tmp_path / "layout.csv"
    file.write_text("drug,1,2\nA,hit,control\nB,,hit\n")
    assert read_labels(file).of == {("", "A01"): "hit", ("", "A02"): "control", ("", "B02"): "hit"}


def test_the_label_is_the_column_of_that_name_the_one_asked_for_or_the_only_one(tmp_path):
    several = csv_of(tmp_path / "a.csv", [("A01", "x", "hit", 1.0)], "well,drug,label,dose")
    assert read_labels(several).of == {("", "A01"): "hit"}
    assert read_labels(several, "Drug").of == {("", "A01"): "x"}
    assert read_labels(several, "dose").of == {("", "A01"): "1"}
    only = csv_of(tmp_path / "b.csv", [("A01", "x")], "well,drug")
    assert read_labels(only).of == {("", "A01"): "x"}
    with pytest.raises(LabelError, match=r"no column 'genotype'. It has drug, label, dose"):
        read_labels(several, "genotype")
    with pytest.raises(LabelError, match=r"Which column of c\.csv is the label"):
        read_labels(csv_of(tmp_path / "c.csv", [("A01", "x", 1)], "well,drug,dose"))
    with pytest.raises(LabelError, match=r"d\.csv says nothing of any well: there is no row below its header"):
        read_labels(csv_of(tmp_path / "d.csv", [], "well,drug"), "drug")


def test_a_column_may_name_the_plate(tmp_path):
    file = csv_of(tmp_path / "a.csv", [("P1", "A01", "hit"), ("p2", "A01", "control")], "Plate,well,label")
    labels = read_labels(file)
    assert labels.of == {("p1", "A01"): "hit", ("p2", "A01"): "control"}
    assert (labels.find("P2", "A01"), labels.find("P3", "A01")) == (("p2", "A01"), None)


def test_what_may_be_the_label_of_a_table(tmp_path):
    rows = [("p", "A01", "x", 10.0, ""), ("q", "A01", "y", 10, ""), ("q", "A02", "x", "n/a", "")]
    file = csv_of(tmp_path / "a.csv", rows, "Plate,well,drug,dose,remark")
    assert columns_of(file) == {"drug": 2, "dose": 1, "remark": 0}
    with pytest.raises(WellError, match="does not say which well"):
        columns_of(csv_of(tmp_path / "b.csv", rows, "Plate,wel,drug,dose,remark"))


def test_mappings_and_conditions():
    told = {"b3": "hit", "P1/C4": "hit", ("P2", "D05"): 10.0, "my image": 7, "E01": None}
    wanted = {("", "B03"): "hit", ("p1", "C04"): "hit", ("p2", "D05"): "10", ("", "my image"): "7"}
    assert read_labels(told).of == wanted
    plate = read_plate(PLATE, conditions=CONDITIONS)
    of_condition = read_labels("Treatment", plates={"plate": plate})
    assert of_condition.of == read_labels(CONDITIONS, "treatment").of
    assert len(of_condition.of) == 24
    with pytest.raises(LabelError, match=r"neither a file nor a condition .* treatment, concentration"):
        read_labels("genotype", plates={"plate": plate})


def test_the_same_label_twice_is_told_and_another_refused(tmp_path):
    same = read_labels(csv_of(tmp_path / "a.csv", [("A01", "hit"), ("A02", "control"), ("A1", "hit")]))
    assert same.of == {("", "A01"): "hit", ("", "A02"): "control"}
    assert same.notes == ("1 well is labelled more than once, each time the same: A01.",)
    with pytest.raises(
        LabelError, match=r"Row 3 of b.csv calls the well A01 'control', but row 2 of b.csv calls it 'hit'"
    ):
        read_labels(csv_of(tmp_path / "b.csv", [("A01", "hit"), ("A01", "control")]))


def test_what_is_no_label(tmp_path):
    with pytest.raises(LabelError, match=r"There is no label in the column label of a\.csv"):
        read_labels(csv_of(tmp_path / "a.csv", [("A01", ""), ("A02", "n/a")]))
    with pytest.raises(LabelError, match="differ in upper and lower case only"):
        read_labels({"A01": "DMSO", "A02": "dmso"})
    with pytest.raises(LabelError, match=r"nowhere\.csv' is neither a file nor a condition"):
        read_labels(tmp_path / "nowhere.csv")
    with pytest.raises(LabelError, match="no column beside the well"):
        read_labels(csv_of(tmp_path / "b.csv", [("A01",)], "well"))


def test_classes_are_ordered_as_people_would():
    assert in_order(["10", "0.3", "2", "2"]) == ("0.3", "2", "10")
    assert in_order(["hit", "DMSO", "10"]) == ("10", "DMSO", "hit")
