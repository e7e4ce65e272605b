"""OME-Zarr plates: every field where it belongs, and what is not there known as missing."""

import pickle
import shutil

import numpy as np
import pytest
from plates import STAINS, pixels_of, served, zarr_plate

from napari_attribution import read_plate
from napari_attribution.errors import StainError, WellError
from napari_attribution.wells.readers.plates import preview

VERSIONS = ("0.4", "0.5")
FULL = {(position, number): STAINS for position in ("B03", "B04", "C03") for number in (0, 1)}


def _shows_its_own(field, stains=STAINS):
    well = field.read()
    np.testing.assert_array_equal(well.pixels, pixels_of(field.position, field.number, stains))
    assert (well.position, well.field, well.stains) == (field.position, field.number, stains)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_plate_in_a_folder(tmp_path, version):
    plate = read_plate(zarr_plate(tmp_path / "p.zarr", FULL, version))
    assert (plate.name, plate.format, plate.layout) == ("made", f"OME-Zarr {version}", (3, 4))
    assert (plate.stains, plate.named, plate.pixel_size) == (STAINS, True, (0.65, 0.65))
    assert (list(plate.fields), len(plate), plate.empty, plate.notes) == (["B03", "B04", "C03"], 6, (), ())
    for field in plate:
        _shows_its_own(field)
        assert field.reading["path"].endswith(f"p.zarr/{field.position[0]}/{field.position[1:]}/{field.number}")
        assert pickle.loads(pickle.dumps(field)) == field
    assert [one.number for one in plate.fields["B04"][::-1]] == [1, 0]


@pytest.mark.parametrize("version", VERSIONS)
def test_by_its_address_one_request_a_well(tmp_path, version):
    zarr_plate(tmp_path / "p.zarr", FULL, version)
    with served(tmp_path) as (address, asked):
        plate = read_plate(f"{address}/p.zarr")
        wells = [path for path in asked if path.count("/") == 4 and path.endswith(("json", ".zattrs"))]
        assert sorted(wells) == sorted(
            f"/p.zarr/{well[0]}/{well[1:]}/{'.zattrs' if version == '0.4' else 'zarr.json'}" for well in plate.fields
        )
        assert (plate.name, plate.stains, len(plate)) == ("made", STAINS, 6)
        for field in plate:
            _shows_its_own(field)
        shutil.rmtree(tmp_path / "p.zarr" / "B" / "04" / "1")
        gone = plate.fields["B04"][1]
        with pytest.raises(WellError, match=r"B/04/1 is no OME-Zarr: there is no Zarr group"):
            gone.read()
    with pytest.raises(WellError, match="cannot be reached"):
        read_plate(f"{address}/p.zarr")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_well_field_and_stain_shift_nothing(tmp_path, version):
    fields = FULL | {("B04", 1): None, ("C03", 1): ("DNA", "Mito"), ("D04", 0): None}
    del fields["B03", 0]  # the metadata does not speak of it, but the other wells have it
    path = zarr_plate(
        tmp_path / "p.zarr", {("A02", 0): STAINS, **fields, ("H12", 0): STAINS, ("H12", 1): STAINS}, version
    )
    shutil.rmtree(path / "A" / "02")
    plate = read_plate(path)
    assert plate.layout == (8, 12)
    assert plate.empty == ("A02", "D04")
    assert [field.name for field in plate if not field.reading] == ["B03 field 0", "B04 field 1"]
    assert plate.notes == (
        "1 well that the plate speaks of does not say what fields it has: A02.",
        "2 wells have no images: A02, D04.",
        "2 fields are missing: B03 field 0, B04 field 1.",
    )
    for field in plate:
        if field.name in ("B03 field 0", "B04 field 1"):
            assert field.missing == STAINS
            with pytest.raises(WellError, match=f"{field.name} is missing: the plate speaks of it"):
                field.read()
        elif field.name == "C03 field 1":
            with pytest.raises(WellError, match="C03 field 1 lacks the stain ER: there is no image of it"):
                field.read()
        else:
            _shows_its_own(field)


