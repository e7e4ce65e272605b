"""What was done to the wells, from tables as people write them."""

import pytest

from napari_attribution.errors import WellError
from napari_attribution.wells.readers.plates.conditions import checked_within, conditions_of


def _table(tmp_path, text, encoding="utf-8"):
    file = tmp_path / "map.csv"
    file.write_text(text, encoding=encoding)
    return conditions_of(file)


@pytest.mark.parametrize(
    "text",
    [
        "well,drug,dose\nB03,DMSO,0\nB4,Wortmannin,1.5\n",
        "Metadata_Well;drug;dose\nb03;DMSO;0\nB04;Wortmannin;1.5\n",
        "Row\tColumn\tdrug\tdose\n2\t3\tDMSO\t0\nB\t04\tWortmannin\t1.5\n",
        "drug,WellRow,WellCol,dose\nDMSO,B,3,0\n\nWortmannin,B,4,1.5\n",
        "well_position,row,col,drug,dose\nB3,B,3,DMSO,0\nB4,B,4,Wortmannin,1.5\n",
    ],
)
def test_tables_of_wells(tmp_path, text):
    assert _table(tmp_path, text) == {"B03": {"drug": "DMSO", "dose": 0.0}, "B04": {"drug": "Wortmannin", "dose": 1.5}}


def test_a_column_is_numbers_or_words_and_an_empty_cell_is_nothing(tmp_path):
    told = _table(tmp_path, "well,a,b,c\nA01,1,1,\nA02,,x,\nA03,nan,2")
    assert told == {
        "A01": {"a": 1.0, "b": "1", "c": None},
        "A02": {"a": None, "b": "x", "c": None},
        "A03": {"a": None, "b": "2", "c": None},
    }


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_spreadsheets_own_encodings(tmp_path, encoding):
    assert _table(tmp_path, "well,µM\nA01,3\n", encoding) == {"A01": {"µM": 3.0}}


def test_a_table_in_the_shape_of_the_plate(tmp_path):
    told = _table(tmp_path, "dose,1,2,3\nA,0,0.1,\nB,1,,10\n")
    assert told == {"A01": {"dose": 0.0}, "A02": {"dose": 0.1}, "B01": {"dose": 1.0}, "B03": {"dose": 10.0}}


def test_a_mapping():
    assert conditions_of({"b3": {"drug": "DMSO", "dose": 2}}) == {"B03": {"drug": "DMSO", "dose": 2.0}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "drug,dose\nDMSO,1\n",
            r"does not say which well each row is of\. It has the columns drug, dose; expected is a column well",
        ),
        ("well,drug\nB03,x\nb3,y\n", r"names the well B03 twice, in the rows 2 and 3"),
        ("well,drug\nB03,x\nlast,y\n", r"Row 3 of map\.csv: 'last' is no place on a plate"),
        ("well,drug\nB00,x\n", r"'B00' is no place on a plate"),
        ("row,col,drug\nB,,x\n", r"Row 2 of map\.csv: 'B' is no place on a plate"),
        ("dose,1,2\nA,1,2\nA,3,4\n", r"names the well A01 twice"),
        ("\n", r"map\.csv is empty"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, says):
    with pytest.raises(WellError, match=says):
        _table(tmp_path, text)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(WellError, match=r"cannot be read from .*nothing\.csv: No such file"):
        conditions_of(tmp_path / "nothing.csv")


def test_wells_outside_the_plate():
    told = conditions_of({"H12": {"a": 1}, "A13": {"a": 1}, "I01": {"a": 1}})
    with pytest.raises(WellError, match=r"name 2 wells \(A13, I01\) outside the plate of 8 x 12 wells"):
        checked_within(told, (8, 12))
    assert checked_within(told, (16, 24)) is told
