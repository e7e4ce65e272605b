"""OME-Zarr images: what is read is what was written, and what was lost is not made up."""

import json
import sys

import numcodecs
import numpy as np
import pytest
import zarr
from plates import pixels_of, served, zarr_image
from shared_data import SHARED, needs_shared

from napari_attribution.errors import StainError, WellError
from napari_attribution.wells import read_well

VERSIONS = ("0.4", "0.5")


def _chunks(image):
    """The files of the full resolution's chunks."""
    inside = image / "0"
    return sorted(
        file for file in inside.rglob("*") if file.is_file() and file.name not in (".zarray", ".zattrs", "zarr.json")
    )


def _image(path, version="0.4", shape=(24, 32), chunks=(1, 12, 16), pixels=None, **options):
    pixels = pixels_of("B03", 0, shape=shape) if pixels is None else pixels
    zarr_image(path, pixels, ("DNA", "ER", "Mito")[: len(pixels)], version, chunks=chunks, **options)
    return pixels


@pytest.mark.parametrize("version", VERSIONS)
def test_pixels_stains_size_and_place(tmp_path, version):
    pixels = _image(tmp_path / "p.zarr" / "B" / "03" / "2", version)
    well = read_well(tmp_path / "p.zarr" / "B" / "03" / "2")
    np.testing.assert_array_equal(well.pixels, pixels)
    assert (well.stains, well.named, well.pixel_size) == (("DNA", "ER", "Mito"), True, (0.65, 0.65))
    assert (well.position, well.field, well.name) == ("B03", 2, "B03 field 2")
    again = read_well(**{key: value for key, value in well.reading.items() if key != "found"})
    np.testing.assert_array_equal(again.pixels, pixels)
    assert read_well(well.source[0], stains="a,b,c").stains == ("a", "b", "c")
    with pytest.raises(StainError, match=r"2 stains were named \(a, b\), but B03 field 2 has 3 channels"):
        read_well(well.source[0], stains=["a", "b"])


def test_an_image_of_its_own_has_its_files_name(tmp_path):
    _image(tmp_path / "cells.ome.zarr")
    well = read_well(str(tmp_path / "cells.ome.zarr") + "/")
    assert (well.position, well.field, well.name) == (None, None, "cells")


@pytest.mark.parametrize("version", VERSIONS)
def test_focal_planes_are_projected_on_request_and_time_points_refused(tmp_path, version):
    stack = np.random.default_rng(1).integers(1, 900, (2, 3, 5, 24, 32)).astype(np.uint16)
    zarr_image(tmp_path / "z.zarr", stack[:1], ("a", "b", "c"), version, "tczyx")
    with pytest.raises(WellError, match=r"z\.zarr is a focal stack: 3 channels x 5 focal planes\. Project it"):
        read_well(tmp_path / "z.zarr")
    np.testing.assert_array_equal(read_well(tmp_path / "z.zarr", project="max").pixels, stack[0].max(1))
    np.testing.assert_array_equal(read_well(tmp_path / "z.zarr", project="middle").pixels, stack[0, :, 2])
    zarr_image(tmp_path / "t.zarr", stack, ("a", "b", "c"), version, "tczyx")
    with pytest.raises(WellError, match=r"is a time series: 2 time points x 3 channels x 5 focal planes"):
        read_well(tmp_path / "t.zarr", project="max")


@pytest.mark.parametrize("axes", ["yx", "zyx", "czyx"])
def test_axes_of_one_are_no_stack(tmp_path, axes):
    pixels = pixels_of("A01", 0)[:1]
    zarr_image(
        tmp_path / "a.zarr",
        pixels.reshape({"yx": (24, 32), "zyx": (1, 24, 32), "czyx": (1, 1, 24, 32)}[axes]),
        None,
        axes=axes,
    )
    np.testing.assert_array_equal(read_well(tmp_path / "a.zarr").pixels, pixels)


def test_a_refused_stack_is_not_read_for_that(tmp_path):
    zarr_image(tmp_path / "z.zarr", np.ones((5, 24, 32), np.uint16), None, axes="zyx")
    for chunk in _chunks(tmp_path / "z.zarr"):
        chunk.write_bytes(b"")
    with pytest.raises(WellError, match="is a focal stack"):
        read_well(tmp_path / "z.zarr")


