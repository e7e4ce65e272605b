"""One file a stain: which files belong together, and what their names say."""

import numpy as np
import pytest
import tifffile

from napari_attribution.errors import PixelError, StainError, WellError
from napari_attribution.wells import read_well
from napari_attribution.wells.readers.names import position


def _write(folder, *names, dtype="uint16", shape=(12, 16), **options):
    """A file for each name, filled with its place in the list; returns that value by name."""
    folder.mkdir(exist_ok=True)
    for value, name in enumerate(names, start=1):
        tifffile.imwrite(
            folder / name, np.full(shape, value, dtype), photometric="minisblack", metadata=None, **options
        )
    return dict(zip(names, range(1, len(names) + 1), strict=True))


def _values(well):
    """The one value that each stain's file was filled with."""
    assert all(len(np.unique(plane)) == 1 for plane in well.pixels)
    return [int(plane[0, 0]) for plane in well.pixels]


def test_pixels_that_are_no_numbers_are_told_by_the_name_of_their_stain(tmp_path):
    plain = tmp_path / "numbered"
    _write(plain, "p_B02_s1_w1.tif", "p_B02_s1_w2.tif", "p_B02_s1_w3.tif", dtype="float32")
    bad = np.ones((12, 16), "float32")
    bad[0, :5] = np.nan
    tifffile.imwrite(plain / "p_B02_s1_w2.tif", bad, metadata=None)
    named = tmp_path / "named"
    _write(named, "B02_DNA.tif", dtype="float32")
    tifffile.imwrite(named / "B02_GFP.tif", np.where(np.arange(16) + bad[:, :1] * 0 > 14, np.inf, 1).astype("float32"))
    whole = tmp_path / "whole.tif"
    tifffile.imwrite(whole, np.stack([np.ones_like(bad), np.ones_like(bad), bad]), photometric="minisblack")
    stains = ["DNA", "GFP", "Mito"]
    cases = [
        (plain / "p_B02_s1_w1.tif", stains, "p_B02_s1_w2.tif: The stain GFP holds 5 pixels that are not numbers"),
        (plain / "p_B02_s1_w2.tif", stains, "p_B02_s1_w2.tif: The stain GFP holds 5 pixels"),
        (sorted(plain.iterdir()), stains, "p_B02_s1_w2.tif: The stain GFP holds 5 pixels"),
        (plain / "p_B02_s1_w2.tif", None, "p_B02_s1_w2.tif: The stain channel 2 holds 5 pixels"),
        (named, None, "B02_GFP.tif: The stain GFP holds 1"),
        (whole, stains, "whole.tif: The stain Mito holds 5 pixels"),
    ]
    for path, given, sentence in cases:
        with pytest.raises(PixelError, match=sentence.replace(".", r"\.")):
            read_well(path, stains=given)


