"""The end of a run: the table of all parts, judged, of which never more than a piece or a column is in memory."""

import tracemalloc
import weakref
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from napari_attribution.errors import OutputError
from napari_attribution.screens.quality.judging import judge
from napari_attribution.screens.run import ledger as ledgers
from napari_attribution.screens.run.finishing import finish
from napari_attribution.screens.run.ledger import Ledger
from napari_attribution.screens.run.tables import PIECE, cut_at, in_pieces, opened, write_pieces, write_table

PLAN = SimpleNamespace(maps=False)
CHUNK = 32


def drawn(count: int) -> pa.Table:
    """Fields of 96 wells, with forty columns of numbers; one in twenty is out of focus, one in fifty failed."""
    rng = np.random.default_rng(0)
    at = np.arange(count) * 96 // count
    failed = rng.random(count) < 0.02
    columns = {
        "plate": np.full(count, "plate"),
        "well": np.array([f"{'ABCDEFGH'[one // 12]}{one % 12 + 1:02}" for one in at]),
        "row": (at // 12).astype(np.int16),
        "column": (at % 12).astype(np.int16),
        "field": np.arange(count, dtype=np.int32),
        "condition.drug": np.where(at % 2, "one", "other"),
        "predicted": np.where(failed, None, np.where(at % 2, "hit", "control")),
        **{f"logit.{name}": rng.normal(0, 1, count) for name in ("hit", "control")},
        **{f"importance.pcim.{stain}": rng.random(count) for stain in ("DNA", "ER", "Mito")},
        **{f"spread.pcim.{number}": rng.random(count) for number in range(30)},
        **{f"quality.focus.{stain}": rng.normal(1, 0.05, count) for stain in ("DNA", "ER", "Mito")},
    }
    columns["quality.focus.DNA"][rng.random(count) < 0.05] = 0.2
    for name, values in columns.items():
        if values.dtype == float:
            columns[name] = np.where(failed, np.nan, values)
    return pa.table(columns | {"seconds": np.ones(count), "error": np.where(failed, "It is gone.", "")})


def in_parts(folder, rows: pa.Table) -> Ledger:
    """A folder of results in which these are committed."""
    found = Ledger(folder, {})
    found.parts.mkdir(parents=True)
    for number, at in enumerate(range(0, rows.num_rows, CHUNK)):
        write_table(found.part(number), rows.slice(at, CHUNK))
    return found


def test_the_table_is_that_of_all_rows_judged_at_once(tmp_path):
    rows = drawn(2 * PIECE + 100)
    ledger = in_parts(tmp_path, rows)
    finish(ledger, PLAN, seconds=3.0)
    path = tmp_path / "fields.parquet"
    assert pq.ParquetFile(path).num_row_groups == 3
    pd.testing.assert_frame_equal(pd.read_parquet(path), judge(rows).to_pandas(), check_exact=True)
    told = ledger.record["finished"]
    assert (told["fields"], told["not_judged"]) == (rows.num_rows, None)
    assert told["failed"] == pa.compute.sum(pa.compute.equal(rows["error"], "It is gone.")).as_py() > 50
    assert sorted(one.name for one in tmp_path.iterdir()) == ["fields.parquet", "parts", "record.json"]
    assert not (ledger.parts / ledgers.GATHERED).exists()


def most_held(folder, count: int) -> int:
    """Bytes that are held at most while a run of so many fields ends."""
    ledger = in_parts(folder, drawn(count))
    before, pool = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        finish(ledger, PLAN, seconds=1.0)
        return tracemalloc.get_traced_memory()[1] + pool.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)


def test_memory_does_not_grow_with_the_table(tmp_path):
    """By a few columns, and not by the table: a row of it has more than 400 bytes of numbers, and twice as much of them and
    of sentences where it is judged as a whole."""
    few, many = 2 * PIECE, 10 * PIECE
    most_held(tmp_path / "first", few)  # what is imported stays
    growth = most_held(tmp_path / "many", many) - most_held(tmp_path / "few", few)
    assert growth / (many - few) < 150, "bytes a field"


def test_what_cannot_be_put_together_is_told_and_the_parts_stay(tmp_path, monkeypatch):
    ledger = in_parts(tmp_path, drawn(100))
    parts = {path.name: path.read_bytes() for path in ledger.parts.iterdir()}

    def full(path, pieces):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ledgers, "write_pieces", full)
    with pytest.raises(OutputError, match="Make room on the disk"):
        finish(ledger, PLAN, seconds=1.0)
    assert {path.name: path.read_bytes() for path in ledger.parts.iterdir()} == parts
    assert not (tmp_path / "fields.parquet").exists()


@pytest.mark.parametrize("rows", [1, 32, 33, 64, 1000])
def test_small_tables_are_put_together_in_their_order(rows, tmp_path):
    table = pa.table({"number": np.arange(500), "text": [f"row {at}" for at in range(500)]})
    pieces = list(in_pieces((table.slice(at, 32) for at in range(0, 500, 32)), rows))
    assert pa.concat_tables(pieces).equals(table)
    assert all(rows <= piece.num_rows < rows + 32 for piece in pieces[:-1])
    write_pieces(tmp_path / "table", pieces)
    with opened(tmp_path / "table") as found:
        assert (found.num_rows, found.column_names) == (500, ["number", "text"])
        assert found.column("text").equals(table.column("text"))
        assert [piece.num_rows for piece in found.pieces()] == [piece.num_rows for piece in pieces]
        assert pa.concat_tables(found.pieces(["text"])).equals(table.select(["text"]))


@pytest.mark.parametrize("sizes", [[500], [100] * 5, [1] * 500, [0, 333, 0, 167], [63, 65, 372]])
@pytest.mark.parametrize("rows", [1, 64, 500, 501])
def test_a_table_in_pieces_is_cut_so_many_rows_at_a_time(sizes, rows):
    table = pa.table({"number": np.arange(500)})
    ends = np.cumsum(sizes)
    found = list(cut_at((table.slice(end - size, size) for end, size in zip(ends, sizes, strict=True)), rows))
    assert [part.num_rows for part in found] == [rows] * (500 // rows) + [500 % rows] * (500 % rows > 0)
    assert pa.concat_tables(found).equals(table)


def test_of_many_small_tables_few_are_held_apart():
    table = pa.table({"number": np.arange(3000)})
    alive: list[weakref.ref] = []
    most = 0

    def rows():
        nonlocal most
        for at in range(3000):
            one = table.slice(at, 1)
            alive.append(weakref.ref(one))
            yield one
            del one
            most = max(most, sum(ref() is not None for ref in alive[-200:]))

    found = list(in_pieces(rows(), 1000))
    assert [piece.num_rows for piece in found] == [1000, 1000, 1000]
    assert pa.concat_tables(found).equals(table)
    assert most <= 40
