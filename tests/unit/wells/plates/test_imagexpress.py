"""ImageXpress exports: three real ones, and made ones with something missing."""

import numpy as np
import pytest
from plates import STAINS, pixels_of, tiff
from shared_data import SHARED, needs_shared
from tifffile import imread

from napari_attribution import read_plate
from napari_attribution.errors import WellError
from napari_attribution.wells.readers.plates import preview

REAL = SHARED / "imagexpress"


def _export(folder, wells=("B02", "B03", "C02"), sites=2, waves=STAINS, chosen=None, name="9987"):
    """An export of 96 wells; `chosen` are the wells that the description speaks of."""
    for well in wells:
        for site in range(1, sites + 1):
            for wave, stain in enumerate(waves, start=1):
                tiff(folder / "TimePoint_1" / f"{name}_{well}_s{site}_w{wave}.TIF", pixels_of(well, site, [stain])[0])
    selected = [
        f'"WellsSelection{row}", '
        + ", ".join(
            "TRUE" if f"{chr(64 + row)}{column:02d}" in (chosen or wells) else "FALSE" for column in range(1, 13)
        )
        for row in range(1, 9)
    ]
    named = [f'"WaveName{number}", "{stain}"' for number, stain in enumerate(waves, start=1)]
    lines = [
        '"HTSInfoFile", Version 1.0',
        '"XWells", 12',
        '"YWells", 8',
        *selected,
        f'"NWavelengths", {len(waves)}',
        *named,
    ]
    sitting = '"SiteSelection1", ' + ", ".join(["TRUE"] * sites + ["FALSE"])
    (folder / f"{name}.HTD").write_bytes("\r\n".join([*lines, sitting, '"EndFile"']).encode() + b"\x82\x81")
    return folder


@pytest.mark.parametrize("given", ["", "9987.HTD"])
def test_an_export(tmp_path, given):
    plate = read_plate(_export(tmp_path) / given)
    assert (plate.name, plate.format, plate.layout, plate.stains) == ("9987", "ImageXpress", (8, 12), STAINS)
    assert (list(plate.fields), len(plate), plate.notes) == (["B02", "B03", "C02"], 6, ())
    for field in plate:
        well = field.read()
        np.testing.assert_array_equal(well.pixels, pixels_of(field.position, field.number))
        assert (well.stains, well.named) == (STAINS, True)


def test_a_missing_well_site_and_stain_shift_nothing(tmp_path):
    _export(tmp_path, chosen=("B02", "B03", "C02", "H12"))
    (tmp_path / "TimePoint_1" / "9987_B03_s1_w2.TIF").unlink()
    for wave in (1, 2, 3):
        (tmp_path / "TimePoint_1" / f"9987_C02_s1_w{wave}.TIF").unlink()
    plate = read_plate(tmp_path)
    assert plate.notes == (
        "1 well has no images: H12.",
        "1 field is missing: C02 field 1.",
        "The stain ER is missing in 1 field: B03 field 1.",
    )
    assert plate.fields["B03"][0].missing == ("ER",)
    assert plate.fields["B03"][0].reading["stains"] == ["DNA", "Mito"]
    with pytest.raises(WellError, match="B03 field 1 lacks the stain ER"):
        plate.fields["B03"][0].read()
    with pytest.raises(WellError, match="C02 field 1 is missing"):
        plate.fields["C02"][0].read()
    np.testing.assert_array_equal(plate.fields["C02"][1].read().pixels, pixels_of("C02", 2))


def test_a_stain_without_any_image_is_left_out_and_said(tmp_path):
    _export(tmp_path)
    for file in (tmp_path / "TimePoint_1").glob("*_w2.TIF"):
        file.unlink()
    plate = read_plate(tmp_path)
    assert plate.stains == ("DNA", "Mito")
    assert plate.notes == ("The plate speaks of ER, but no field has an image of it; left out.",)
    np.testing.assert_array_equal(plate.fields["C02"][1].read().pixels, pixels_of("C02", 2, ("DNA", "Mito")))