FAMILIES = {
    "BBBC013": (
        ["Channel1-13-B-01.tif", "Channel2-13-B-01.tif"],
        ["Channel1-14-B-02.tif"],
        (("channel 1", "channel 2"), False, "B01", None),
    ),
    "Phenix": (
        ["r02c07f03p01-ch1sk1fk1fl1.tiff", "r02c07f03p01-ch10sk1fk1fl1.tiff", "r02c07f03p01-ch2sk1fk1fl1.tiff"],
        ["r02c07f04p01-ch1sk1fk1fl1.tiff", "r02c08f03p01-ch2sk1fk1fl1.tiff"],
        (("channel 1", "channel 2", "channel 10"), False, "B07", 3),
    ),
    "Phenix, row AB": (["r28c01f01p01-ch1.tiff"], [], (("channel 1",), False, "AB01", 1)),
    "ImageXpress": (
        ["9987_B02_s1_w1.TIF", "9987_B02_s1_w2.TIF"],
        ["9987_B02_s2_w1.TIF", "9987_B03_s1_w1.TIF", "1234_B02_s1_w1.TIF", "9987_B02_s1_w1_thumb.TIF"],
        (("channel 1", "channel 2"), False, "B02", 1),
    ),
    "ImageXpress with identifiers": (
        [f"p_B02_s1_w{w}{w}0E1F2A3-0000-1111-2222-33334444555{w}.tif" for w in (1, 2)],
        ["p_B02_s1_w1_thumb10E1F2A3-0000-1111-2222-333344445556.tif"],
        (("channel 1", "channel 2"), False, "B02", 1),
    ),
    "ImageXpress, one site": (["p_P24_w1.tif", "p_P24_w2.tif"], [], (("channel 1", "channel 2"), False, "P24", None)),
    "ImageXpress, one stain": (["p_B02.TIF"], ["p_B03.TIF"], (("channel 1",), False, "B02", None)),
    "Cell Painting": (
        ["D7_01_1_2_DAPI_001.tif", "D7_01_2_2_Texas Red_001.tif", "D7_01_3_2_Bright Field_001.tif"],
        ["D7_01_1_1_DAPI_001.tif", "D6_01_1_2_DAPI_001.tif", "D7_01_1_2_DAPI_001_MaskNuclei.tif"],
        (("DAPI", "Texas Red", "Bright Field"), True, "D07", 2),
    ),
    "split by ImageJ": (
        ["C1-cells.tif", "C2-cells.tif"],
        ["C1-other.tif"],
        (("channel 1", "channel 2"), False, None, None),
    ),
    "numbered": (
        ["cells_ch00.tif", "cells_ch01.tif"],
        ["more_ch00.tif"],
        (("channel 0", "channel 1"), False, None, None),
    ),
    "named": (
        ["exp 1_DAPI.tif", "exp 1_FKHR-EGFP.tif", "exp 1_Mito.tif"],
        ["exp 2_DAPI.tif", "exp 1_DAPI_mask.tif", "exp 1_final.tif"],
        (("DAPI", "FKHR-EGFP", "Mito"), True, None, None),
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_finds_its_siblings_and_no_others(tmp_path, family):
    field, others, expected = FAMILIES[family]
    filled = _write(tmp_path, *field, *others)
    stains = [filled[name] for name in field]
    if family == "Phenix":
        stains = [1, 3, 2]  # by number: ch2 comes before ch10
    for name in field:
        well = read_well(tmp_path / name)
        assert (well.stains, well.named, well.position, well.field) == expected
        assert _values(well) == stains
        assert len(well.source) == len(field)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_with_one_field_gives_the_same_well(tmp_path, family):
    field, _, expected = FAMILIES[family]
    _write(tmp_path, *field)
    (tmp_path / "notes.csv").write_text("not an image")
    well = read_well(tmp_path)
    assert (well.stains, well.named, well.position, well.field) == expected


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["Channel1-01-A-01.tif", "Channel1-02-A-02.tif"], r"2 wells or fields \(A01, A02\)"),
        (["p_A01_s1_w1.tif", "p_A01_s2_w1.tif"], r"2 wells or fields \(A01 field 1, A01 field 2\)"),
        (["p_A01_s1_w1.tif", "q_A01_s1_w1.tif"], r"A01 field 1 \(p\), A01 field 1 \(q\)"),
        ([f"p_A{n:02d}_w1.tif" for n in range(1, 11)], "A05, A06 and 4 more"),
        (["exp_C01.tif", "exp_C02.tif", "exp_C03.tif"], r"3 wells or fields \(C01, C02, C03\)"),
    ],
)
def test_a_folder_with_several_fields_is_refused_with_their_list(tmp_path, names, says):
    _write(tmp_path, *names)
    with pytest.raises(WellError, match=says + ".*Give one of the files instead"):
        read_well(tmp_path)


@pytest.mark.parametrize("names", [["exp_one.tif", "exp_two.tif"], ["plate_control.tif", "plate_treated.tif"]])
def test_words_that_are_no_stains_make_no_siblings(tmp_path, names):
    _write(tmp_path, *names)
    well = read_well(tmp_path / names[0])
    assert (len(well.stains), well.named) == (1, False)
    assert len(read_well(tmp_path).stains) == 2, "but a folder of its own is a field by the user's word"


