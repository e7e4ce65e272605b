"""Harmony exports: the real one, and made ones with something missing."""

import shutil

import numpy as np
import pytest
from plates import pixels_of, tiff
from shared_data import SHARED, needs_shared

from napari_attribution import read_plate
from napari_attribution.errors import WellError
from napari_attribution.wells.readers.plates import preview

STAINS = ("DNA", "ER", "Mito")
NUMBERS = {"DNA": 2, "ER": 10, "Mito": 3}  # 10 comes after 3, as a number


def _name(row, column, field, stain, plane=1, time=1):
    return f"r{row:02d}c{column:02d}f{field:02d}p{plane:02d}-ch{NUMBERS[stain]}sk{time}fk1fl1.tiff"


def _export(folder, places, planes=(1,), new=False, times=(1,)):
    """An export of the (row, column, field)s; `new` is the index of Harmony 6 and 7."""
    images, entries = [], []
    for row, column, field in places:
        for stain in STAINS:
            for plane in planes:
                for time in times:
                    name = _name(row, column, field, stain, plane, time)
                    pixels = pixels_of(f"{chr(64 + row)}{column:02d}", field, [stain])[0] + plane
                    tiff(folder / "Images" / name, pixels)
                    channel = (
                        ""
                        if new
                        else f"<ChannelName>{stain}</ChannelName><ImageResolutionX Unit='m'>3E-07</ImageResolutionX>"
                        "<ImageResolutionY Unit='m'>3E-07</ImageResolutionY>"
                    )
                    images.append(
                        f"<Image><id>x</id><URL>{name}</URL><Row>{row}</Row><Col>{column}</Col><FieldID>{field}</FieldID>"
                        f"<PlaneID>{plane}</PlaneID><TimepointID>{time}</TimepointID><ChannelID>{NUMBERS[stain]}</ChannelID>"
                        f"{channel}</Image>"
                    )
    for stain in STAINS if new else ():
        entries.append(
            f"<Entry ChannelID='{NUMBERS[stain]}'><ChannelName>{stain}</ChannelName><ImageResolutionX Unit='m'>3E-07"
            "</ImageResolutionX><ImageResolutionY Unit='m'>3E-07</ImageResolutionY></Entry>"
        )
    wells = "".join(f"<Well id='{row:02d}{column:02d}'/>" for row, column in [*{one[:2] for one in places}, (8, 12)])
    version = "43B2A954/HarmonyV7" if new else "http://www.perkinelmer.com/PEHH/HarmonyV5"
    (folder / "Images" / ("Index.xml" if new else "Index.idx.xml")).write_text(
        f"<EvaluationInputData xmlns='{version}'><Plates><Plate><PlateID>P1</PlateID><PlateRows>8</PlateRows>"
        f"<PlateColumns>12</PlateColumns>{wells}</Plate></Plates><Maps><Map>{''.join(entries)}</Map></Maps>"
        f"<Images>{''.join(images)}</Images></EvaluationInputData>",
        encoding="utf-8",
    )
    return folder


PLACES = [(row, column, field) for row, column in ((2, 3), (2, 4), (3, 3)) for field in (1, 2)]


@pytest.mark.parametrize("new", [False, True], ids=["Harmony 5", "Harmony 7"])
@pytest.mark.parametrize("given", ["", "Images", "index"])
def test_an_export_is_read_from_any_of_its_places(tmp_path, new, given):
    folder = _export(tmp_path / "P", PLACES, new=new)
    given = f"Images/{'Index.xml' if new else 'Index.idx.xml'}" if given == "index" else given
    plate = read_plate(folder / given)
    stains = ("DNA", "Mito", "ER")
    assert (plate.name, plate.format, plate.layout, plate.stains) == ("P1", "Harmony", (8, 12), stains)
    assert plate.pixel_size == pytest.approx((0.3, 0.3))
    assert (plate.empty, len(plate), plate.notes) == (("H12",), 6, ("1 well has no images: H12.",))
    for field in plate:
        well = field.read()
        np.testing.assert_array_equal(well.pixels, pixels_of(field.position, field.number, stains) + 1)
        assert (well.stains, well.named, well.position, well.field) == (stains, True, field.position, field.number)
        assert well.pixel_size == pytest.approx((0.3, 0.3))


@pytest.mark.parametrize("index", [True, False], ids=["with the index", "by the names"])
def test_a_missing_well_field_and_stain_shift_nothing(tmp_path, index):
    images = _export(tmp_path / "P", PLACES) / "Images"
    (images / _name(2, 4, 1, "Mito")).unlink()
    for stain in STAINS:
        (images / _name(3, 3, 2, stain)).unlink()
        (images / _name(2, 3, 1, stain)).unlink()
        (images / _name(2, 3, 2, stain)).unlink()
    if not index:
        (images / "Index.idx.xml").unlink()
    plate = read_plate(tmp_path / "P", stains=("DNA", "Mito", "ER"))
    told = ["The stain Mito is missing in 1 field: B04 field 1."]
    # By the names alone nothing speaks of a well that is gone, and no field is usual that only one of two wells has.
    if index:
        told = ["2 wells have no images: B03, H12.", "1 field is missing: C03 field 2.", *told]
    assert list(plate.notes) == told
    assert plate.stains == ("DNA", "Mito", "ER")
    for field in plate:
        if field.name == "B04 field 1":
            assert field.missing == ("Mito",)
            with pytest.raises(WellError, match="B04 field 1 lacks the stain Mito"):
                field.read()
        elif field.reading:
            expected = pixels_of(field.position, field.number, ("DNA", "Mito", "ER")) + 1
            np.testing.assert_array_equal(field.read().pixels, expected)
        else:
            assert field.name == "C03 field 2"


