"""Failed fields, tried again in the folder where they failed.

Each chunk that holds one is made undone as a whole, so that the classifier sees the batches of a run in which every field could be
read from the start. Its rows stand aside meanwhile. Of results that are finished the parts are made again from the table; only when
all are there is the table taken away, and from then on the run is one that was stopped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_attribution.errors import OutputError
from napari_attribution.keeping.files import check_folder
from napari_attribution.screens.results.folder import TABLE
from napari_attribution.screens.run.chunks import cut
from napari_attribution.screens.run.columns import schema
from napari_attribution.screens.run.ledger import Ledger
from napari_attribution.screens.run.tables import cut_at, opened, write_table
from napari_attribution.wells.plate import Plate

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    from napari_attribution.screens.run.plan import Plan


def set_aside_failed(ledger: Ledger, plan: Plan, plate: Plate) -> None:
    """Make the chunks undone that hold a field which failed and can be tried again; where there is none, change nothing.

    Parameters
    ----------
    ledger : Ledger
        Of a run that was begun; finished or not.
    plan : Plan
    plate : Plate

    Raises
    ------
    OutputError
        Where the table cannot be read or taken away, or the parts cannot be written: finished results are then as before. Where
        after that the record cannot be written: the run is then one that was stopped.
    """
    if ledger.finished:
        _reopen(ledger, plan, plate)
        return
    errors = {number: _errors(path) for number, path in ledger.committed.items()}
    for number in to_try(plate, ledger.chunk, errors):
        try:
            ledger.part(number).replace(ledger.part(number, former=True))
        except OSError as error:
            raise _unwritable(ledger.parts, error) from None


def awaited(ledger: Ledger, plate: Plate, done: Collection[int]) -> int:
    """How many fields that failed before are still to be tried again.

    Parameters
    ----------
    ledger : Ledger
    plate : Plate
    done : collection of int
        The numbers of the chunks that are done.
    """
    errors = {number: _errors(path) for number, path in ledger.former.items() if number not in done}
    return sum(to_try(plate, ledger.chunk, errors).values())


def to_try(plate: Plate, size: int, errors: Mapping[int, Sequence[str]]) -> dict[int, int]:
    """How many fields of each chunk can be tried again; chunks without any are not named.

    Parameters
    ----------
    plate : Plate
    size : int
        Fields in a chunk.
    errors : mapping of chunk to the errors of its fields
        Empty for a field that did not fail.
    """
    failed = {number for number, told in errors.items() if any(told)}
    found: dict[int, int] = {}
    for chunk in cut(plate, size) if failed else ():
        if chunk.number in failed:
            told = zip(chunk.fields, errors[chunk.number], strict=True)
            if count := sum(bool(error) and field.complete for field, error in told):
                found[chunk.number] = count
    return found


def _reopen(ledger: Ledger, plan: Plan, plate: Plate) -> None:
    """Make a finished run one that was stopped before these chunks."""
    table = ledger.out / TABLE
    errors = enumerate(part["error"].to_pylist() for part in _measured(table, plan, ledger.chunk, ["error"]))
    again = to_try(plate, ledger.chunk, {number: told for number, told in errors if any(told)})
    if not again:
        return
    # What is left of parts is of the run that made the table, or of a try that came to nothing.
    ledger.close()
    try:
        check_folder(ledger.parts)
        for number in again:
            ledger.part(number).unlink(missing_ok=True)
        for number, part in enumerate(_measured(table, plan, ledger.chunk)):
            write_table(ledger.part(number, former=number in again), part)
        table.unlink()
    except OutputError:
        ledger.close()
        raise
    except OSError as error:
        ledger.close()
        raise _unwritable(ledger.out, error) from None
    ledger.write_record(finished=None)


def _measured(path: Path, plan: Plan, size: int, names: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The table, chunk by chunk, without what only the whole plate told; or some columns of it."""
    import pyarrow as pa  # type: ignore[import-untyped]

    columns = schema(plan)
    wanted = columns if names is None else pa.schema([columns.field(name) for name in names])
    try:
        with opened(path) as rows:
            if missing := [name for name in columns.names if name not in rows.column_names]:
                raise pa.ArrowInvalid(f"it has no column {missing[0]}")
            for part in cut_at(rows.pieces(wanted.names), size):
                yield part.cast(wanted).combine_chunks()
    except (OSError, pa.ArrowException) as error:
        raise OutputError(
            f"{path} cannot be read as this version writes it ({error}), so its failed fields cannot be tried again. Choose "
            "another folder."
        ) from None


def _errors(path: Path) -> list[str]:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    told: list[str] = pq.read_table(path, columns=["error"])["error"].to_pylist()
    return told


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} cannot be changed ({error.strerror or error}). Close what has it open, or see that it can be written to."
    )
