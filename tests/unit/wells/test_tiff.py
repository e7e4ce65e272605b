"""ImageJ hyperstacks and plain TIFFs."""

import numpy as np
import pytest
import tifffile

from napari_attribution.errors import StainError, WellError
from napari_attribution.wells import read_well

PLACEHOLDERS = ("channel 1", "channel 2", "channel 3")


def _imagej(path, pixels, axes="CYX", resolution=(4.0, 5.0), **metadata):
    tifffile.imwrite(path, pixels, imagej=True, resolution=resolution, metadata={"axes": axes, **metadata})
    return path


def _plain(path, pixels, **options):
    tifffile.imwrite(path, pixels, **{"photometric": "minisblack", "metadata": None, **options})
    return path


@pytest.mark.parametrize(
    ("unit", "um"),
    [("um", 1), ("\\u00B5m", 1), ("micron", 1), ("nm", 0.001), ("mm", 1000), ("pixel", None), ("", None)],
)
def test_imagejs_unit_is_converted(tmp_path, planes, unit, um):
    well = read_well(_imagej(tmp_path / "a.tif", planes, unit=unit))
    # tifffile's resolution is (x, y); a pixel's size is (height, width).
    assert well.pixel_size == (None if um is None else pytest.approx((um / 5, um / 4)))
    np.testing.assert_array_equal(well.pixels, planes)


@pytest.mark.parametrize(
    ("labels", "stains", "named"),
    [
        (["DAPI", "GFP", "Cy5"], ("DAPI", "GFP", "Cy5"), True),
        (["c:1/3 - DAPI", "c:2/3 - GFP", "c:3/3 - Cy5"], ("DAPI", "GFP", "Cy5"), True),
        (["field1.tif", "field2.tif", "field3.tif"], PLACEHOLDERS, False),
        (["c:1/3", "c:2/3", "c:3/3"], PLACEHOLDERS, False),
        (["Slice 1", "Slice 2", "Slice 3"], PLACEHOLDERS, False),
        (["same", "same", "same"], PLACEHOLDERS, False),
        (["DAPI"], PLACEHOLDERS, False),
    ],
)
def test_imagejs_labels_are_stains_where_they_look_like_it(tmp_path, planes, labels, stains, named):
    well = read_well(_imagej(tmp_path / "a.tif", planes, Labels=labels))
    assert (well.stains, well.named) == (stains, named)


def test_the_labels_of_a_hyperstack_go_to_its_channels(tmp_path, planes):
    labels = [f"c:{c + 1}/3 z:{z + 1}/2 - {name}" for z in range(2) for c, name in enumerate(("DAPI", "GFP", "Cy5"))]
    path = _imagej(tmp_path / "a.tif", np.stack([planes, planes + 1]), "ZCYX", Labels=labels)
    well = read_well(path, project="max")
    assert well.stains == ("DAPI", "GFP", "Cy5")
    np.testing.assert_array_equal(well.pixels, planes + 1)


def test_an_imagej_stack_of_slices_is_a_focal_stack(tmp_path, planes):
    path = _imagej(tmp_path / "a.tif", planes, "ZYX")
    with pytest.raises(
        WellError, match=r"focal stack: 3 focal planes.*If the planes are stains, save them as channels"
    ):
        read_well(path)
    np.testing.assert_array_equal(read_well(path, project="max").pixels, planes.max(axis=0)[None])


def test_an_imagej_time_series_is_refused(tmp_path, planes):
    with pytest.raises(WellError, match="time series: 3 time points"):
        read_well(_imagej(tmp_path / "a.tif", planes, "TYX"))


def test_an_imagej_lookup_table_paints_but_does_not_measure(tmp_path, planes):
    pixels = (planes >> 4).astype(np.uint8)
    red = np.zeros((3, 256), np.uint8)
    red[0] = np.arange(256)
    path = _imagej(tmp_path / "a.tif", pixels, LUTs=[red] * 3, mode="composite")
    np.testing.assert_array_equal(read_well(path).pixels, pixels)


