"""Files that are missing, cut short, or no images: a sentence each, and never zeros."""

import numpy as np
import pytest
import tifffile

from napari_attribution.errors import WellError
from napari_attribution.wells import read_well

WRITERS = {
    "plain": {"metadata": None},
    "plain, strips": {"metadata": None, "rowsperstrip": 5},
    "plain, tiles": {"metadata": None, "tile": (16, 16)},
    "plain, zlib": {"metadata": None, "compression": "zlib"},
    "plain, lzw": {"metadata": None, "compression": "lzw"},
    "tifffile": {},
    "tifffile, zlib": {"compression": "zlib"},
    "ImageJ": {"imagej": True, "metadata": {"axes": "CYX"}},
    "OME": {"ome": True, "metadata": {"axes": "CYX"}},
    "OME, zlib": {"ome": True, "metadata": {"axes": "CYX"}, "compression": "zlib"},
    "BigTIFF": {"metadata": None, "bigtiff": True},
}


def _write(path, planes, options):
    options = options if options.get("imagej") else {"photometric": "minisblack", **options}
    tifffile.imwrite(path, planes, **options)
    return path.read_bytes()


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_cut_anywhere_is_refused_or_complete(tmp_path, planes, writer):
    """The hard rule: whatever comes out without an error is every pixel that went in."""
    path = tmp_path / "a.tif"
    whole = _write(path, planes, WRITERS[writer])
    np.testing.assert_array_equal(read_well(path).pixels, planes)
    refusals = []
    for length in sorted({*range(1, len(whole), max(1, len(whole) // 60)), *range(len(whole) - 40, len(whole))}):
        path.write_bytes(whole[:length])
        try:
            pixels = read_well(path).pixels
        except WellError as error:
            refusals.append(str(error))
        else:
            np.testing.assert_array_equal(pixels, planes, err_msg=f"cut at {length} of {len(whole)}")
    assert len(refusals) >= 55
    assert all("a.tif" in refusal for refusal in refusals)


def test_a_file_cut_in_its_pixels_says_so(tmp_path, planes):
    path = tmp_path / "a.tif"
    whole = _write(path, planes, WRITERS["ImageJ"])
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WellError, match=r"a\.tif was cut short.*Copy it again"):
        read_well(path)


def test_a_strip_that_was_never_written_is_not_read_as_zeros(tmp_path, planes):
    path = tmp_path / "a.tif"
    _write(path, planes[0], {"metadata": None, "rowsperstrip": 5, "compression": "zlib"})
    with tifffile.TiffFile(path, mode="r+") as tif:
        tag = tif.pages[0].tags["StripByteCounts"]
        tag.overwrite([0, *tag.value[1:]])
    with tifffile.TiffFile(path) as tif:
        assert (tif.pages[0].asarray()[:5] == 0).all(), "tifffile itself now refuses such a file"
    with pytest.raises(WellError, match="cut short: page 1 holds 4 of 5 pieces"):
        read_well(path)


def test_damage_within_a_compressed_strip_is_noticed(tmp_path, planes):
    path = tmp_path / "a.tif"
    whole = bytearray(_write(path, planes[0], WRITERS["plain, zlib"]))
    with tifffile.TiffFile(path) as tif:
        start, count = tif.pages[0].dataoffsets[0], tif.pages[0].databytecounts[0]
    whole[start : start + count] = bytes(count)
    path.write_bytes(whole)
    with pytest.raises(WellError, match=r"a\.tif cannot be read: it is damaged"):
        read_well(path)


def test_a_codec_that_is_missing_is_named_with_the_way_on(tmp_path, planes):
    path = tmp_path / "a.tif"
    _write(path, planes[0], WRITERS["plain, zlib"])
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags["Compression"].overwrite(65000)
    with pytest.raises(WellError, match=r"a\.tif is compressed.*65000.*imagecodecs.*without compression"):
        read_well(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(WellError, match=r"There is no file .*nowhere\.tif"):
        read_well(tmp_path / "nowhere.tif")


def test_an_empty_file(tmp_path):
    (tmp_path / "a.tif").touch()
    with pytest.raises(WellError, match=r"a\.tif is empty \(0 bytes\)"):
        read_well(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.tif", b"hello, I am no image", "not a TIFF file"),
        ("a.tif", b"II", "not a TIFF file"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(30), "a picture format"),
        ("a.nd2", b"\xda\xce\xbe\x0a" + bytes(30), "vendor's own format"),
        ("a.tif", b"II*\0\x08\0\0\0\0\0\0\0\0\0", "a.tif"),
        ("a.tif", b"II*\0\0\0\0\0", "a.tif"),
    ],
)
def test_what_is_no_tiff(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WellError, match=says):
        read_well(tmp_path / name)


def test_a_file_that_may_not_be_read(tmp_path, planes, monkeypatch):
    path = tmp_path / "a.tif"
    _write(path, planes, WRITERS["plain"])

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    # Not by chmod: tests may run as root, who may read everything.
    monkeypatch.setattr(tifffile, "TiffFile", refuse)
    with pytest.raises(WellError, match=r"a\.tif may not be read by this user"):
        read_well(path)


def test_a_folder_that_may_not_be_listed(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(WellError, match="cannot be read: Permission denied"):
        read_well(tmp_path)


def test_folders_that_hold_no_images_say_where_images_are(tmp_path, planes):
    with pytest.raises(WellError, match="holds no TIFF images"):
        read_well(tmp_path)
    (tmp_path / "ZStep_1").mkdir()
    _write(tmp_path / "ZStep_1" / "a.tif", planes, WRITERS["plain"])
    with pytest.raises(WellError, match=r"holds no TIFF images.*ZStep_1.*give one of those"):
        read_well(tmp_path)
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(WellError, match=r"a\.zarr is no OME-Zarr: there is no Zarr group"):
        read_well(tmp_path / "a.zarr")


def test_nothing_given():
    with pytest.raises(WellError, match="No files were given"):
        read_well([])
    with pytest.raises(WellError, match="No file was given"):
        read_well("")