def test_time_is_chosen_by_the_file_and_refused_in_a_folder(tmp_path):
    names = [f"r01c01f01p01-ch{c}sk{t}fk1fl1.tiff" for t in (1, 2) for c in (1, 2)]
    _write(tmp_path, *names)
    assert _values(read_well(tmp_path / names[2])) == [3, 4]
    with pytest.raises(WellError, match=r"2 time points \(1, 2\).*Choose one time point"):
        read_well(tmp_path)


def test_focal_planes_in_files_of_their_own_need_a_projection(tmp_path):
    names = [f"r01c01f01p{z:02d}-ch{c}sk1fk1fl1.tiff" for c in (1, 2) for z in (1, 2, 3)]
    _write(tmp_path, *names)
    with pytest.raises(
        WellError, match=r"A01 field 01 is a focal stack: 3 focal planes in files of their own.*project: max"
    ):
        read_well(tmp_path / names[0])
    assert _values(read_well(tmp_path / names[4], project="max")) == [3, 6]
    assert _values(read_well(tmp_path, project="mean")) == [2, 5]
    assert _values(read_well(tmp_path, project="middle")) == [2, 5]
    assert _values(read_well([tmp_path / names[1], tmp_path / names[4]])) == [2, 5]


def test_a_list_keeps_its_order_and_takes_the_callers_names(tmp_path):
    _write(tmp_path, "D7_01_1_1_DAPI_001.tif", "D7_01_2_1_GFP_001.tif")
    files = [tmp_path / "D7_01_2_1_GFP_001.tif", tmp_path / "D7_01_1_1_DAPI_001.tif"]
    well = read_well(files)
    assert (well.stains, _values(well), well.position) == (("GFP", "DAPI"), [2, 1], "D07")
    assert read_well(map(str, files), stains=["ER", "DNA"]).stains == ("ER", "DNA")


def test_a_list_of_names_without_a_pattern_is_channels_in_order(tmp_path):
    _write(tmp_path, "one.tif", "three.tif", "two.tif")
    well = read_well([tmp_path / "one.tif", tmp_path / "two.tif", tmp_path / "three.tif"])
    assert (well.stains, well.named, _values(well)) == (("channel 1", "channel 2", "channel 3"), False, [1, 3, 2])


def test_a_list_of_one_file_has_no_siblings(tmp_path):
    _write(tmp_path, "D7_01_1_1_DAPI_001.tif", "D7_01_2_1_GFP_001.tif")
    well = read_well([tmp_path / "D7_01_2_1_GFP_001.tif"])
    assert (well.stains, _values(well), well.position, well.field) == (("GFP",), [2], "D07", 1)


def test_bbbc013_takes_the_callers_names_and_no_others(tmp_path):
    _write(tmp_path, "Channel1-01-A-01.tif", "Channel2-01-A-01.tif")
    well = read_well(tmp_path, stains=["GFP", "DNA"])
    assert (well.stains, well.named, well.position) == (("GFP", "DNA"), True, "A01")
    with pytest.raises(StainError, match=r"\(GFP\), but A01 has 2 channels \(channel 1, channel 2\)"):
        read_well(tmp_path, stains=["GFP"])


