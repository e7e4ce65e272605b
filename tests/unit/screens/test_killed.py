"""kill -9 at twenty random moments: the run goes on where it was, and ends as if nothing had happened."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_screens import make_plate, maps_of, without_seconds

from napari_attribution.screens.results import open_results

KILLS = 20
ASKED = {"batch_bytes": 900_000, "faithfulness": False}
"""Chunks of six fields or so."""


class Runs:
    """Runs in processes of their own."""

    def __init__(self, plate: Path, classifier: Path) -> None:
        script = Path(__file__).parents[2] / "killed_runs.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(plate), str(classifier), json.dumps(ASKED)],
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

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)


@pytest.fixture
def runs(classifier, tmp_path):
    make_plate(tmp_path / "plate", wells=18, fields=2)
    found = Runs(tmp_path / "plate", classifier)
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
