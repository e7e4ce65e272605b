"""Files that microscopes and ImageJ wrote, held against Pillow: a reader that shares no code with tifffile."""

import numpy as np
import pytest
from PIL import Image
from shared_data import SHARED, needs_shared

from napari_attribution.errors import WellError
from napari_attribution.wells import read_well
from napari_attribution.wells.quality import flaws

pytestmark = needs_shared

FLAVOURS = {
    "16b_4c_neuron-composite.tif": (4, "uint16", 0.16),
    "8b_2c_actin-nuclei.tif": (2, "uint8", None),
    "8b_3c_composite_FluorescentCells.tif": (3, "uint8", None),
    "8b_4c_neuron-composite.tif": (4, "uint8", 0.16),
    "8b_5c_rat_hippocampal_neuron.tif": (5, "uint8", 0.16),
}


def _pages(*files):
    """Every page of every file, as Pillow decodes it; for a palette these are the stored indices."""
    pages = []
    for file in files:
        with Image.open(file) as image:
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                pages.append(np.array(image))
    return np.stack(pages)


def _agrees(well, *files):
    expected = _pages(*files)
    assert well.pixels.shape == expected.shape
    assert well.pixels.dtype == expected.dtype
    np.testing.assert_array_equal(well.pixels, expected)
    assert expected.std(axis=(1, 2)).min() > 0


@pytest.mark.parametrize("place", ["01-A-01", "24-B-12", "40-D-04"])
def test_bbbc013_palettes_are_grey_values(place):
    files = [SHARED / "bbbc013" / f"Channel{channel}-{place}.tif" for channel in (1, 2)]
    well = read_well(files[1])
    _agrees(well, *files)
    assert (well.stains, well.named) == (("channel 1", "channel 2"), False)
    assert well.position == place[3] + place[5:]
    assert well.pixel_size is None, "72 dots per inch is what Photoshop writes, not the size of a pixel"
    with Image.open(files[0]) as image:
        assert image.mode == "P"
        # The picture as shown is the palette's grey, and that is the stored value.
        np.testing.assert_array_equal(np.array(image.convert("L")), well.pixels[0])
    assert flaws(well) == ()


def test_bbbc013_as_a_folder_is_many_wells():
    with pytest.raises(WellError, match=r"96 files show 48 wells or fields \(A01, A02"):
        read_well(SHARED / "bbbc013")


def test_nf1_stains_and_field_come_from_the_names():
    folder = SHARED / "nf1" / "Plate_2_images"
    well = read_well(folder / "B7_01_3_3_RFP_001.tif")
    _agrees(well, *(folder / f"B7_01_{n}_3_{stain}_001.tif" for n, stain in enumerate(("DAPI", "GFP", "RFP"), 1)))
    assert (well.stains, well.named, well.position, well.field) == (("DAPI", "GFP", "RFP"), True, "B07", 3)
    with pytest.raises(WellError, match="5 wells or fields"):
        read_well(folder)


def test_phenix_channels_keep_their_numbers_and_the_chips_pitch_is_not_believed():
    folder = SHARED / "jump-phenix" / "orig"
    well = read_well(folder)
    _agrees(well, *(folder / f"r01c01f01p01-ch{channel}sk1fk1fl1.tiff" for channel in (2, 3, 5)))
    assert (well.stains, well.position, well.field) == (("channel 2", "channel 3", "channel 5"), "A01", 1)
    assert well.pixel_size is None


def test_harmony_images_are_read_by_their_names():
    folder = SHARED / "harmony" / "operetta_plate" / "Images"
    file = folder / "r03c03f02p01-ch1sk1fk1fl1.tiff"
    well = read_well(file)
    _agrees(well, file)
    assert (well.position, well.field, well.stains) == ("C03", 2, ("channel 1",))
    with pytest.raises(WellError, match=r"2 wells or fields \(C03 field 01, C03 field 02\)"):
        read_well(folder)


@pytest.mark.parametrize("step", ["ZStep_0", "ZStep_1", "ZStep_2"])
def test_imagexpress_sites_are_told_apart(step):
    folder = SHARED / "imagexpress" / "9987_Plate_3434" / "TimePoint_1" / step
    files = [folder / f"9987_B03_s2_w{n}.TIF" for n in (1, 2, 3)]
    well = read_well(files[1])
    assert well.stains == ("channel 1", "channel 2", "channel 3")
    np.testing.assert_array_equal(well.pixels, _pages(*files))
    assert (well.position, well.field, well.pixel_size) == ("B03", 2, (1.3672, 1.3672))
    with pytest.raises(WellError, match="4 wells or fields"):
        read_well(folder)


def test_imagexpress_folders_of_steps_are_pointed_to():
    with pytest.raises(WellError, match=r"\(ZStep_0, ZStep_1, ZStep_2\); give one of those"):
        read_well(SHARED / "imagexpress" / "9987_Plate_3434" / "TimePoint_1")


def test_imagexpress_with_one_stain_has_no_number():
    file = SHARED / "imagexpress" / "9987_Plate_3420" / "TimePoint_1" / "9987_B02.TIF"
    well = read_well(file)
    _agrees(well, file)
    assert (well.position, well.stains, well.named) == ("B02", ("channel 1",), False)


@pytest.mark.parametrize("name", FLAVOURS)
def test_imagej_composites(name):
    channels, dtype, pixel = FLAVOURS[name]
    well = read_well(SHARED / "tiff-flavours" / name)
    _agrees(well, SHARED / "tiff-flavours" / name)
    assert (len(well.stains), well.pixels.dtype, well.named) == (channels, np.dtype(dtype), False)
    assert well.pixel_size == (None if pixel is None else pytest.approx((pixel, pixel)))


def test_a_published_image_is_saturated_over_half_of_a_channel():
    well = read_well(SHARED / "tiff-flavours" / "8b_5c_rat_hippocampal_neuron.tif")
    found = {flaw.stain: flaw.severity for flaw in flaws(well)}
    share = (_pages(SHARED / "tiff-flavours" / "8b_5c_rat_hippocampal_neuron.tif") == 255).mean(axis=(1, 2))
    assert found["channel 5"] == "refuse"
    assert share[4] > 0.5
    assert set(found) == {f"channel {n}" for n, part in enumerate(share, 1) if part >= 0.005}