def _edit(image, change):
    file = image / ".zattrs"
    attributes = json.loads(file.read_text())
    change(attributes)
    file.write_text(json.dumps(attributes))


@pytest.mark.parametrize(
    ("change", "stains", "size"),
    [
        (lambda a: a.pop("omero"), None, (0.65, 0.65)),
        (lambda a: [channel.pop("window") for channel in a["omero"]["channels"]], ("DNA", "ER", "Mito"), (0.65, 0.65)),
        (lambda a: [channel.update(label="same") for channel in a["omero"]["channels"]], None, (0.65, 0.65)),
        (lambda a: [axis.pop("unit", None) for axis in a["multiscales"][0]["axes"]], ("DNA", "ER", "Mito"), None),
        (
            lambda a: [axis.update(unit="nanometer") for axis in a["multiscales"][0]["axes"][1:]],
            ("DNA", "ER", "Mito"),
            (0.00065, 0.00065),
        ),
        (
            lambda a: a["multiscales"][0].update(coordinateTransformations=[{"type": "scale", "scale": [1, 2, 4]}]),
            ("DNA", "ER", "Mito"),
            (1.3, 2.6),
        ),
        (lambda a: a["multiscales"][0].update(axes=["c", "y", "x"], version="0.3"), ("DNA", "ER", "Mito"), None),
    ],
)  # fmt: skip
def test_attributes_as_programs_write_them(tmp_path, change, stains, size):
    pixels = _image(tmp_path / "a.zarr")
    _edit(tmp_path / "a.zarr", change)
    well = read_well(tmp_path / "a.zarr")
    np.testing.assert_array_equal(well.pixels, pixels)
    assert (well.stains, well.named) == (stains or ("channel 1", "channel 2", "channel 3"), stains is not None)
    assert well.pixel_size == (None if size is None else pytest.approx(size))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("compressor", ["none", "blosc", "gzip", "zstd"])
@pytest.mark.parametrize("left", [0, 0.5])
def test_a_truncated_chunk_is_an_error(tmp_path, version, compressor, left):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2 if version == "0.4" else 3)
    codecs = numcodecs if version == "0.4" else zarr.codecs
    ending = "" if version == "0.4" else "Codec"
    made = {
        "none": None,
        "blosc": getattr(codecs, "Blosc" + ending)(),
        "gzip": getattr(codecs, ("GZip" if version == "0.4" else "Gzip") + ending)(),
        "zstd": getattr(codecs, "Zstd" + ending)(),
    }[compressor]
    array = group.create_array("0", shape=(3, 24, 32), chunks=(1, 12, 16), dtype="uint16", compressors=made)
    array[...] = pixels_of("A01", 0)
    scales = [{"axes": [{"name": name} for name in "cyx"], "datasets": [{"path": "0"}], "version": version}]
    group.attrs.update(
        {"multiscales": scales} if version == "0.4" else {"ome": {"multiscales": scales, "version": version}}
    )
    np.testing.assert_array_equal(read_well(tmp_path / "a.zarr").pixels, pixels_of("A01", 0))
    chunk = _chunks(tmp_path / "a.zarr")[5]
    chunk.write_bytes(chunk.read_bytes()[: int(left * chunk.stat().st_size)])
    with pytest.raises(WellError, match=r"a\.zarr cannot be read: it is damaged .*Copy it again"):
        read_well(tmp_path / "a.zarr")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lost_chunk_is_an_error_and_no_black_rectangle(tmp_path, version):
    _image(tmp_path / "a.zarr", version)
    _chunks(tmp_path / "a.zarr")[4].unlink()
    with pytest.raises(WellError, match=r"lacks 1 of 4 chunks of the stain ER: it was cut short"):
        read_well(tmp_path / "a.zarr")


def test_a_stain_without_chunks_is_an_error(tmp_path):
    _image(tmp_path / "a.zarr")
    for chunk in _chunks(tmp_path / "a.zarr")[8:]:
        chunk.unlink()
    with pytest.raises(WellError, match=r"holds no pixels of the stain Mito: none of its 4 chunks is there"):
        read_well(tmp_path / "a.zarr")


