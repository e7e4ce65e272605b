"""What goes wrong with a field is told in its row; what goes wrong with the whole is refused before the first well, or stops
the run with a sentence and loses nothing."""

import os
import resource
import subprocess
from dataclasses import dataclass, replace

import numpy as np
import pytest
import tifffile
from small_screens import STAINS, make_classifier, make_plate, maps_of, without_seconds

from napari_attribution import read_plate
from napari_attribution.errors import (
    CardError,
    ClassifierError,
    DeviceError,
    LayerError,
    OutputError,
    RequestError,
    StainError,
    WellError,
)
from napari_attribution.screens.run.plan import make_plan
from napari_attribution.screens.run.screen import run_screen
from napari_attribution.wells import Field

QUICK = {"faithfulness": False, "parameters": {"pixel-ablation-cam": {"channels": "none"}}}


def errors_of(results) -> dict[str, str]:
    return dict(zip(results.table["well"], results.table["error"], strict=True))


def test_a_field_that_fails_says_why_and_the_others_go_on(tmp_path):
    plate = make_plate(tmp_path / "plate", wells=7, fields=1)
    fields = {position: list(some) for position, some in plate.fields.items()}
    corrupt, emptied, bright = (tmp_path / "plate" / f"{name}-1.ome.tiff" for name in ("A02", "A03", "A05"))
    corrupt.write_bytes(corrupt.read_bytes()[:3000])
    emptied.write_bytes(b"")
    # Divided by this card's standard deviation, its pixels are beyond all numbers of 32 bits.
    classifier = make_classifier(tmp_path / "sharp", std=[1e-2] * 3)
    huge = np.full((3, 40, 48), 3e38, dtype=np.float32)
    tifffile.imwrite(bright, huge, metadata={"axes": "CYX", "Channel": {"Name": list(STAINS)}}, ome=True)
    fields["A04"] = [replace(fields["A04"][0], missing=("Mito",))]
    fields["A06"] = [Field("A06", 1, {})]
    fields["B02"] = []
    results = run_screen(replace(plate, fields=fields), classifier, tmp_path / "out", **QUICK)
    said = errors_of(results)
    assert list(said) == ["A01", "A02", "A03", "A04", "A05", "A06", "B01"]
    assert [well for well, error in said.items() if not error] == ["A01", "B01"]
    assert "A02-1.ome.tiff" in said["A02"]
    assert "A03-1.ome.tiff" in said["A03"]
    assert "lacks the stain Mito" in said["A04"]
    assert "not numbers" in said["A05"]
    assert "is missing" in said["A06"]
    failed = results.table[results.table["error"] != ""]
    assert failed["margin"].isna().all()
    assert failed["predicted"].isna().all()
    assert results.record["finished"]["failed"] == 5
    assert {path.split("/")[1] for path in maps_of(results) if path.count("/") > 2} == {"01"}
    # Those beside the broken fields are what they are on a whole plate.
    whole = run_screen(plate, classifier, tmp_path / "whole", wells=["A01"], **QUICK)
    assert results.table["margin"][0] == pytest.approx(whole.table["margin"][0], rel=1e-5)
    with pytest.raises(WellError, match=r"A02-1\.ome\.tiff"):
        results.read_field("A02", 1)


def test_a_truncated_zarr_chunk_is_told(classifier, tmp_path):
    from ngio import ImageInWellPath, create_empty_plate, create_ome_zarr_from_array

    source = tmp_path / "plate.zarr"
    images = [ImageInWellPath(row="A", column=column, path="0") for column in (1, 2)]
    plate = create_empty_plate(str(source), name="small", images=images, ngff_version="0.4")
    for column in (1, 2):
        pixels = np.random.default_rng(column).integers(80, 4000, (3, 40, 48), dtype=np.uint16)
        create_ome_zarr_from_array(
            plate.get_image_store("A", column, "0"), pixels, pixelsize=0.5, levels=1, axes_names=["c", "y", "x"],
            channels_meta=list(STAINS), overwrite=True, ngff_version="0.4",
        )  # fmt: skip
    chunk = max((path for path in (source / "A/02").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    chunk.write_bytes(chunk.read_bytes()[:50])
    said = errors_of(run_screen(read_plate(source), classifier, tmp_path / "out", **QUICK))
    assert said["A01"] == ""
    assert said["A02"] != ""
    assert "unexpected" not in said["A02"]


@dataclass(frozen=True)
class Untouched(Field):
    """A field that must not be read."""

    def read(self):
        pytest.fail("a field was read")


def untouched(plate, **changes):
    fields = {
        position: tuple(Untouched(field.position, field.number, field.reading) for field in some)
        for position, some in plate.fields.items()
    }
    return replace(plate, fields=fields, **changes)


@pytest.mark.parametrize(
    ("changes", "asked", "error", "said"),
    [
        ({"stains": ("DNA", "ER", "RNA")}, {}, StainError, "Mito"),
        ({"stains": ("channel 1", "channel 2", "channel 3"), "named": False}, {}, StainError, "channel 1"),
        ({"fields": {}}, {}, WellError, "no fields"),
        ({"fields": {"A01": (), "A02": ()}}, {}, WellError, "no fields"),
        ({}, {"methods": ("magic",)}, RequestError, "no method 'magic'"),
        ({}, {"methods": ("pcim", "pcim")}, RequestError, "only once"),
        ({}, {"parameters": {"pcim": {}}}, RequestError, "not among the methods"),
        ({}, {"parameters": {"pixel-ablation-cam": {"heat": 3}}}, RequestError, "heat"),
        ({}, {"parameters": {"pixel-ablation-cam": {"layer": "x"}}}, LayerError, "no layer 'x'"),
        ({}, {"target": "alive"}, RequestError, "no class 'alive'"),
        ({}, {"score": "mood"}, RequestError, "no score 'mood'"),
    ],
)
def test_what_cannot_be_is_refused_without_a_look_at_a_field(changes, asked, error, said, plate, loaded):
    changed = replace(plate, **changes) if "fields" in changes else untouched(plate, **changes)
    asked = {"methods": ("pixel-ablation-cam",), "parameters": {}, "stain_map": None} | asked
    with pytest.raises(error, match=said):
        make_plan(changed, loaded, **asked)


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"target": "alive"}, RequestError, "no class 'alive'"),
        ({"workers": 0}, RequestError, "At least one worker"),
        ({"workers": 2, "scheduler": "tcp://localhost:1"}, RequestError, "not both"),
    ],
)
def test_what_is_refused_leaves_no_folder(asked, error, said, plate, loaded, tmp_path):
    with pytest.raises(error, match=said):
        run_screen(untouched(plate), loaded, tmp_path / "out", **asked)
    assert not (tmp_path / "out").exists()


