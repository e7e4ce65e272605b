"""OME-TIFF: stains, pixel size, plate and the stacks that are no well."""

import numpy as np
import pytest
import tifffile

from napari_attribution.errors import WellError
from napari_attribution.wells import read_well

NAMES = ["DNA", "Actin", "Tubulin"]


def _ome(path, pixels, axes="CYX", **metadata):
    tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata={"axes": axes, **metadata})
    return path


def test_stains_pixels_and_size_come_from_the_file(tmp_path, planes):
    size = {"PhysicalSizeX": 0.65, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.7, "PhysicalSizeYUnit": "µm"}
    well = read_well(_ome(tmp_path / "a.ome.tif", planes, Channel={"Name": NAMES}, **size))
    np.testing.assert_array_equal(well.pixels, planes)
    assert well.stains == tuple(NAMES)
    assert well.named
    assert well.pixel_size == (0.7, 0.65)
    assert well.pixels.dtype == np.uint16
    assert well.source == (str(tmp_path / "a.ome.tif"),)


@pytest.mark.parametrize(("length", "unit", "um"), [(650, "nm", 0.65), (0.00065, "mm", 0.65), (1, "pixel", None)])
def test_the_unit_of_the_pixel_size_is_converted(tmp_path, planes, length, unit, um):
    size = {f"PhysicalSize{axis}{what}": value for axis in "XY" for what, value in (("", length), ("Unit", unit))}
    well = read_well(_ome(tmp_path / "a.ome.tif", planes, **size))
    assert well.pixel_size == (None if um is None else pytest.approx((um, um)))


@pytest.mark.parametrize(
    "found", [["Channel 0", "Channel 1", "Channel 2"], ["C:0", "C:1", "C:2"], ["GFP", "GFP", "DNA"]]
)
def test_names_that_say_nothing_are_no_stains(tmp_path, planes, found):
    well = read_well(_ome(tmp_path / "a.ome.tif", planes, Channel={"Name": found}))
    assert well.stains == ("channel 1", "channel 2", "channel 3")
    assert not well.named


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32", "float64"])
def test_the_detectors_dtype_is_kept(tmp_path, planes, dtype):
    pixels = (planes / 17).astype(dtype)
    well = read_well(_ome(tmp_path / "a.ome.tif", pixels))
    assert well.pixels.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(well.pixels, pixels)


def test_channels_stored_after_the_planes_come_first(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (4, 2, 16, 20)).astype(np.uint8)
    path = _ome(tmp_path / "a.ome.tif", pixels, "ZCYX", Channel={"Name": ["DNA", "GFP"]})
    np.testing.assert_array_equal(read_well(path, project="max").pixels, pixels.max(axis=0))
    np.testing.assert_array_equal(read_well(path, project="middle").pixels, pixels[2])
    rounded = np.array([[[round(float(v)) for v in row] for row in c] for c in pixels.astype(float).mean(axis=0)])
    mean = read_well(path, project="mean").pixels
    assert mean.dtype == np.uint8
    np.testing.assert_array_equal(mean, rounded)


def test_a_focal_stack_is_refused_with_its_counts_and_the_way_on(tmp_path, planes):
    path = _ome(tmp_path / "a.ome.tif", np.stack([planes] * 4), "ZCYX")
    with pytest.raises(WellError, match=r"a\.ome\.tif is a focal stack: 4 focal planes x 3 channels.*project: max"):
        read_well(path)


def test_a_time_series_is_refused_even_with_a_projection(tmp_path, planes):
    path = _ome(tmp_path / "a.ome.tif", np.stack([planes] * 2), "TCYX")
    with pytest.raises(WellError, match=r"time series: 2 time points x 3 channels.*choose one time point"):
        read_well(path, project="max")


def test_several_positions_are_refused_by_name(tmp_path, planes):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for name in ("left", "right"):
            tif.write(planes, photometric="minisblack", metadata={"axes": "CYX", "Name": name})
    with pytest.raises(WellError, match=r"holds 2 positions \(left, right\).*Save the position"):
        read_well(path)