def test_the_users_pattern_reads_what_no_other_does(tmp_path):
    names = [
        f"run7.{stain}.{well}.site{field}.tif" for well in ("b3", "B4") for field in (1, 2) for stain in ("dna", "er")
    ]
    _write(tmp_path, *names)
    pattern = r"\.(?P<stain>\w+)\.(?P<well>[A-Pa-p]\d+)\.site(?P<field>\d+)"
    well = read_well(tmp_path / names[2], pattern=pattern)
    assert (well.stains, well.position, well.field, _values(well)) == (("dna", "er"), "B03", 2, [3, 4])
    row_and_column = r"\.(?P<stain>\w+)\.(?P<row>[A-P])(?P<col>\d+)\.site(?P<field>\d+)\.tif$"
    assert read_well(tmp_path / names[4], pattern=row_and_column).position == "B04"
    with pytest.raises(WellError, match="4 wells or fields"):
        read_well(tmp_path, pattern=pattern)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(?P<stain>", "is no regular expression"),
        (r"(?P<well>[A-P]\d\d)_(?P<field>\d)", r"does not say where the stain is \(named groups: field, well\)"),
        (r"(?P<stain>w\d)_x", r"does not match a_w1\.tif"),
    ],
)
def test_a_pattern_of_no_use_is_explained(tmp_path, pattern, says):
    _write(tmp_path, "a_w1.tif")
    with pytest.raises(WellError, match=says):
        read_well(tmp_path / "a_w1.tif", pattern=pattern)
    if "match" in says:
        with pytest.raises(WellError, match=says):
            read_well([tmp_path / "a_w1.tif"], pattern=pattern)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"shape": (10, 16)}, r"a_DAPI\.tif is 12 x 16 pixels.*a_GFP\.tif is 10 x 16 pixels"),
        ({"dtype": "uint8"}, r"a_DAPI\.tif is uint16, but a_GFP\.tif is uint8"),
        (
            {"resolution": (8000, 8000), "resolutionunit": "centimeter"},
            r"a_DAPI\.tif has 1 um, but a_GFP\.tif 1\.25 um",
        ),
    ],
)
def test_stains_that_do_not_fit_together_are_refused_by_file(tmp_path, other, says):
    _write(tmp_path, "a_DAPI.tif", resolution=(10_000, 10_000), resolutionunit="centimeter")
    _write(tmp_path, "a_GFP.tif", **other)
    with pytest.raises(WellError, match=says):
        read_well(tmp_path)


def test_two_files_for_one_stain_are_refused_by_name(tmp_path):
    _write(tmp_path, "D7_01_1_1_DAPI_001.tif", "D7_01_2_1_DAPI_001.tif")
    with pytest.raises(
        WellError, match=r"D7_01_1_1_DAPI_001\.tif and D7_01_2_1_DAPI_001\.tif both claim to be the stain"
    ):
        read_well(tmp_path)


def test_names_without_one_pattern_are_refused_in_a_folder(tmp_path):
    _write(tmp_path, "Channel1-01-A-01.tif", "overview.tif")
    with pytest.raises(WellError, match=r"do not follow one pattern.*overview\.tif.*as a list.*a pattern"):
        read_well(tmp_path)


def test_a_file_with_all_stains_needs_no_siblings(tmp_path):
    _write(tmp_path, "p_B02_w1.tif", shape=(3, 12, 16))
    _write(tmp_path, "p_B02_w2.tif")
    well = read_well(tmp_path / "p_B02_w1.tif")
    assert (well.pixels.shape, well.position) == ((3, 12, 16), "B02")
    with pytest.raises(WellError, match=r"p_B02_w1\.tif holds 3 channels, but is one of 2 files"):
        read_well(tmp_path)


def test_stains_named_within_numbered_files_are_used(tmp_path):
    for number, stain in enumerate(("DNA", "Actin"), start=1):
        pixels = np.full((12, 16), number, np.uint16)
        metadata = {"axes": "YX", "Channel": {"Name": [stain]}}
        tifffile.imwrite(
            tmp_path / f"p_B02_w{number}.tif", pixels, ome=True, photometric="minisblack", metadata=metadata
        )
    well = read_well(tmp_path)
    assert (well.stains, well.named, _values(well)) == (("DNA", "Actin"), True, [1, 2])


def test_a_folder_in_a_list_is_refused(tmp_path):
    with pytest.raises(WellError, match="is a folder; give it alone"):
        read_well([tmp_path])


@pytest.mark.parametrize(
    ("row", "column", "place"),
    [("a", "1", "A01"), ("P", "24", "P24"), (2, 3, "B03"), ("26", 1, "Z01"), (27, 1, "AA01")],
)
def test_positions_are_a_letter_and_two_digits(row, column, place):
    assert position(row, column) == place


def test_stains_with_different_numbers_of_focal_planes_are_refused(tmp_path):
    names = [f"r01c01f01p{z:02d}-ch1sk1fk1fl1.tiff" for z in (1, 2, 3)] + ["r01c01f01p01-ch2sk1fk1fl1.tiff"]
    _write(tmp_path, *names)
    with pytest.raises(WellError, match=r"differ in their number of focal planes .*has 3.*has 1"):
        read_well(tmp_path, project="max")
