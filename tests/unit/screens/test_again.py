"""Failed fields tried again in their folder: the results are those of a run in which they could be read from the start."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from small_screens import make_plate, maps_of, record_of, without_seconds, write_field

from napari_attribution.errors import Cancelled, OutputError, RecordError, RequestError
from napari_attribution.screens.results import open_results
from napari_attribution.screens.results.notes import write_notes
from napari_attribution.screens.run.chunks import cut
from napari_attribution.screens.run.screen import run_screen

ASKED = {"batch_bytes": 600_000, "methods": ("pixel-ablation-cam", "dcmix")}
"""Chunks of one to three fields."""
BROKEN = {("A02", 1), ("A05", 2)}


@pytest.fixture
def plate(tmp_path):
    """Six wells of two fields; two of the files are no images."""
    made = make_plate(tmp_path / "plate")
    for well, number in BROKEN:
        (tmp_path / "plate" / f"{well}-{number}.ome.tiff").write_bytes(b"not there yet")
    return made


def mend(plate, broken=BROKEN) -> None:
    """The files as `make_plate` wrote them."""
    numbers = {well: at for at, well in enumerate(plate.fields)}
    for well, number in broken:
        path = plate.fields[well][number - 1].reading["path"]
        write_field(path, seed=10 * numbers[well] + number - 1)


def failed_in(results) -> set[tuple[str, int]]:
    table = results.table[results.table["error"] != ""]
    return set(zip(table["well"], table["field"], strict=True))


def files_of(folder) -> dict[str, tuple[bytes, int]]:
    """Everything in a folder, and when it was written."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def undisturbed(plate, loaded, folder):
    """The twin: a run after the files were mended."""
    mend(plate)
    return run_screen(plate, loaded, folder, **ASKED)


def same(found, whole) -> None:
    assert without_seconds(found) == without_seconds(whole)
    assert maps_of(found) == maps_of(whole)
    assert sorted(path.name for path in found.path.iterdir() if path.name != "notes.json") == sorted(
        path.name for path in whole.path.iterdir()
    )


def test_finished_results_become_those_of_an_undisturbed_run(plate, loaded, tmp_path):
    out = tmp_path / "out"
    before = run_screen(plate, loaded, out, **ASKED)
    assert failed_in(before) == BROKEN
    assert before.failed == 2
    seconds = before.table.set_index(["well", "field"])["seconds"]
    noted = write_notes(out, {"A05": {"note": "odd", "excluded": "a hair"}})
    hash_of_plan = record_of(out)["sha256_of_plan"]
    whole = undisturbed(plate, loaded, tmp_path / "whole")
    heard = []
    found = run_screen(
        plate, loaded, out, retry_failed=True, progress=lambda done, total: heard.append((done, total)), **ASKED
    )
    same(found, whole)
    assert failed_in(found) == set()
    assert found.failed == 0
    assert found.notes == noted
    record = record_of(out)
    assert record["sha256_of_plan"] == hash_of_plan
    assert [run.get("tried_again") for run in record["runs"]] == [None, 2]
    assert (record["finished"]["fields"], record["finished"]["failed"]) == (12, 0)
    # Whole chunks that hold a failed field, and no others, were done again.
    chunks = [{(f.position, f.number) for f in chunk.fields} for chunk in cut(plate, record["fields_in_a_chunk"])]
    again = set().union(*(chunk for chunk in chunks if chunk & BROKEN))
    assert again > BROKEN
    assert heard[0] == (12 - len(again), 12)
    assert heard[-1] == (12, 12)
    for place, taken in found.table.set_index(["well", "field"])["seconds"].items():
        assert (taken != seconds[place]) == (place in again)


def test_a_run_that_was_stopped_tries_again_what_failed_before(plate, loaded, tmp_path):
    out = tmp_path / "out"

    def stop(done, total):
        if done >= 6:
            raise Cancelled("Enough.")

    with pytest.raises(Cancelled):
        run_screen(plate, loaded, out, progress=stop, **ASKED)
    whole = undisturbed(plate, loaded, tmp_path / "whole")
    same(run_screen(plate, loaded, out, retry_failed=True, **ASKED), whole)
    assert record_of(out)["runs"][-1]["tried_again"] == 1


@pytest.mark.parametrize("retry", [True, False])
def test_stopped_while_it_tries_again_it_goes_on(retry, plate, loaded, tmp_path):
    out = tmp_path / "out"
    run_screen(plate, loaded, out, **ASKED)
    whole = undisturbed(plate, loaded, tmp_path / "whole")
    begun = []

    def stop(done, total):
        begun.append(done)
        if done > begun[0]:
            raise Cancelled("Enough.")

    with pytest.raises(Cancelled):
        run_screen(plate, loaded, out, retry_failed=True, progress=stop, **ASKED)
    with pytest.raises(RecordError, match="not finished"):
        open_results(out)
    same(run_screen(plate, loaded, out, retry_failed=retry, **ASKED), whole)
    assert [run.get("tried_again") for run in record_of(out)["runs"]] == [None, 2, 1]


def test_where_none_failed_nothing_changes(plate, loaded, tmp_path):
    whole = undisturbed(plate, loaded, tmp_path / "whole")
    before = files_of(whole.path)
    found = run_screen(plate, loaded, whole.path, retry_failed=True, **ASKED)
    assert files_of(whole.path) == before
    assert len(found.table) == 12


