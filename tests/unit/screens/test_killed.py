"""kill -9 at twenty random moments: the run goes on where it was, and ends as if nothing had happened."""

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_screens import make_plate, maps_of, without_seconds

from napari_attribution.errors import RecordError
from napari_attribution.screens.results import open_results
from napari_attribution.screens.results.notes import read_notes, write_notes

KILLS = 20
ASKED = {"batch_bytes": 900_000, "faithfulness": False}
"""Chunks of six fields or so."""


class Runs:
    """Runs in processes of their own."""

    def __init__(self, plate: Path, classifier: Path, asked: dict[str, object]) -> None:
        script = Path(__file__).parents[2] / "killed_runs.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(plate), str(classifier), json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert self.heard() == "ready"

    def heard(self) -> str:
        return self.process.stdout.readline().strip()

    def say(self, line: str) -> None:
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def run(self, out: Path, kill_after: float | None = None) -> str:
        """Run, and kill the run after so many seconds; how it ended."""
        self.say(str(out))
        process = int(self.heard())
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(process, signal.SIGKILL)
        self.say("wait")
        return self.heard()

    def gone_after(self, path: Path, out: Path) -> tuple[float, float]:
        """Run, and tell after how many seconds a file was taken away, and after how many the run ended."""
        self.say(str(out))
        self.heard()
        started = time.monotonic()
        while path.exists() and time.monotonic() < started + 60:
            time.sleep(0.001)
        gone = time.monotonic() - started
        self.say("wait")
        assert self.heard() == "done"
        return gone, time.monotonic() - started

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)


@pytest.fixture
def plate(tmp_path):
    """Eighteen wells of two fields."""
    return make_plate(tmp_path / "plate", wells=18, fields=2)


@pytest.fixture
def runs(classifier, plate, request):
    found = Runs(Path(plate.source), classifier, ASKED | getattr(request, "param", {}))
    yield found
    found.close()


def committed(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "parts").glob("[0-9]*.parquet")}


def seconds_of(table: pd.DataFrame) -> dict[tuple[str, int], float]:
    """What each field took: no two runs take the same."""
    return dict(zip(zip(table["well"], table["field"], strict=True), table["seconds"], strict=True))


@pytest.mark.slow
def test_killed_at_twenty_moments_a_run_loses_nothing_and_does_nothing_twice(runs, tmp_path):
    started = time.monotonic()
    assert runs.run(tmp_path / "whole") == "done"
    length = time.monotonic() - started
    whole = open_results(tmp_path / "whole")
    table, maps = without_seconds(whole), maps_of(whole)
    moments = random.Random(1)
    kills = midway = 0
    folder = 0
    while kills < KILLS:
        out = tmp_path / f"results {folder}"
        folder += 1
        kept: dict[str, bytes] = {}
        while not (out / "fields.parquet").exists():
            ended = runs.run(out, moments.uniform(0, 1.1 * length) if kills < KILLS else None)
            assert ended in ("done", "ended with 9")
            kills += ended != "done"
            now = committed(out)
            if (out / "fields.parquet").exists():
                break
            assert {name: now.get(name) for name in kept} == kept  # what was done stands as it was
            midway += len(now) > len(kept)
            kept = now
        assert runs.run(out) == "done"  # a kill may have come between the table and the tidying up
        found = open_results(out)
        assert without_seconds(found) == table
        assert maps_of(found) == maps
        seconds = seconds_of(found.table)
        for part in kept.values():
            done = seconds_of(pq.read_table(io.BytesIO(part)).to_pandas())
            assert done.items() <= seconds.items()  # and was not done again
        assert sorted(path.name for path in out.iterdir() if path.name != ".lock") == sorted(
            path.name for path in whole.path.iterdir() if path.name != ".lock"
        )
    assert midway >= 5  # the moments do fall within the work


@pytest.mark.slow
@pytest.mark.parametrize("runs", [{"retry_failed": True, "batch_bytes": 300_000}], indirect=True)
def test_killed_while_it_tries_again_it_leaves_the_old_results_or_a_run_that_goes_on(runs, plate, tmp_path):
    files = [Path(plate.fields[well][0].reading["path"]) for well in ("A02", "B03", "C06")]
    pixels = {file: file.read_bytes() for file in files}
    for file in files:
        file.write_bytes(b"not there yet")
    first = tmp_path / "first"
    assert runs.run(first) == "done"
    assert (open_results(first).table["error"] != "").sum() == 3
    notes = write_notes(first, {"A02": {"note": "late", "excluded": None}})
    old = (first / "fields.parquet").read_bytes()
    for file, content in pixels.items():
        file.write_bytes(content)
    assert runs.run(tmp_path / "whole") == "done"
    whole = open_results(tmp_path / "whole")
    table, maps = without_seconds(whole), maps_of(whole)
    shutil.copytree(first, tmp_path / "timed")
    gone, length = runs.gone_after(tmp_path / "timed" / "fields.parquet", tmp_path / "timed")
    moments = random.Random(2)
    kills = folder = 0
    left = {"old": 0, "half": 0}
    while kills < KILLS:
        out = tmp_path / f"results {folder}"
        folder += 1
        shutil.copytree(first, out)
        ended = ""
        while ended != "done":
            # Every other one is killed before the table is taken away, or just after it.
            last = 1.1 * (length if kills % 2 else gone)
            ended = runs.run(out, moments.uniform(0, last) if kills < KILLS else None)
            kills += ended != "done"
            assert read_notes(out) == notes
            if not (out / "fields.parquet").exists():
                left["half"] += 1
                with pytest.raises(RecordError, match="not finished"):
                    open_results(out)
            elif (out / "fields.parquet").read_bytes() == old:
                left["old"] += 1
            else:
                assert without_seconds(open_results(out)) == table
        found = open_results(out)
        assert without_seconds(found) == table
        assert maps_of(found) == maps
        tried = [run["tried_again"] for run in found.record["runs"][1:]]
        assert tried[0] == 3
        assert tried == sorted(tried, reverse=True)
        assert {path.name for path in out.iterdir()} == {path.name for path in whole.path.iterdir()} | {"notes.json"}
    assert min(left.values()) >= 2, left  # the moments do fall before and after the table is taken away