def test_planes_are_projected_on_request_and_a_lost_plane_is_a_lost_stain(tmp_path):
    folder = _export(tmp_path / "P", PLACES, planes=(1, 2, 3))
    with pytest.raises(WellError, match=r"B03 field 01 is a focal stack: 3 focal planes in files of their own"):
        read_plate(folder).fields["B03"][0].read()
    (folder / "Images" / _name(2, 4, 2, "ER", 2)).unlink()
    plate = read_plate(folder, project="max")
    assert plate.notes[1:] == ("The stain ER is missing in 1 field: B04 field 2.",)
    for field in plate:
        if not field.missing:
            expected = pixels_of(field.position, field.number, ("DNA", "Mito", "ER")) + 3
            np.testing.assert_array_equal(field.read().pixels, expected)


def test_time_points_are_refused_and_can_be_chosen(tmp_path):
    folder = _export(tmp_path / "P", PLACES, times=(1, 2))
    with pytest.raises(
        WellError, match=r"lists 2 time points, but a field is one moment\. Choose one with a pattern"
    ) as error:
        read_plate(folder)
    advised = str(error.value).rpartition("instance ")[2].rstrip(".")
    plate = read_plate(folder, pattern=advised)
    assert (len(plate), plate.stains) == (6, ("channel 2", "channel 3", "channel 10"))
    np.testing.assert_array_equal(plate.fields["B04"][1].read().pixels, pixels_of("B04", 2, ("DNA", "Mito", "ER")) + 1)


def test_an_index_that_cannot_be_used(tmp_path):
    folder = _export(tmp_path / "P", PLACES)
    index = folder / "Images" / "Index.idx.xml"
    whole = index.read_text()
    index.write_text(whole[: len(whole) // 2])
    with pytest.raises(WellError, match=r"Index\.idx\.xml is damaged .*Copy it again"):
        read_plate(folder)
    index.write_text(whole.replace("<Row>2</Row>", ""))
    with pytest.raises(WellError, match="lists an image without its well or field"):
        read_plate(folder)
    index.write_text(whole)
    for file in (folder / "Images").glob("*.tiff"):
        file.unlink()
    with pytest.raises(WellError, match=r"has 0 wells with images: it speaks of 4, but none of their files is there"):
        read_plate(folder)


def test_a_layout_becomes_conditions(tmp_path):
    folder = _export(tmp_path / "P", PLACES)
    layers = "".join(
        f"<Layer><Name>{name}</Name><Well><Row>2</Row><Col>3</Col><Value>{value}</Value></Well>"
        "<Well><Row>2</Row><Col>4</Col><Value /></Well></Layer>"
        for name, value in (("Compound", "DMSO"), ("Concentration", "0.5"))
    )
    (folder / "Assaylayout").mkdir()
    (folder / "Assaylayout" / "A.xml").write_text(f"<AssayLayout xmlns='x/HarmonyV5'>{layers}</AssayLayout>")
    plate = read_plate(folder)
    assert plate.conditions == {"B03": {"Compound": "DMSO", "Concentration": 0.5}}
    assert plate.notes[0] == "The conditions are those of A.xml."
    (folder / "Assaylayout" / "A.xml").write_text("<AssayLayout>")
    plate = read_plate(folder)
    assert plate.conditions == {}
    assert plate.notes[0].startswith("A.xml was not used: ")
    assert read_plate(folder, conditions={"b4": {"dose": 2}}).conditions == {"B04": {"dose": 2.0}}


@needs_shared
def test_a_real_export():
    plate = read_plate(SHARED / "harmony" / "operetta_plate")
    assert (plate.name, plate.layout, plate.stains) == ("Test_Sample_BALL", (16, 24), ("Fluorescein (FITC)",))
    assert [field.name for field in plate] == ["C03 field 1", "C03 field 2"]
    assert plate.pixel_size == pytest.approx((1.19595, 1.19595), rel=1e-5)
    assert plate.conditions == {"C03": {"drug": "DMSO", "concentration": 0.125, "unit": "%"}}
    well = plate.fields["C03"][1].read()
    assert (well.pixels.shape, well.stains, well.field) == ((1, 1080, 1080), ("Fluorescein (FITC)",), 2)
    assert well.source[0].endswith("r03c03f02p01-ch1sk1fk1fl1.tiff")


@needs_shared
def test_a_real_export_with_a_file_gone(tmp_path):
    shutil.copytree(
        SHARED / "harmony" / "operetta_plate" / "Images", tmp_path / "Images", copy_function=shutil.copyfile
    )
    (tmp_path / "Images").chmod(0o755)
    (tmp_path / "Images" / "r03c03f01p01-ch1sk1fk1fl1.tiff").unlink()
    plate = read_plate(tmp_path)
    assert plate.notes == ("1 field is missing: C03 field 1.",)
    assert plate.fields["C03"][1].read().field == 2


@needs_shared
def test_real_names_without_an_index():
    plate = read_plate(SHARED / "jump-phenix" / "orig")
    assert (plate.format, plate.stains, plate.named) == (
        "file names (Phenix / Operetta)",
        ("channel 2", "channel 3", "channel 5"),
        False,
    )
    assert plate.fields["A01"][0].read().pixels.shape == (3, 1080, 1080)
    shown = preview(SHARED / "jump-phenix" / "orig")
    assert shown.rows[0] == ("r01c01f01p01-ch2sk1fk1fl1.tiff", "A01", 1, "channel 2")
