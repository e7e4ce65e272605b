"""The ledger: what of a run is done. Each chunk is committed whole, and a run that was stopped goes on after the last of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.errors import OutputError
from napari_attribution.keeping.files import check_folder, written_whole
from napari_attribution.screens.results.folder import LOCK, MAPS, PARTS, PLATE, RECORD, TABLE
from napari_attribution.screens.results.notes import NAME as NOTES
from napari_attribution.screens.run.tables import TableFile, in_pieces, opened, write_pieces, write_table

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    from napari_attribution.screens.run.plan import Plan


FORMER = "former-"
"""What the names of parts begin with whose chunks are done anew."""

GATHERED = "gathered"
"""The name of the file in which all parts are put together; not that of a part, so a run that goes on clears it away."""


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Have the folder of results to oneself. The lock of a run that was killed does not stand in the way.

    Raises
    ------
    OutputError
        Where another run has it, or nothing can be written there.
    """
    from filelock import FileLock, Timeout

    check_folder(out)
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputError(
            f"Another run is writing its results to {out}. Wait for it, stop it, or choose another folder."
        ) from None
    except OSError as error:
        raise OutputError(
            f"{out} cannot be locked ({error.strerror or error}), so two runs might write there. Choose another folder."
        ) from None
    try:
        yield
    finally:
        lock.release()


class Ledger:
    """What is done of a plan, in a folder of results.

    Parameters
    ----------
    out : Path
    record : dict
        As it stands in `record.json`.
    """

    def __init__(self, out: Path, record: dict[str, Any]) -> None:
        self.out, self.record = out, record

    @classmethod
    def found(cls, out: Path, plan: Plan) -> Ledger | None:
        """That of the run that was begun here; None where there is none.

        Raises
        ------
        OutputError
            Where the folder holds something else: another plan's results, or no results at all.
        """
        try:
            record = json.loads((out / RECORD).read_text("utf-8"))
            begun = record["plan"], record["sha256_of_plan"]
        except FileNotFoundError:
            _check_empty(out)
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(f"{out / RECORD} cannot be read ({error}). Choose another folder.") from None
        if begun[1] != plan.hash:
            raise OutputError(
                f"{out} holds the results of another question: {_difference(begun[0], plan.model_dump(mode='json'))}. Choose "
                "another folder, or ask the same question again."
            )
        return cls(out, record)

    @property
    def finished(self) -> bool:
        return (self.out / TABLE).is_file()

    @property
    def parts(self) -> Path:
        """The folder of the parts."""
        return self.out / PARTS

    @property
    def chunk(self) -> int:
        """Fields in a chunk."""
        return int(self.record["fields_in_a_chunk"])

    def write_record(self, **changes: Any) -> None:
        """Change what stands in the record."""
        self.record |= changes
        with written_whole(self.out / RECORD) as temporary:
            temporary.write_text(json.dumps(self.record, indent=1, ensure_ascii=False), "utf-8")

    def open(self) -> dict[int, int]:
        """Make room for parts, clear away what was in the making, and tell what is done: rows by the number of the chunk.

        Raises
        ------
        OutputError
            Where nothing can be written there.
        """
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        check_folder(self.parts)
        for path in self._unfinished():
            path.unlink(missing_ok=True)
        for path in self.parts.iterdir():
            if path.suffix != ".parquet" or path.name.startswith("."):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        return {number: pq.read_metadata(path).num_rows for number, path in self.committed.items()}

    def _unfinished(self) -> Iterator[Path]:
        """Files of ours that a run that was killed was writing."""
        for name in (PLATE, RECORD, TABLE):
            yield from self.out.glob(f".*.writing.{name}")
        for where in ("", "*/", "*/*/"):
            yield from (self.out / MAPS).glob(f"{where}.*.writing.*")

    @property
    def committed(self) -> dict[int, Path]:
        """The parts that are done, by the number of their chunk, in the order of the plate."""
        return {int(path.stem): path for path in sorted(self.parts.glob("[0-9]*.parquet"))}

    @property
    def former(self) -> dict[int, Path]:
        """The parts that stand aside, because their chunks are done anew."""
        return {int(path.stem.removeprefix(FORMER)): path for path in sorted(self.parts.glob(f"{FORMER}*.parquet"))}

    def part(self, number: int, former: bool = False) -> Path:
        """Where the rows of a chunk belong, or those that stand aside."""
        return self.parts / f"{FORMER if former else ''}{number:08}.parquet"

    def commit(self, number: int, rows: pa.Table) -> None:
        """Keep a chunk's rows for good; of fields that failed now and had not failed before, the former rows.

        Raises
        ------
        OutputError
            Where they cannot be written.
        """
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        former = self.part(number, former=True)
        write_table(self.part(number), _best(rows, pq.read_table(former)) if former.exists() else rows)

    @contextmanager
    def gathered(self) -> Iterator[TableFile]:
        """All rows that are committed, in the order of the plate, in one file for as long as they are needed.

        Raises
        ------
        OutputError
            Where they cannot be written.
        """
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        path = self.parts / GATHERED
        with written_whole(path) as temporary:
            write_pieces(
                temporary, in_pieces(pq.read_table(part, use_threads=False) for part in self.committed.values())
            )
        try:
            with opened(path) as rows:
                yield rows
        finally:
            with suppress(OSError):  # The parts are taken away with all that is among them.
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Take the parts away."""
        shutil.rmtree(self.parts, ignore_errors=True)


def _best(rows: pa.Table, former: pa.Table) -> pa.Table:
    """The rows, but for those that have an error now and had none before."""
    import pyarrow as pa  # type: ignore[import-untyped]

    tables = (rows, former.cast(rows.schema))
    now, before = (table["error"].to_pylist() for table in tables)
    lost = [bool(error) and not earlier for error, earlier in zip(now, before, strict=True)]
    return pa.concat_tables([tables[was].slice(at, 1) for at, was in enumerate(lost)]).combine_chunks()


def _check_empty(out: Path) -> None:
    """A folder in which a run begins holds nothing but what one that was killed at once, or a person's notes, left."""
    strange = [
        path.name for path in out.iterdir() if path.name not in (LOCK, PLATE, NOTES) and ".writing." not in path.name
    ]
    if strange:
        raise OutputError(
            f"{out} holds other things than a screen's results ({', '.join(sorted(strange)[:3])}). Choose a new or an empty "
            "folder."
        )


def _difference(begun: dict[str, Any], wanted: dict[str, Any]) -> str:
    """What of two plans differs, in words."""
    said = []
    for key, name in _NAMES.items():
        if begun.get(key) != wanted[key]:
            said.append(f"{name} {_short(begun.get(key))}, now {_short(wanted[key])}")
    plates = [plan.get("plate", {}) for plan in (begun, wanted)]
    for key in _PLATE:
        if plates[0].get(key) != plates[1].get(key):
            said.append(_PLATE[key].format(*(_short(plate.get(key)) for plate in plates)))
            break
    return "; ".join(said) or "they were written by another version"


_NAMES = {
    "sha256": "the classifier was",
    "card": "the card was",
    "stain_map": "the stains were",
    "methods": "the methods were",
    "target": "the class was",
    "score": "the score was",
    "against": "the other class was",
    "faithfulness": "faithfulness was",
    "maps": "writing of maps was",
    "accept_flaws": "accepting flaws was",
    "batch_bytes": "the batch bytes were",
}
_PLATE = {
    "source": "the plate was {}, now {}",
    "stains": "the plate's stains were {}, now {}",
    "sha256_of_fields": "there were other fields, or they were read in another way",
    "told": "the conditions were others",
}


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