def test_a_lost_chunk_of_all_stains_is_an_error(tmp_path):
    _image(tmp_path / "a.zarr", chunks=(3, 12, 16))
    _chunks(tmp_path / "a.zarr")[0].unlink()
    with pytest.raises(WellError, match=r"lacks 1 of 4 chunks of the stain DNA"):
        read_well(tmp_path / "a.zarr")


def test_chunks_of_nothing_need_not_be_stored(tmp_path):
    dark = pixels_of("B03", 0)
    dark[1, :12, :20] = 0  # a black corner, larger than one chunk: black is what this stain's dark is
    _image(tmp_path / "dark.zarr", pixels=dark)
    assert len(_chunks(tmp_path / "dark.zarr")) == 11
    np.testing.assert_array_equal(read_well(tmp_path / "dark.zarr").pixels, dark)
    stitched = pixels_of("B03", 0)
    stitched[:, 12:, 16:] = 0  # a field that was not acquired, in any stain
    _image(tmp_path / "stitched.zarr", pixels=stitched)
    assert len(_chunks(tmp_path / "stitched.zarr")) == 9
    np.testing.assert_array_equal(read_well(tmp_path / "stitched.zarr").pixels, stitched)


def test_shards_are_read_and_missed(tmp_path):
    pixels = _image(tmp_path / "a.zarr", "0.5", chunks=(1, 12, 16), shards=(1, 24, 32))
    np.testing.assert_array_equal(read_well(tmp_path / "a.zarr").pixels, pixels)
    _chunks(tmp_path / "a.zarr")[1].unlink()
    with pytest.raises(WellError, match="holds no pixels of the stain ER"):
        read_well(tmp_path / "a.zarr")


def test_groups_that_are_no_image_say_what_they_are(tmp_path):
    from plates import zarr_plate

    zarr_plate(tmp_path / "p.zarr", {("B03", 0): ("DNA",), ("B03", 1): ("DNA",)})
    for path, says in {
        "p.zarr": "is a plate, but one field was expected.*read_plate",
        "p.zarr/B/03": r"is a well, but one field was expected\. Give one of its images \(0, 1\)",
        "p.zarr/B": "does not say what it holds",
        "p.zarr/B/04/0": "There is no file .*B/04/0",
    }.items():
        with pytest.raises(WellError, match=says):
            read_well(tmp_path / path)
    (tmp_path / "p.zarr" / "B" / "03" / "0" / ".zattrs").write_text("{")
    with pytest.raises(WellError, match="is damaged"):
        read_well(tmp_path / "p.zarr" / "B" / "03" / "0")


def test_by_its_address(tmp_path):
    pixels = _image(tmp_path / "p.zarr" / "B" / "03" / "0")
    with served(tmp_path) as (address, _):
        well = read_well(f"{address}/p.zarr/B/03/0")
        np.testing.assert_array_equal(well.pixels, pixels)
        assert well.reading["path"] == f"{address}/p.zarr/B/03/0"
        assert (well.stains, well.position) == (("DNA", "ER", "Mito"), "B03")
        with pytest.raises(WellError, match="there is no Zarr group"):
            read_well(f"{address}/nothing.zarr")
        _chunks(tmp_path / "p.zarr" / "B" / "03" / "0")[0].unlink()
        with pytest.raises(WellError, match="lacks 1 of 4 chunks of the stain DNA"):
            read_well(f"{address}/p.zarr/B/03/0")
    with pytest.raises(WellError, match=r"cannot be reached .*Check the address and the network"):
        read_well(f"{address}/p.zarr/B/03/0")
    with pytest.raises(WellError, match=r"cannot be read: Protocol not known: nonsense"):
        read_well("nonsense://p.zarr")


def test_without_the_extra_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    _image(tmp_path / "a.zarr")
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(WellError, match=r'pip install "napari-attribution\[screens\]"'):
        read_well(tmp_path / "a.zarr")


@needs_shared
def test_zarr_that_is_not_ome_is_refused():
    with pytest.raises(WellError, match="does not say what it holds"):
        read_well(SHARED / "jump-zarr3" / "images.zarr")
    with pytest.raises(WellError, match="is a bare Zarr array"):
        read_well(SHARED / "jump-zarr3" / "images.zarr" / "images")