@pytest.mark.parametrize(
    "description", ["ImageJ=1.53g\nimages=3\nchannels=3\nmode=composite\n", '{"shape": [3, 24, 32]}']
)
def test_planes_that_another_program_moved_are_found(tmp_path, planes, description):
    """tiff-flavours/8b_2c_actin-nuclei.tif is such a file: tifffile alone reads other bytes as its second channel."""
    path = _plain(tmp_path / "a.tif", planes, description=description)
    with path.open("ab") as file:
        moved = file.tell()
        file.write((planes[1] + 1).tobytes())
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[1].tags["StripOffsets"].overwrite(moved)
    with tifffile.TiffFile(path) as tif:
        assert (tif.asarray()[1] == planes[1]).all(), "tifffile itself now believes the page"
    np.testing.assert_array_equal(read_well(path).pixels, [planes[0], planes[1] + 1, planes[2]])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_plain_pages_keep_dtype_and_values_in_either_byte_order(tmp_path, planes, dtype, byteorder):
    pixels = (planes / 17).astype(dtype)
    well = read_well(_plain(tmp_path / "a.tif", pixels, byteorder=byteorder))
    assert well.pixels.dtype == np.dtype(dtype)
    assert well.pixels.dtype.isnative
    np.testing.assert_array_equal(well.pixels, pixels)
    assert (well.stains, well.named) == (PLACEHOLDERS, False)


@pytest.mark.parametrize(
    "layout", [{"compression": "zlib"}, {"compression": "lzw"}, {"tile": (16, 16)}, {"rowsperstrip": 7}]
)
def test_every_layout_gives_the_same_pixels(tmp_path, planes, layout):
    np.testing.assert_array_equal(read_well(_plain(tmp_path / "a.tif", planes, **layout)).pixels, planes)


def test_twelve_packed_bits_are_read(tmp_path, planes):
    path = _plain(tmp_path / "a.tif", planes[0], bitspersample=12)
    np.testing.assert_array_equal(read_well(path).pixels[0], planes[0])


def test_bigtiff_is_read(tmp_path, planes):
    np.testing.assert_array_equal(read_well(_plain(tmp_path / "a.tif", planes, bigtiff=True)).pixels, planes)


def test_samples_that_are_no_colours_are_channels(tmp_path, planes):
    path = _plain(tmp_path / "a.tif", np.moveaxis(planes, 0, -1), planarconfig="contig")
    np.testing.assert_array_equal(read_well(path).pixels, planes)


def test_one_page_is_a_well_with_one_stain(tmp_path, planes):
    well = read_well(_plain(tmp_path / "a.tif", planes[0]))
    np.testing.assert_array_equal(well.pixels, planes[:1])
    assert well.stains == ("channel 1",)


def test_up_to_twelve_pages_are_channels_and_more_are_not(tmp_path):
    pixels = np.random.default_rng(2).integers(0, 99, (13, 8, 9)).astype(np.uint16)
    assert len(read_well(_plain(tmp_path / "a.tif", pixels[:12])).stains) == 12
    path = _plain(tmp_path / "b.tif", pixels)
    with pytest.raises(WellError, match=r"13 pages.*focal stack or a time series.*name all 13"):
        read_well(path)
    named = read_well(path, stains=[f"stain {letter}" for letter in "ABCDEFGHIJKLM"])
    np.testing.assert_array_equal(named.pixels, pixels)
    assert named.named
    np.testing.assert_array_equal(read_well(path, project="max").pixels, pixels.max(axis=0)[None])
    with pytest.raises(WellError, match="13 pages"):
        read_well(path, stains=["DNA", "GFP"])


def test_axes_that_nobody_named_are_not_guessed(tmp_path, planes):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([planes, planes]), photometric="minisblack")
    with pytest.raises(WellError, match=r"more axes than \(stain, y, x\): 2 pages of an unknown kind x 3 pages"):
        read_well(path)


def test_pages_of_different_sizes_are_refused(tmp_path, planes):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        for plane in (planes[0], planes[1][:20]):
            tif.write(plane, photometric="minisblack", metadata=None)
    with pytest.raises(WellError, match=r"2 images of different kinds \(24 x 32 uint16, 20 x 32 uint16\)"):
        read_well(path)