def test_the_callers_stains_take_the_place_of_the_files(tmp_path):
    plate = read_plate(zarr_plate(tmp_path / "p.zarr", FULL), stains="one, two,three")
    assert plate.stains == next(iter(plate)).read().stains == ("one", "two", "three")
    with pytest.raises(StainError, match=r"2 stains were named \(a, b\), but the plate has 3 \(DNA, ER, Mito\)"):
        read_plate(tmp_path / "p.zarr", stains=["a", "b"])


def test_plates_that_are_none(tmp_path):
    path = zarr_plate(tmp_path / "p.zarr", FULL)
    with pytest.raises(WellError, match=r"is an image; read it with read_well"):
        read_plate(path / "B" / "03" / "0")
    with pytest.raises(WellError, match=r"is no plate: its attributes do not speak of wells"):
        read_plate(path / "B")
    with pytest.raises(WellError, match=r"has 0 wells\. Check that the plate was written to its end"):
        read_plate(zarr_plate(tmp_path / "none.zarr", {}))
    with pytest.raises(WellError, match=r"has 0 wells with images: it speaks of 1"):
        read_plate(zarr_plate(tmp_path / "empty.zarr", {("B03", 0): None}))
    with pytest.raises(WellError, match="There is no plate"):
        read_plate(tmp_path / "nowhere")
    (path / ".zattrs").write_text('{"plate": {"wells": [{"rowIndex": 1}]}}')
    with pytest.raises(WellError, match="no OME-Zarr: there is a group without 'path'"):
        read_plate(path)
    (path / ".zattrs").write_text('{"plate": {"wells": [{"path": "1/x"}]}}')
    with pytest.raises(WellError, match=r"has the well '1/x', which is no place on a plate"):
        read_plate(path)


def test_a_damaged_first_image_does_not_hide_the_plate(tmp_path):
    path = zarr_plate(tmp_path / "p.zarr", FULL)
    (path / "B" / "03" / "0" / ".zattrs").write_text("{")
    plate = read_plate(path)
    assert plate.stains == STAINS
    with pytest.raises(WellError, match="is damaged"):
        plate.fields["B03"][0].read()


def test_preview(tmp_path):
    shown = preview(zarr_plate(tmp_path / "p.zarr", FULL), most=2)
    assert shown.rows == (("B/03/0", "B03", 0, "all stains"), ("B/03/1", "B03", 1, "all stains"))
    assert (shown.count, shown.unmatched, shown.format) == (6, (), "OME-Zarr 0.4")


def test_a_large_plate_opens_without_looking_at_its_fields(tmp_path, monkeypatch):
    """1536 wells of 65 fields: only one image is looked at, and no field is made before it is asked for."""
    import json

    from napari_attribution.wells.plate import LAYOUTS, Fields
    from napari_attribution.wells.readers.names import position
    from napari_attribution.wells.readers.plates import ome_zarr

    path = zarr_plate(tmp_path / "p.zarr", {("A01", 0): STAINS})
    places = [position(row, column) for row in range(1, 33) for column in range(1, 49)]
    wells = [{"path": f"{place[:-2]}/{place[-2:]}"} for place in places]
    (path / ".zattrs").write_text(json.dumps({"plate": {"version": "0.4", "wells": wells}}))
    told = {"well": {"images": [{"path": str(number)} for number in range(65)]}}
    monkeypatch.setattr(
        "napari_attribution.wells.readers.zarr_groups.attributes_within", lambda _, parts, __: [told] * len(parts)
    )
    monkeypatch.setattr(ome_zarr, "_there", lambda _, __, inner: inner)
    looked = []
    original = ome_zarr.described
    monkeypatch.setattr(ome_zarr, "described", lambda location: looked.append(location) or original(location))
    plate = read_plate(path)
    assert (len(plate.fields), len(plate), plate.layout, len(looked)) == (1536, 1536 * 65, LAYOUTS[-1], 1)
    assert all(isinstance(fields, Fields) for fields in plate.fields.values())
    assert plate.fields["AF48"][64].reading["path"].endswith("/AF/48/64")
