"""Several processes: the same rows, and a worker that dies takes nothing with it."""

import os
from dataclasses import replace

import pandas as pd
import psutil
import pytest
from small_screens import Deadly, make_plate, maps_of

from napari_attribution.errors import RequestError
from napari_attribution.screens.run import pools
from napari_attribution.screens.run.screen import run_screen

ASKED = {"batch_bytes": 300_000, "faithfulness": False, "methods": ("pixel-ablation-cam",)}


def same(found, whole) -> None:
    """Up to the last bits: the processes use another number of threads."""
    pd.testing.assert_frame_equal(
        found.table.drop(columns="seconds"), whole.table.drop(columns="seconds"), rtol=1e-3, atol=1e-4
    )


@pytest.fixture
def local_processes() -> list[psutil.Process]:
    """The worker processes that this one has, when asked."""

    def found() -> list[psutil.Process]:
        children = psutil.Process().children(recursive=True)
        return [one for one in children if "spawn_main" in " ".join(one.cmdline())]

    return found


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_nothing_with_it(loaded, tmp_path, local_processes):
    plate = make_plate(tmp_path / "plate", wells=20, fields=2)
    whole = run_screen(plate, loaded, tmp_path / "one", **ASKED)
    killed = []

    def kill(done, total):
        if done >= 4 and not killed:
            killed.append(local_processes()[0])
            killed[0].kill()

    found = run_screen(plate, loaded, tmp_path / "two", workers=2, progress=kill, **ASKED)
    assert killed
    assert found.record["runs"][0]["workers"] == 2
    same(found, whole)
    assert set(found.table["error"]) == {""}
    assert maps_of(found).keys() == maps_of(whole).keys()
    assert not local_processes()


@pytest.mark.slow
def test_a_field_that_kills_its_workers_is_told_and_its_neighbours_are_done(loaded, tmp_path, monkeypatch):
    monkeypatch.setenv("THE_TESTS", str(os.getpid()))
    plate = make_plate(tmp_path / "plate", wells=6, fields=2)
    fields = {position: list(some) for position, some in plate.fields.items()}
    fields["A03"][1] = Deadly("A03", 2, {"path": "deadly"})
    import dask
    import distributed  # noqa: F401 - its own settings come with it, and would go with these

    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        found = run_screen(replace(plate, fields=fields), loaded, tmp_path / "out", workers=2, **ASKED)
    told = found.table.set_index(["well", "field"])["error"]
    assert "died over this field" in told["A03", 2]
    assert (told.drop(("A03", 2)) == "").all()
    assert len(told) == 12


@pytest.mark.slow
def test_a_cluster_by_its_address(plate, loaded, tmp_path, monkeypatch):
    import dask.array
    from distributed import LocalCluster

    whole = run_screen(plate, loaded, tmp_path / "one", **ASKED)
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None, memory_limit=0) as cluster:
        address = cluster.scheduler_address
        lazy = dask.array.ones(3, chunks=1).map_blocks(lambda block: block * os.getpid())

        def compute_here(done, total):
            assert set(lazy.compute()) == {os.getpid()}, "what else dask computes, it computes here"

        found = run_screen(plate, loaded, tmp_path / "two", scheduler=address, progress=compute_here, **ASKED)
        same(found, whole)
    monkeypatch.setattr(pools, "PATIENCE", 1)
    with pytest.raises(RequestError, match="No dask scheduler answers"):
        run_screen(plate, loaded, tmp_path / "four", scheduler=address, **ASKED)