@pytest.mark.parametrize(
    ("resolution", "unit", "um"),
    [
        ((25_400 / 0.65,) * 2, "inch", 0.65),
        ((20_000, 10_000), "centimeter", (1.0, 0.5)),
        ((72, 72), "inch", None),
        ((300, 300), "inch", None),
        ((1, 1), "none", None),
    ],
)
def test_resolution_is_believed_only_where_it_can_be_a_microscopes(tmp_path, planes, resolution, unit, um):
    size = read_well(_plain(tmp_path / "a.tif", planes, resolution=resolution, resolutionunit=unit)).pixel_size
    assert size == (None if um is None else pytest.approx(um if isinstance(um, tuple) else (um, um), rel=1e-4))


@pytest.mark.parametrize("samples", [3, 4])
def test_colour_pictures_are_refused(tmp_path, samples):
    path = tmp_path / "a.tif"
    extra = {"extrasamples": ["unassalpha"]} if samples == 4 else {}
    tifffile.imwrite(path, np.ones((16, 20, samples), np.uint8), photometric="rgb", **extra)
    with pytest.raises(WellError, match=rf"a\.tif is a colour picture \(RGB, {samples} samples pixel by pixel\)"):
        read_well(path)


def test_planar_colours_are_refused_and_explained(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((3, 16, 20), np.uint8), photometric="rgb", planarconfig="separate")
    with pytest.raises(WellError, match=r"3 samples as three planes.*Split Channels.*save them as a stack"):
        read_well(path)


def test_a_grey_palette_is_grey_values(tmp_path, planes):
    pixels = (planes[0] >> 4).astype(np.uint8)
    for name, scale in (("full.tif", 257), ("low-bytes.tif", 1)):
        ramp = np.tile(np.arange(256, dtype=np.uint16) * scale, (3, 1))
        path = _plain(tmp_path / name, pixels, photometric="palette", colormap=ramp)
        np.testing.assert_array_equal(read_well(path).pixels[0], pixels)


@pytest.mark.parametrize("kind", ["red", "shuffled", "inverted"])
def test_a_palette_that_is_not_grey_is_refused(tmp_path, planes, kind):
    ramp = np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1))
    palette = {
        "red": ramp * np.array([[1], [0], [0]], np.uint16),
        "shuffled": np.random.default_rng(3).permutation(ramp.T).T,
        "inverted": ramp[:, ::-1],
    }[kind]
    path = _plain(tmp_path / "a.tif", (planes[0] >> 4).astype(np.uint8), photometric="palette", colormap=palette)
    with pytest.raises(WellError, match=r"a\.tif is painted with a palette that is not grey"):
        read_well(path)


def test_an_inverted_scale_is_refused(tmp_path, planes):
    path = _plain(tmp_path / "a.tif", planes[0], photometric="miniswhite")
    with pytest.raises(WellError, match=r"says that 0 is white.*Invert"):
        read_well(path)


def test_a_mask_of_bits_and_pixels_that_are_no_numbers_name_their_file(tmp_path, planes):
    path = _plain(tmp_path / "mask.tif", planes[0] > 2000)
    with pytest.raises(WellError, match=r"mask\.tif: .*bool"):
        read_well(path)
    broken = planes.astype(np.float32)
    broken[1, 2, 3] = np.nan
    with pytest.raises(WellError, match=r"nan\.tif: The stain channel 2 holds 1 pixel that is not a number"):
        read_well(_plain(tmp_path / "nan.tif", broken))


def test_the_callers_names_replace_the_files(tmp_path, planes):
    path = _imagej(tmp_path / "a.tif", planes, Labels=["DAPI", "GFP", "Cy5"])
    well = read_well(path, stains=["DNA", "ER", "AGP"])
    assert (well.stains, well.named) == (("DNA", "ER", "AGP"), True)
    assert read_well(path, stains="DNA, ER, AGP").stains == ("DNA", "ER", "AGP")


def test_a_wrong_number_of_names_shows_both_lists(tmp_path, planes):
    path = _imagej(tmp_path / "a.tif", planes, Labels=["DAPI", "GFP", "Cy5"])
    with pytest.raises(StainError, match=r"2 stains were named \(DNA, ER\).*a has 3 channels \(DAPI, GFP, Cy5\)"):
        read_well(path, stains=["DNA", "ER"])


def test_a_projection_that_is_none_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(WellError, match="no projection 'median'; choose one of 'max', 'mean', 'middle'"):
        read_well(tmp_path / "is not there.tif", project="median")
