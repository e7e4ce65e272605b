"""What is written is read back to the last bit; nothing is overwritten in silence, nothing is left half."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_attribution.errors import OutputError
from napari_attribution.keeping import files
from napari_attribution.keeping.export import split_name, stem_for, write_attribution
from napari_attribution.keeping.records import read_record


def odd(answer, pixel_size=(0.5, 0.25)):
    """Values that a detour by another type would change."""
    values = answer.values[:, :40, :60].copy()
    values[0, 0, :5] = [np.float32(1e-40), -0.0, np.nextafter(np.float32(1), np.float32(2)), 3e38, -1e-30]
    return replace(answer, values=values, pixel_size=pixel_size)


def test_tiff_gives_the_very_floats_and_the_pixel_size(answer, tmp_path):
    answer = odd(answer)
    written = write_attribution(answer, tmp_path, "map")
    with tifffile.TiffFile(written.map) as file:
        assert file.asarray().tobytes() == answer.values.tobytes()
        assert file.series[0].axes == "CYX"
        for said in ('PhysicalSizeY="0.5"', 'PhysicalSizeX="0.25"', "µm", "why mito fragmented: Mito"):
            assert said in file.ome_metadata
    flat = write_attribution(replace(answer, values=answer.map), tmp_path, "flat")
    assert tifffile.imread(flat.map).tobytes() == answer.map.tobytes()


@pytest.mark.parametrize("pixel_size", [(0.5, 0.25), None])
@pytest.mark.parametrize("per_stain", [True, False])
def test_zarr_gives_the_very_floats_and_the_pixel_size(answer, tmp_path, pixel_size, per_stain):
    ngio = pytest.importorskip("ngio")
    answer = odd(answer, pixel_size)
    answer = answer if per_stain else replace(answer, values=answer.map)
    written = write_attribution(answer, tmp_path, "map", ".ome.zarr")
    image = ngio.open_ome_zarr_container(str(written.map)).get_image()
    assert image.get_as_numpy().tobytes() == answer.values.tobytes()
    axes = json.loads((written.map / ".zattrs").read_text())["multiscales"][0]["axes"]
    units = {axis["name"]: axis.get("unit") for axis in axes}
    if pixel_size:
        assert (image.pixel_size.y, image.pixel_size.x) == pixel_size
        assert units["y"] == units["x"] == "micrometer"
    else:
        assert units["y"] is units["x"] is None


@pytest.mark.parametrize("ending", [".ome.tiff", ".ome.zarr"])
def test_the_record_is_beside_and_inside(of_a_cell, tmp_path, ending):
    if ending == ".ome.zarr":
        pytest.importorskip("ngio")
    written = write_attribution(of_a_cell, tmp_path, "map", ending)
    beside, inside = read_record(written.record), read_record(written.map)
    assert beside == inside
    assert beside.result.sha256_of_map == of_a_cell.record["result"]["sha256_of_map"]
    told = json.loads(written.record.read_text())
    assert told["place"] == "cell 3"
    assert told["part"]["loses"] == pytest.approx(of_a_cell.part.loses)
    assert told["faithfulness"] == dict(of_a_cell.faithfulness)
    assert told["trust"] == list(of_a_cell.trust)


def test_nothing_is_overwritten_unless_it_is_wanted(answer, tmp_path):
    answer = odd(answer)
    (tmp_path / "map.json").write_text("mine")
    first, second = (write_attribution(answer, tmp_path, "map") for _ in range(2))
    assert (tmp_path / "map.json").read_text() == "mine"
    assert [one.map.name for one in (first, second)] == ["map-2.ome.tiff", "map-3.ome.tiff"]
    third = write_attribution(replace(answer, values=-answer.values), tmp_path, "map-2", overwrite=True)
    assert third.map == first.map
    assert (tifffile.imread(first.map) == -answer.values).all()


def test_a_zarr_takes_the_place_of_another(answer, tmp_path):
    pytest.importorskip("ngio")
    answer = odd(answer)
    write_attribution(answer, tmp_path, "map", ".ome.zarr")
    (tmp_path / "map.ome.zarr" / "stale").write_text("")
    write_attribution(answer, tmp_path, "map", ".ome.zarr", overwrite=True)
    assert not (tmp_path / "map.ome.zarr" / "stale").exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["map.json", "map.ome.zarr"]


def test_a_write_that_fails_leaves_nothing_behind_and_the_old_file_whole(tmp_path):
    path = tmp_path / "map.ome.tiff"
    path.write_text("old")

    def half():
        with files.written_whole(path) as temporary:
            temporary.write_text("half")
            raise OSError(28, os.strerror(28))

    with pytest.raises(OutputError, match=r"cannot be written.*Make room on the disk"):
        half()
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["map.ome.tiff"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to(answer, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Choose another folder"):
        write_attribution(odd(answer), tmp_path, "map")
    tmp_path.chmod(0o700)


def test_a_folder_that_is_a_file(answer, tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(OutputError, match="Choose another folder"):
        write_attribution(odd(answer), tmp_path / "a" / "b", "map")


@pytest.mark.parametrize(
    ("name", "stem", "ending"),
    [
        ("B03.ome.tiff", "B03", ".ome.tiff"), ("B03.OME.TIF", "B03", ".ome.tiff"), ("B03.tiff", "B03", ".ome.tiff"),
        ("B03.zarr", "B03", ".ome.zarr"), ("B03", "B03", ".ome.tiff"), ("v1.2", "v1.2", ".ome.tiff"),
    ],
)  # fmt: skip
def test_the_ending_says_what_is_written(tmp_path, name, stem, ending):
    assert split_name(tmp_path / name) == (stem, ending)


@pytest.mark.parametrize("name", ["B03.png", "B03.jpg", "B03.csv"])
def test_a_map_is_not_a_picture(tmp_path, name):
    with pytest.raises(OutputError, match="numbers, not a picture"):
        split_name(tmp_path / name)


def test_a_name_that_every_system_takes(answer):
    stem = stem_for(replace(answer, target='50 % a/b: "x"?'), "plate 1\\B03 " + "long" * 100)
    assert len(stem) <= 120
    assert not set(stem) & set('/\\:"? ')


@pytest.mark.parametrize("odd_name", ["変異 µ <&>\"'", "a\x01b\ufffe", "caf\udce9.tif"])
def test_names_of_any_letters(answer, tmp_path, odd_name):
    record = {**answer.record, "well": {**answer.record["well"], "name": odd_name}}
    written = write_attribution(replace(odd(answer), record=record), tmp_path, "map")
    if "\udce9" not in odd_name:
        assert read_record(written.map).well.name == read_record(written.record).well.name == odd_name
    told = json.loads(written.record.read_text("utf-8"))
    assert told["record"]["well"]["name"] == odd_name
