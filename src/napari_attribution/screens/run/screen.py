"""run_screen: a plate explained field by field, into a folder of results that grows chunk by chunk."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.classifiers.files.trial.limits import TIME_LIMIT
from napari_attribution.classifiers.heap import keep_memory
from napari_attribution.screens.results.packages import check_packages
from napari_attribution.screens.results.plate_file import write_plate
from napari_attribution.screens.results.results import Results, open_results
from napari_attribution.screens.run.again import awaited, set_aside_failed
from napari_attribution.screens.run.answers import Work, forget_loaded, keep_loaded
from napari_attribution.screens.run.chunks import Chunk, cut, size_of_chunks
from napari_attribution.screens.run.columns import Values, schema, table_of
from napari_attribution.screens.run.finishing import finish
from napari_attribution.screens.run.ledger import Ledger, locked
from napari_attribution.screens.run.plan import Plan, chosen_wells, make_plan
from napari_attribution.screens.run.pools import HEED, Pool, check_cluster, check_workers, lost, pool_of
from napari_attribution.wells.plate import Plate

if TYPE_CHECKING:
    from napari_attribution.classifiers.cards.card import ClassifierCard
    from napari_attribution.classifiers.classifier import Classifier

Progress = Callable[[int, int], None]
"""Called with (fields done, fields in all); may raise `Cancelled`."""

RECORD_VERSION = 1


def run_screen(
    plate: Plate,
    classifier: Classifier | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    methods: Sequence[str] = ("pixel-ablation-cam",),
    target: str | None = None,
    score: str = "logit",
    against: str | None = None,
    stain_map: Mapping[str, str] | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    card: ClassifierCard | str | Path | None = None,
    device: str = "auto",
    workers: int = 1,
    scheduler: str | None = None,
    batch_bytes: int = 512 * 2**20,
    faithfulness: bool = True,
    maps: bool = True,
    accept_flaws: bool = True,
    wells: Sequence[str] | None = None,
    retry_failed: bool = False,
    time_limit: float | None = TIME_LIMIT,
    progress: Progress | None = None,
) -> Results:
    """Explain a classifier's call of every field of a plate.

    What is done stands in the folder of results for good: stopped at any moment, the same call goes on where it was, and its
    results are, bit for bit, those of a run that was not stopped (but for the seconds). A field that fails is recorded with
    its reason, and the others go on. Of a run that is finished, the results are opened, unless `retry_failed`.

    Parameters
    ----------
    plate : Plate
    classifier : path or Classifier
        TorchScript or .pt2 file; or a classifier that was loaded from one, with its card and on its device.
    out : path
        Folder of results: a new or an empty one, or that of the same run.
    methods : sequence of str
    target, score, against
        What is explained, as `explain` takes it; by default the logit of the class that is predicted for each field.
    stain_map : mapping of card stain to plate stain, optional
        For stains whose names differ.
    parameters : mapping of method to mapping of parameter to value, optional
    card : ClassifierCard or path, optional
        By default the description beside the classifier's file.
    device : str
        As `load_classifier` takes it.
    workers : int
        1 for this process; more for so many processes of this machine.
    scheduler : str, optional
        Address of a dask cluster ("tcp://..."), whose workers are taken; all see the plate, the classifier and the results.
    batch_bytes : int
        Memory that the fields in hand may take, in every process. How the fields are batched follows from it.
    faithfulness : bool
        Whether to find out how far each map is to be trusted (four forwards a method and field).
    maps : bool
        Whether to keep the maps.
    accept_flaws : bool
        Explain fields with an empty or saturated stain all the same.
    wells : sequence of str, optional
        Only these ("B03", or "B.." for a row).
    retry_failed : bool
        Try the fields again that failed in this folder, as if they could have been read from the start; of a run that is
        finished, too, which until then is one that is not. Fields that share a batch with one of them are done anew with it, in
        batches as large as when the run began; should one of these fail now, its former answer stays. Fields that the plate
        itself lacks are not tried. Where no field is to be tried, nothing changes.
    time_limit : float or None
        As `load_classifier` takes it.
    progress : callable, optional
        Called often with (fields done, fields in all); raising `Cancelled` there stops the run.

    Returns
    -------
    Results

    Raises
    ------
    OutputError
        Where the results cannot be written, or the folder holds something else. What is done is kept.
    ClassifierError, CardError, StainError, LayerError, RequestError
        For a classifier that cannot be loaded or does not fit the plate, and for a question that cannot be asked: before the
        first field.
    WellError
        For a plate without fields.
    DeviceError
        Where the device has no room even for one input, or the workers went away. What is done is kept.
    """
    from napari_attribution.classifiers import Classifier, load_classifier

    keep_memory()
    check_packages("pyarrow", "zarr", "filelock", *(("distributed",) if workers > 1 or scheduler else ()))
    check_workers(workers, scheduler)
    folder = Path(out).absolute()
    plate = chosen_wells(plate, wells)
    if isinstance(classifier, Classifier):
        loaded, device = classifier, classifier.device
    else:
        loaded = load_classifier(Path(classifier), device, card, time_limit=time_limit)
    plan = make_plan(
        plate,
        loaded,
        methods,
        parameters or {},
        stain_map,
        target=target,
        score=score,
        against=against,
        faithfulness=faithfulness,
        maps=maps,
        accept_flaws=accept_flaws,
        batch_bytes=batch_bytes,
    )
    work = Work(plan, str(loaded.path.absolute()) if loaded.path else "", device, str(folder))
    with locked(folder):
        ledger = Ledger.found(folder, plan)
        if ledger is None:
            size = size_of_chunks(plate, plan)
            write_plate(folder, plate)
            ledger = Ledger(folder, _record(plan, loaded, size))
            ledger.write_record()
        elif retry_failed:
            check_cluster(work, scheduler)
            set_aside_failed(ledger, plan, plate)
        if not ledger.finished:
            keep_loaded(loaded, work)
            try:
                _run(ledger, work, plate, (workers, scheduler), progress)
            finally:
                forget_loaded()
        ledger.close()
    return open_results(folder)


def _run(ledger: Ledger, work: Work, plate: Plate, where: tuple[int, str | None], progress: Progress | None) -> None:
    """What is not done yet, and the end."""
    plan, columns = work.plan, schema(work.plan)
    done = ledger.open()
    again = awaited(ledger, plate, done)
    started, count = time.time(), sum(done.values())
    told, at = -1, 0.0
    todo = (chunk for chunk in cut(plate, ledger.chunk) if chunk.number not in done)

    def heed() -> None:
        nonlocal told, at
        if progress is not None and (count != told or time.monotonic() - at >= HEED):
            told, at = count, time.monotonic()
            progress(count, plan.plate.fields)

    heed()
    if count < plan.plate.fields:
        with pool_of(work, *where) as pool:
            now = _circumstances(work, pool, where[1]) | ({"tried_again": again} if again else {})
            ledger.write_record(runs=[*ledger.record["runs"], now])
            for chunk, values in _answered(pool, todo, heed, where[1]):
                ledger.commit(chunk.number, table_of(plan, columns, chunk.fields, values))
                count += len(chunk.fields)
                heed()
    finish(ledger, plan, seconds=time.time() - started)


def _answered(
    pool: Pool, todo: Iterator[Chunk], heed: Callable[[], None], scheduler: str | None
) -> Iterator[tuple[Chunk, list[Values]]]:
    """Chunks with their values, as they get done; no more of them in hand than the workers have room for."""
    pending: dict[Future[list[Values]], Chunk] = {}
    suspected: list[Chunk] = []
    while True:
        while len(pending) < pool.room() and (chunk := next(todo, None)) is not None:
            pending[pool.ask(chunk.fields)] = chunk
        if not pending:
            break
        for future in _done(pool, pending, heed):
            chunk = pending.pop(future)
            try:
                yield chunk, future.result()
            except pool.killed:
                suspected.append(chunk)
            except CancelledError:
                raise lost(scheduler) from None
    for chunk in suspected:
        yield (
            chunk,
            list(chain.from_iterable(_alone(pool, replace(chunk, fields=(field,)), heed) for field in chunk.fields)),
        )


def _done(
    pool: Pool, pending: Mapping[Future[list[Values]], Chunk], heed: Callable[[], None]
) -> list[Future[list[Values]]]:
    """Wait for the next; the earliest chunk first."""
    while True:
        pool.await_one(pending, heed)
        heed()
        if found := [future for future in pending if future.done()]:
            return sorted(found, key=lambda future: pending[future].number)


def _alone(pool: Pool, chunk: Chunk, heed: Callable[[], None]) -> list[Values]:
    """One field with nothing beside it, because workers died over its chunk: now it is known whether they die over the field."""
    future = pool.ask(chunk.fields)
    _done(pool, {future: chunk}, heed)
    try:
        return future.result()
    except pool.killed:
        return [
            {
                "seconds": 0.0,
                "error": "The worker processes died over this field, one after another. Look at its files.",
            }
        ]


def _record(plan: Plan, classifier: Classifier, size: int) -> dict[str, Any]:
    return {
        "record_version": RECORD_VERSION,
        "plan": plan.model_dump(mode="json"),
        "sha256_of_plan": plan.hash,
        "fields_in_a_chunk": size,
        "classifier": {"file": str(classifier.path.absolute()) if classifier.path else None, "sha256": plan.sha256},
        "stains": list(plan.stains),
        "classes": list(plan.classes),
        "methods": [method.name for method in plan.methods],
        "layout": list(plan.plate.layout),
        "runs": [],
        "finished": None,
    }


def _circumstances(work: Work, pool: Pool, scheduler: str | None) -> dict[str, Any]:
    """When, where and with what a run went, or went on."""
    import numpy
    import torch

    from napari_attribution import __version__
    from napari_attribution.classifiers.devices import choose_device

    device = work.device
    with suppress(Exception):
        device = str(choose_device(device)) if scheduler is None else device
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device,
        "threads": torch.get_num_threads(),
        "workers": pool.workers or 1,
        "scheduler": scheduler,
        "versions": {
            "napari-attribution": __version__,
            "torch": torch.__version__,
            "numpy": numpy.__version__,
            "python": platform.python_version(),
            "system": platform.platform(terse=True),
        },
    }
