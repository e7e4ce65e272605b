"""Plates of files whose names say where they belong."""

import pickle

import numpy as np
import pytest
import tifffile
from plates import STAINS, pixels_of, tiff
from shared_data import SHARED, needs_shared

from napari_attribution import read_plate
from napari_attribution.errors import StainError, WellError
from napari_attribution.wells.readers.plates import preview

PLACES = [(well, field) for well in ("B02", "B03", "C02") for field in (1, 2)]
PATTERN = r"^run_(?P<well>[A-P]\d\d)-(?P<field>\d+)-(?P<stain>\w+)"


def _named(folder):
    for well, field in PLACES:
        for stain in STAINS:
            tiff(folder / f"run_{well}-{field}-{stain}.tif", pixels_of(well, field, [stain])[0])
    return folder


def _whole(folder, name="p_{well}_s{field}.ome.tiff"):
    for well, field in PLACES:
        metadata = {"axes": "CYX", "Channel": {"Name": list(STAINS)}}
        file = folder / name.format(well=well, field=field)
        tifffile.imwrite(file, pixels_of(well, field), ome=True, photometric="minisblack", metadata=metadata)
    return folder


def _each_shows_its_own(plate):
    assert len(plate) == len(PLACES)
    for field in plate:
        well = field.read()
        np.testing.assert_array_equal(well.pixels, pixels_of(field.position, field.number, plate.stains))
        assert (well.stains, well.position, well.field) == (plate.stains, field.position, field.number)
        assert pickle.loads(pickle.dumps(field)).reading == field.reading


def test_the_users_pattern(tmp_path):
    plate = read_plate(_named(tmp_path), pattern=PATTERN)
    assert (plate.stains, plate.named, plate.format) == (STAINS, True, "file names (your pattern)")
    _each_shows_its_own(plate)


def test_one_file_with_all_stains_a_field(tmp_path):
    plate = read_plate(_whole(tmp_path))
    assert (plate.stains, plate.named, plate.layout) == (STAINS, True, (3, 4))
    _each_shows_its_own(plate)
    renamed = read_plate(tmp_path, stains=["a", "b", "c"])
    assert renamed.stains == renamed.fields["C02"][1].read().stains == ("a", "b", "c")
    with pytest.raises(StainError, match=r"2 stains were named \(a, b\), but the plate has 3 \(DNA, ER, Mito\)"):
        read_plate(tmp_path, stains=["a", "b"])


def test_a_pattern_without_stains_is_of_files_with_all_of_them(tmp_path):
    plate = read_plate(_whole(tmp_path, "x{field}_{well}z.tif"), pattern=r"x(?P<field>\d)_(?P<row>[A-P])(?P<col>\d\d)z")
    assert plate.stains == STAINS
    _each_shows_its_own(plate)


def test_a_file_with_a_stain_too_few_is_known_when_it_is_read(tmp_path):
    _whole(tmp_path)
    metadata = {"axes": "CYX", "Channel": {"Name": ["DNA", "Mito"]}}
    two = pixels_of("B03", 1, ("DNA", "Mito"))
    tifffile.imwrite(tmp_path / "p_B03_s1.ome.tiff", two, ome=True, photometric="minisblack", metadata=metadata)
    plate = read_plate(tmp_path)
    with pytest.raises(WellError, match="B03 field 1 lacks the stain ER: there is no image of it"):
        plate.fields["B03"][0].read()


def test_a_missing_field_and_stain_shift_nothing(tmp_path):
    _named(tmp_path)
    (tmp_path / "run_B03-1-DNA.tif").unlink()
    for stain in STAINS:
        (tmp_path / f"run_C02-1-{stain}.tif").unlink()
    plate = read_plate(tmp_path, pattern=PATTERN)
    assert plate.notes == (
        "1 field is missing: C02 field 1.",
        "The stain DNA is missing in 1 field: B03 field 1.",
    )
    with pytest.raises(WellError, match="B03 field 1 lacks the stain DNA"):
        plate.fields["B03"][0].read()
    np.testing.assert_array_equal(plate.fields["C02"][1].read().pixels, pixels_of("C02", 2))


def test_stains_that_are_numbers_keep_them_where_one_is_missing(tmp_path):
    for well in ("A01", "A02", "A03"):
        for number, stain in enumerate(STAINS, start=1):
            if (well, number) != ("A01", 2):
                tiff(tmp_path / f"p_{well}_w{number}.tif", pixels_of(well, 1, [stain])[0])
    plate = read_plate(tmp_path)
    assert (plate.stains, plate.named) == (("channel 1", "channel 2", "channel 3"), False)
    assert plate.fields["A01"][0].missing == ("channel 2",)
    np.testing.assert_array_equal(plate.fields["A03"][0].read().pixels, pixels_of("A03", 1))
    named = read_plate(tmp_path, stains=STAINS)
    assert named.fields["A01"][0].missing == ("ER",)
    assert named.fields["A03"][0].read().stains == STAINS