def test_a_classifier_that_is_none_is_refused_before_the_first_well(plate, tmp_path):
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"not a network")
    with pytest.raises(ClassifierError):
        run_screen(untouched(plate), broken, tmp_path / "out")
    cells = make_classifier(tmp_path / "cells", mode="cells")
    with pytest.raises(CardError, match="single cells"):
        run_screen(untouched(plate), cells, tmp_path / "out")
    whole = make_classifier(tmp_path / "whole", mode="whole", size=(64, 64))
    with pytest.raises(CardError, match="64 x 64"):
        run_screen(plate, whole, tmp_path / "out")
    assert not [path for path in tmp_path.glob("out/*") if path.name != ".lock"]


def test_a_second_run_into_the_same_results_refuses(plate, loaded, tmp_path):
    refused = []

    def intrude(done, total):
        if not refused:
            with pytest.raises(OutputError, match="Another run is writing") as error:
                run_screen(plate, loaded, tmp_path, **QUICK)
            refused.append(error)

    assert len(run_screen(plate, loaded, tmp_path, progress=intrude, **QUICK).table) == 12
    assert refused


def test_results_that_cannot_be_written_are_refused(plate, loaded, tmp_path):
    (tmp_path / "file").write_text("not a folder", "utf-8")
    for folder in (tmp_path / "file" / "out", "/proc/out"):
        with pytest.raises(OutputError, match="Choose another folder"):
            run_screen(untouched(plate), loaded, folder)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to my aunt.txt").write_text("Dear aunt", "utf-8")
    with pytest.raises(OutputError, match="to my aunt"):
        run_screen(untouched(plate), loaded, tmp_path / "letters")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own with 400 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_full_stops_the_run_and_loses_nothing(small_disk, loaded, tmp_path):
    plate = make_plate(tmp_path / "plate", wells=24, fields=2)
    asked = QUICK | {"batch_bytes": 600_000}
    with pytest.raises(OutputError, match=r"No space left on device.*room on the disk"):
        run_screen(plate, loaded, small_disk / "out", **asked)
    committed = {path.name: path.read_bytes() for path in (small_disk / "out" / "parts").glob("*.parquet")}
    assert committed
    subprocess.run(["mount", "-o", "remount,size=20M", str(small_disk)], check=True)
    found = run_screen(plate, loaded, small_disk / "out", **asked)
    whole = run_screen(plate, loaded, tmp_path / "whole", **asked)
    assert without_seconds(found) == without_seconds(whole)
    assert maps_of(found) == maps_of(whole)


def test_files_that_may_not_grow_stop_the_run_and_lose_nothing(plate, loaded, tmp_path):
    """The same where nothing can be mounted: the system lets no file grow beyond 3 kB once two fields are done."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    asked = QUICK | {"batch_bytes": 1}

    def limit(done, total):
        if done >= 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, unlimited[1]))

    try:
        with pytest.raises(OutputError, match=os.strerror(27)):
            run_screen(plate, loaded, tmp_path / "out", progress=limit, **asked)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert len(list((tmp_path / "out" / "parts").glob("*.parquet"))) >= 2
    assert len(run_screen(plate, loaded, tmp_path / "out", **asked).table) == 12


@dataclass(frozen=True)
class Crowded(Field):
    """A field for which the device has no room."""

    def read(self):
        raise DeviceError("There is no room.")


def test_a_device_without_room_stops_the_run_and_loses_nothing(plate, loaded, tmp_path):
    fields = {position: list(some) for position, some in plate.fields.items()}
    last = fields["A06"][1]
    fields["A06"][1] = Crowded(last.position, last.number, last.reading)
    asked = QUICK | {"batch_bytes": 1}
    with pytest.raises(DeviceError, match="no room"):
        run_screen(replace(plate, fields=fields), loaded, tmp_path, **asked)
    assert len(list(tmp_path.glob("parts/*.parquet"))) >= 8
    results = run_screen(plate, loaded, tmp_path, **asked)
    assert len(results.table) == 12
    assert set(results.table["error"]) == {""}


def test_what_else_is_wrong_with_a_folder_of_results(plate, loaded, tmp_path):
    (tmp_path / "record.json").write_text("{", "utf-8")
    with pytest.raises(OutputError, match=r"record\.json cannot be read"):
        run_screen(untouched(plate), loaded, tmp_path)