def test_a_label_image_is_no_position(tmp_path, planes):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for name, pixels in (("field", planes), ("thumbnail", planes[:, ::4, ::4])):
            tif.write(pixels, photometric="minisblack", metadata={"axes": "CYX", "Name": name})
    np.testing.assert_array_equal(read_well(path).pixels, planes)


def test_a_colour_picture_is_refused(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.ones((16, 20, 3), np.uint8), ome=True, photometric="rgb")
    with pytest.raises(WellError, match=r"colour picture.*Split Channels"):
        read_well(path)


def _xml(images, plate=""):
    return f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{plate}{images}</OME>'


def _image(number, files):
    blocks = "".join(
        f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1"><UUID FileName="{file}">urn:uuid:{file}</UUID></TiffData>'
        for c, file in enumerate(files)
    )
    channels = "".join(f'<Channel ID="Channel:{number}:{c}" Name="S{c}a"/>' for c in range(len(files)))
    return (
        f'<Image ID="Image:{number}" Name="site {number}"><Pixels ID="Pixels:{number}" DimensionOrder="XYCZT" '
        f'Type="uint16" SizeX="32" SizeY="24" SizeC="{len(files)}" SizeZ="1" SizeT="1">{channels}{blocks}</Pixels></Image>'
    )


def _write_each(folder, files, planes, xml):
    for file, plane in zip(files, planes, strict=True):
        tifffile.imwrite(
            folder / file, plane, description=xml.replace("<OME ", f'<OME UUID="urn:uuid:{file}" ', 1), metadata=None
        )


def test_a_data_set_of_several_files_is_read_from_any_of_them(tmp_path, planes):
    files = ["c0.ome.tif", "c1.ome.tif", "c2.ome.tif"]
    _write_each(tmp_path, files, planes, _xml(_image(0, files)))
    for file in files:
        well = read_well(tmp_path / file)
        np.testing.assert_array_equal(well.pixels, planes)
        assert well.stains == ("S0a", "S1a", "S2a")


def test_a_data_set_with_a_missing_file_is_refused_not_zeroed(tmp_path, planes):
    files = ["c0.ome.tif", "c1.ome.tif", "c2.ome.tif"]
    _write_each(tmp_path, files, planes, _xml(_image(0, files)))
    (tmp_path / files[2]).unlink()
    with pytest.raises(WellError, match=r"lacks 1 of 3 planes.*all files of the data set into one folder"):
        read_well(tmp_path / files[0])


def test_of_several_positions_the_one_in_the_file_given_is_read(tmp_path, planes):
    files = ["p0.ome.tif", "p1.ome.tif"]
    _write_each(tmp_path, files, planes[:2], _xml(_image(0, files[:1]) + _image(1, files[1:])))
    np.testing.assert_array_equal(read_well(tmp_path / "p1.ome.tif").pixels, planes[1:2])
    np.testing.assert_array_equal(read_well(tmp_path / "p0.ome.tif").pixels, planes[:1])


def test_the_place_on_the_plate_is_read(tmp_path, planes):
    plate = (
        '<Plate ID="Plate:0"><Well ID="Well:0" Row="1" Column="6"><WellSample ID="WellSample:0" Index="0"/>'
        '<WellSample ID="WellSample:1" Index="1"><ImageRef ID="Image:0"/></WellSample></Well></Plate>'
    )
    _write_each(tmp_path, ["a.ome.tif"], planes[:1], _xml(_image(0, ["a.ome.tif"]), plate))
    well = read_well(tmp_path / "a.ome.tif")
    assert (well.position, well.field) == ("B07", 2)


def test_a_file_that_leaves_its_description_to_a_companion_says_so(tmp_path, planes):
    xml = _xml('<BinaryOnly MetadataFile="plate.companion.ome" UUID="urn:uuid:1"/>')
    tifffile.imwrite(tmp_path / "a.ome.tif", planes[0], description=xml, metadata=None)
    with pytest.raises(WellError, match=r"listed in plate\.companion\.ome"):
        read_well(tmp_path / "a.ome.tif")