def test_two_plates_in_a_folder_and_a_description_that_says_nothing(tmp_path):
    _export(tmp_path)
    _export(tmp_path, wells=("B02",), name="1234")
    with pytest.raises(
        WellError, match=r"holds 2 ImageXpress plates \(1234\.HTD, 9987\.HTD\)\. Give one of these files"
    ):
        read_plate(tmp_path)
    plate = read_plate(tmp_path / "1234.HTD")
    assert (list(plate.fields), plate.notes[0].startswith("18 files belong to no field")) == (["B02"], True)
    (tmp_path / "1234.HTD").write_text('"HTSInfoFile", Version 1.0')
    with pytest.raises(WellError, match="does not say how many wells"):
        read_plate(tmp_path / "1234.HTD")


@needs_shared
def test_real_one_stain_and_no_site():
    plate = read_plate(REAL / "9987_Plate_3420")
    assert (plate.layout, plate.stains, plate.named, [field.name for field in plate]) == (
        (8, 12),
        ("DAPI",),
        True,
        ["B02 field 1"],
    )
    well = plate.fields["B02"][0].read()
    assert (well.stains, well.pixel_size, well.field) == (("DAPI",), (1.3672, 1.3672), 1)


@needs_shared
def test_real_steps_need_a_projection_and_the_microscopes_own_is_no_step():
    plate = read_plate(REAL / "9987_Plate_3434")
    assert (plate.stains, len(plate)) == (("DAPI", "FITC", "Texas Red"), 4)
    assert plate.notes == (
        "ZStep_0 is the microscope's own projection and is left out; to use it, give that folder.",
        "The plate speaks of Cy5, but no field has an image of it; left out.",
    )
    with pytest.raises(WellError, match=r"B02 field 1 is a focal stack: 2 .*ZStep_1/9987_B02_s1_w1\.TIF.*Project them"):
        plate.fields["B02"][0].read()
    folder = REAL / "9987_Plate_3434" / "TimePoint_1"
    for field in read_plate(REAL / "9987_Plate_3434", project="mean"):
        planes = np.stack(
            [
                [
                    imread(folder / f"ZStep_{step}" / f"9987_{field.position}_s{field.number}_w{wave}.TIF")
                    for wave in (1, 2, 3)
                ]
                for step in (1, 2)
            ]
        )
        np.testing.assert_array_equal(field.read().pixels, np.rint(planes.mean(0)).astype(np.uint16))
    own = read_plate(folder / "ZStep_0").fields["B03"][1].read()
    np.testing.assert_array_equal(own.pixels[0], imread(folder / "ZStep_0" / "9987_B03_s2_w1.TIF"))


@needs_shared
def test_real_time_points_are_chosen_by_their_folder():
    with pytest.raises(WellError, match=r"has 2 time points \(TimePoint_1, TimePoint_2\).*Give one of these folders"):
        read_plate(REAL / "9987_Plate_3435")
    for time in (1, 2):
        folder = REAL / "9987_Plate_3435" / f"TimePoint_{time}"
        plate = read_plate(folder)
        assert plate.stains == ("DAPI", "FITC")
        np.testing.assert_array_equal(plate.fields["B03"][1].read().pixels[1], imread(folder / "9987_B03_s2_w2.TIF"))


@needs_shared
def test_preview_says_which_file_is_what():
    shown = preview(REAL / "9987_Plate_3434", most=3)
    assert shown.rows == (
        ("TimePoint_1/ZStep_1/9987_B02_s1_w1.TIF", "B02", 1, "DAPI"),
        ("TimePoint_1/ZStep_2/9987_B02_s1_w1.TIF", "B02", 1, "DAPI"),
        ("TimePoint_1/ZStep_1/9987_B02_s1_w2.TIF", "B02", 1, "FITC"),
    )
    assert shown.count == 24