def test_what_the_plate_lacks_is_not_tried_again(plate, loaded, tmp_path):
    mend(plate)
    first, second = plate.fields["A03"]
    lacking = replace(
        plate, fields=plate.fields | {"A03": (replace(first, missing=("ER",)), replace(second, reading={}))}
    )
    results = run_screen(lacking, loaded, tmp_path / "out", **ASKED)
    assert failed_in(results) == {("A03", 1), ("A03", 2)}
    assert results.failed == 0
    before = files_of(results.path)
    run_screen(lacking, loaded, results.path, retry_failed=True, **ASKED)
    assert files_of(results.path) == before
    # The file that was not there before makes another plate, and is another question, as ever.
    with pytest.raises(OutputError, match="there were other fields"):
        run_screen(plate, loaded, results.path, retry_failed=True, **ASKED)
    assert files_of(results.path) == before


def test_what_fails_again_says_so_and_an_answer_that_was_there_is_not_lost(plate, loaded, tmp_path):
    results = run_screen(plate, loaded, tmp_path / "out", **ASKED)
    mend(plate, {("A05", 2)})
    chunks = list(cut(plate, record_of(results.path)["fields_in_a_chunk"]))
    beside = next(
        field
        for chunk in chunks
        for field in chunk.fields
        if ("A05", 2) in {(other.position, other.number) for other in chunk.fields} and field.name != "A05 field 2"
    )
    place = (beside.position, beside.number)
    before, maps = results.table.set_index(["well", "field"]).loc[place], results.field_map(*place)
    Path(beside.reading["path"]).write_bytes(b"gone by now")
    found = run_screen(plate, loaded, results.path, retry_failed=True, **ASKED)
    assert failed_in(found) == {("A02", 1)}
    table = found.table.set_index(["well", "field"])
    told = [
        name
        for name in table.columns
        if not name.startswith(("distance.", "row_", "column_", "edge_")) and name not in ("flags", "why")
    ]
    assert table.loc[place, told].equals(before[told])
    assert (found.field_map(*place)["pixel-ablation-cam"] == maps["pixel-ablation-cam"]).all()
    assert table.loc[("A05", 2), "error"] == ""
    assert table["margin"].notna().sum() == 11


def test_another_run_in_the_folder_is_not_disturbed(plate, loaded, tmp_path):
    refused = []

    def intrude(done, total):
        if not refused:
            with pytest.raises(OutputError, match="Another run is writing") as error:
                run_screen(plate, loaded, tmp_path / "out", retry_failed=True, **ASKED)
            refused.append(error)

    run_screen(plate, loaded, tmp_path / "out", progress=intrude, **ASKED)
    assert refused


@pytest.fixture
def own_disk(tmp_path):
    """A disk of its own, and what to call to mount it anew with other options."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20M", "tmpfs", str(disk)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no disk can be mounted here")

    def remount(options):
        subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)

    yield disk, remount
    subprocess.run(["umount", str(disk)], check=True)


def fill(path):
    """Take what room there is."""
    with path.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()


def test_results_that_cannot_be_written_to_stay_as_they_are(plate, loaded, tmp_path, own_disk):
    disk, remount = own_disk
    results = run_screen(plate, loaded, disk / "out", **ASKED)
    whole = undisturbed(plate, loaded, tmp_path / "whole")
    before = files_of(results.path)
    remount("ro")
    try:
        with pytest.raises(OutputError, match="Nothing can be written"):
            run_screen(plate, loaded, results.path, retry_failed=True, **ASKED)
        assert files_of(results.path) == before
        assert failed_in(open_results(results.path)) == BROKEN
    finally:
        remount("rw")
    # No room for the parts: the table is still there, and with room it goes on.
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space"):
        fill(filler)
    with pytest.raises(OutputError, match="No space left"):
        run_screen(plate, loaded, results.path, retry_failed=True, **ASKED)
    assert files_of(results.path) == before
    filler.unlink()
    same(run_screen(plate, loaded, results.path, retry_failed=True, **ASKED), whole)


def test_a_cluster_that_does_not_answer_is_told_before_anything_is_changed(plate, loaded, tmp_path, monkeypatch):
    import dask

    from napari_attribution.screens.run import pools

    results = run_screen(plate, loaded, tmp_path / "out", **ASKED)
    mend(plate)
    before = files_of(results.path)
    monkeypatch.setattr(pools, "PATIENCE", 1)
    for address in ("tcp://127.0.0.1:1", "tls://127.0.0.1:1", "somewhere"):
        with pytest.raises(RequestError, match="No dask scheduler answers"):
            run_screen(plate, loaded, results.path, retry_failed=True, scheduler=address, **ASKED)
    assert files_of(results.path) == before
    assert dask.config.get("scheduler", None) is None, "what else dask computes, it computes here"


def test_a_table_of_another_version_is_left_alone(plate, loaded, tmp_path):
    import pyarrow.parquet as pq

    results = run_screen(plate, loaded, tmp_path / "out", **ASKED)
    table = pq.read_table(results.path / "fields.parquet").drop_columns(["margin"])
    pq.write_table(table, results.path / "fields.parquet")
    before = files_of(results.path)
    with pytest.raises(OutputError, match="cannot be read as this version writes it"):
        run_screen(plate, loaded, results.path, retry_failed=True, **ASKED)
    assert files_of(results.path) == before


def test_the_report_says_that_fields_were_tried_again(plate, loaded, tmp_path):
    from napari_attribution.screens.report.told import circumstances

    out = tmp_path / "out"
    run_screen(plate, loaded, out, **ASKED)
    mend(plate)
    run_screen(plate, loaded, out, retry_failed=True, **ASKED)
    told = dict(circumstances(json.loads((out / "record.json").read_text("utf-8"))))
    assert told["tried again"] == "2 fields that had failed"