def test_what_matches_nothing_is_said(tmp_path):
    _named(tmp_path)
    tiff(tmp_path / "overview.tif", np.ones((4, 4), np.uint8))
    plate = read_plate(tmp_path, pattern=PATTERN)
    assert plate.notes == ("1 file belongs to no field and is left out: overview.tif.",)
    shown = preview(tmp_path, pattern=PATTERN, most=2)
    assert shown.rows == (("run_B02-1-DNA.tif", "B02", 1, "DNA"), ("run_B02-1-ER.tif", "B02", 1, "ER"))
    assert (shown.count, shown.unmatched, shown.format) == (18, ("overview.tif",), "file names (your pattern)")


@pytest.mark.parametrize(
    ("names", "pattern", "says"),
    [
        ([], None, "has 0 wells: there are no TIFF images in it"),
        (["one.tif", "C1-two.tif"], None, r"do not say which well each is of \(C1-two\.tif, one\.tif\).*a pattern"),
        (["p_B2.tif", "p_B3.tif"], None, r"such as B02\.tif; or .* \(\?P<well>\[A-P\]\\d\+\) where a file holds all"),
        (["p_A01_w1.tif", "q_A02_w1.tif"], None, r"are of 2 plates or reads \(p, q\)"),
        (["r01c01f01p01-ch1sk1.tif", "r01c01f01p01-ch1sk2.tif"], None, r"show 2 time points \(1, 2\)"),
        (["p_A01_w1.tif", "p_a01_w1.tif"], None, r"both claim to be the same image of A01 field 1"),
        (["p_A01_w1.tif"], r"(?P<stain>w\d)", "does not say where the well is"),
        (["p_A01_w1.tif"], r"(?P<well>X\d)", r"do not say which well"),
        (["p_A01_w1.tif"], r"(?P<well>", "is no regular expression"),
    ],
)
def test_names_that_make_no_plate(tmp_path, names, pattern, says):
    for name in names:
        tiff(tmp_path / name, np.ones((4, 4), np.uint8))
    with pytest.raises(WellError, match=says):
        read_plate(tmp_path, pattern=pattern)


def test_folders_within_are_pointed_to_and_a_file_is_no_plate(tmp_path):
    tiff(tmp_path / "inner" / "p_A01_w1.tif", np.ones((4, 4), np.uint8))
    with pytest.raises(WellError, match=r"It holds the folders inner; give one of those"):
        read_plate(tmp_path)
    with pytest.raises(WellError, match=r"p_A01_w1\.tif is no plate"):
        read_plate(tmp_path / "inner" / "p_A01_w1.tif")


def test_what_lies_in_a_folder_without_images_is_said(tmp_path):
    for name in ("b.czi", "a.PNG", ".hidden.xml"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(WellError, match=r"It holds \.czi, \.png files; export the images as TIFF or OME-TIFF\."):
        read_plate(tmp_path)
    for well in ("B02", "b3"):
        (tmp_path / well).mkdir()
    with pytest.raises(
        WellError, match=r"It holds a folder for each well \(B02, b3\)\. Put their images into one folder"
    ):
        read_plate(tmp_path)


def test_the_layout_holds_the_images(tmp_path):
    assert read_plate(_named(tmp_path), pattern=PATTERN, layout=(16, 24)).layout == (16, 24)
    with pytest.raises(WellError, match=r"A plate of 2 x 2 wells has no B03, C02, of which there are images"):
        read_plate(tmp_path, pattern=PATTERN, layout=(2, 2))


@needs_shared
def test_bbbc013_is_a_plate_with_its_doses():
    plate = read_plate(SHARED / "bbbc013", stains=["GFP", "DNA"], conditions=SHARED / "bbbc013" / "1049_Metadata.csv")
    assert (plate.layout, plate.stains, len(plate.fields), len(plate), plate.notes) == (
        (8, 12),
        ("GFP", "DNA"),
        48,
        48,
        (),
    )
    assert plate.columns == ("ImageNumber", "SBS_Doses", "SBS_Controls")
    assert [plate.conditions[f"B{column:02d}"]["SBS_Doses"] for column in range(1, 13)] == [0, 0, *range(1, 11)]
    well = plate.fields["B07"][0].read()
    assert (well.stains, well.name) == (("GFP", "DNA"), "B07 field 1")
    for channel, number in ((1, 0), (2, 1)):
        np.testing.assert_array_equal(
            well.pixels[number], tifffile.imread(SHARED / "bbbc013" / f"Channel{channel}-19-B-07.tif")
        )


@needs_shared
def test_nf1_has_its_genotypes():
    plate = read_plate(SHARED / "nf1" / "Plate_2_images", conditions=SHARED / "nf1" / "platemap_NF1_plate2.csv")
    assert (plate.stains, list(plate.fields), plate.layout) == (
        ("DAPI", "GFP", "RFP"),
        ["B07", "D06", "D07", "F07", "H12"],
        (8, 12),
    )
    genotypes = {well: plate.conditions[well]["genotype"] for well in plate.fields}
    assert genotypes == {"B07": "Null", "D06": "WT", "D07": "Null", "F07": "Null", "H12": "Null"}
    assert [field.name for field in plate] == [
        "B07 field 3",
        "D06 field 2",
        "D07 field 1",
        "F07 field 2",
        "H12 field 1",
    ]
    assert plate.fields["F07"][0].read().pixels.shape == (3, 904, 1224)
