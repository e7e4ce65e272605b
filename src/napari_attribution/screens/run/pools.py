"""Where chunks are worked on: threads of this process, processes of this machine, or the workers of a cluster.

All are asked in the same way, as executors of the standard library. None becomes dask's own default: whatever else is computed by
dask in this process, such as the lazy images in napari's layers, is computed as before.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from napari_attribution.classifiers.heap import ENVIRONMENT
from napari_attribution.errors import Cancelled, DeviceError, RequestError
from napari_attribution.screens.run.answers import Heed, Work, explain_chunk, explain_packed
from napari_attribution.screens.run.chunks import IN_HAND
from napari_attribution.screens.run.columns import Values
from napari_attribution.wells.plate import Field

if TYPE_CHECKING:
    from distributed import Client

HEED = 0.2
"""Seconds after which whoever listens may stop the run."""

PATIENCE = 30
"""Seconds that a cluster has to answer, and to have a worker."""


@dataclass(frozen=True)
class Pool:
    """Workers.

    Parameters
    ----------
    ask : callable
        Takes a chunk's fields; the future gives their values.
    room : callable
        How many chunks to have in hand, now.
    await_one : callable
        Waits a moment for one of some futures; in this process, what is to be computed is computed meanwhile, and heeds what is
        given.
    killed : tuple of exception types
        What a future raises where workers died over its chunk.
    workers : int
        How many processes there are; 0 for this one.
    """

    ask: Callable[[Sequence[Field]], Future[list[Values]]]
    room: Callable[[], int]
    await_one: Callable[[Collection[Future[list[Values]]], Heed], None]
    killed: tuple[type[BaseException], ...] = ()
    workers: int = 0


def check_workers(workers: int, scheduler: str | None) -> None:
    """See that workers can be asked for so.

    Raises
    ------
    RequestError
        Where they cannot.
    """
    if workers < 1:
        raise RequestError(f"At least one worker is needed, found {workers}.")
    if scheduler is not None and workers > 1:
        raise RequestError("A cluster has its own workers: name their number or a scheduler, not both.")


def check_cluster(work: Work, scheduler: str | None) -> None:
    """See that a cluster answers, where one is asked for, before anything is changed.

    Raises
    ------
    RequestError
        As `pool_of`.
    """
    if scheduler is not None:
        with _joined(scheduler, work):
            pass


@contextmanager
def pool_of(work: Work, workers: int, scheduler: str | None) -> Iterator[Pool]:
    """The workers that are asked for; when the context ends, what they still have in hand is dropped.

    Parameters
    ----------
    work : Work
    workers : int
        1 for this process alone, more for so many processes of this machine.
    scheduler : str, optional
        Address of a dask cluster's scheduler, whose workers are taken instead.

    Raises
    ------
    RequestError
        For a cluster that does not answer, has no workers, or does not see the results.
    """
    if scheduler is None and workers == 1:
        with _threads(work) as pool:
            yield pool
    else:
        with ExitStack() as stack:
            client = stack.enter_context(_local(workers) if scheduler is None else _joined(scheduler, work))
            yield stack.enter_context(_cluster(work, client))


@contextmanager
def _threads(work: Work) -> Iterator[Pool]:
    """Threads of this process, which read, measure and write; it is the thread of the caller that computes, while it waits."""
    stopped = threading.Event()
    waiting: SimpleQueue[tuple[Callable[[Heed], None], Future[None]] | None] = SimpleQueue()

    def heed() -> None:
        if stopped.is_set():
            raise Cancelled("The run was stopped.")

    def have_computed(compute: Callable[[Heed], None]) -> None:
        computed: Future[None] = Future()
        waiting.put((compute, computed))
        while not wait((computed,), timeout=HEED).done:
            heed()

    def ask(fields: Sequence[Field]) -> Future[list[Values]]:
        future = executor.submit(explain_chunk, work, fields, heed, have_computed)
        future.add_done_callback(lambda _: waiting.put(None))
        return future

    def await_one(futures: Collection[Future[list[Values]]], heed: Heed) -> None:
        with suppress(Empty):
            if (found := waiting.get(timeout=HEED)) is not None:
                compute, computed = found
                try:
                    compute(_stopping(heed))
                except Cancelled as stopped:
                    raise stopped.__cause__ or stopped from None
                computed.set_result(None)

    executor = ThreadPoolExecutor(IN_HAND, thread_name_prefix="chunk")
    try:
        yield Pool(ask, lambda: IN_HAND, await_one)
    finally:
        stopped.set()
        executor.shutdown(cancel_futures=True)


def _stopping(heed: Heed) -> Heed:
    """The same, which raises nothing but `Cancelled`: what goes wrong with whoever listens is no fault of the field."""

    def check() -> None:
        try:
            heed()
        except Cancelled:
            raise
        except Exception as error:
            raise Cancelled from error

    return check


@contextmanager
def _cluster(work: Work, client: Client) -> Iterator[Pool]:
    from distributed import KilledWorker

    executor: Executor = client.get_executor(pure=False)  # type: ignore[no-untyped-call]
    workers = len(client.scheduler_info(n_workers=-1)["workers"])

    def room() -> int:
        threads: list[int] = list(client.nthreads().values())  # type: ignore[no-untyped-call]
        return max(1, sum(min(IN_HAND, count) for count in threads) + len(threads))

    def await_one(futures: Collection[Future[list[Values]]], heed: Heed) -> None:
        wait(futures, timeout=HEED, return_when=FIRST_COMPLETED)

    try:
        yield Pool(
            lambda fields: executor.submit(explain_packed, pickle.dumps((work, fields))),
            room,
            await_one,
            (KilledWorker,),
            workers,
        )
    finally:
        executor.shutdown(wait=False)


@contextmanager
def _local(workers: int) -> Iterator[Client]:
    """So many processes of this machine, each with its share of the cores."""
    import dask
    from distributed import Client, LocalCluster

    cores = max(1, (os.cpu_count() or 1) // workers)
    limits: dict[str, int | str] = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), cores)
    # Dask's own setting would have memory handed back even sooner than the system does.
    limits |= ENVIRONMENT
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": limits}),
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers,
            threads_per_worker=IN_HAND,
            processes=True,
            memory_limit=0,
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):
        yield client


@contextmanager
def _joined(scheduler: str, work: Work) -> Iterator[Client]:
    """The cluster at an address.

    Raises
    ------
    RequestError
        Where there is none, it has no workers, they have another version of this package, or do not see the results.
    """
    from importlib.metadata import PackageNotFoundError, version

    from distributed import Client

    from napari_attribution import __version__

    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]
    except (
        OSError,
        TimeoutError,
        ValueError,
        TypeError,
    ) as error:  # TypeError: an address for which a certificate is needed
        raise RequestError(f"No dask scheduler answers at {scheduler} ({error}). Check the address.") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise RequestError(
                f"The scheduler at {scheduler} has no workers. Start some (dask worker {scheduler})."
            ) from None
        try:
            versions = set(client.run(version, "napari-attribution").values())
        except PackageNotFoundError:
            versions = set()
        if versions != {__version__}:
            raise RequestError(
                f"The workers at {scheduler} must have napari-attribution {__version__}, as this machine has; they have "
                f"{', '.join(sorted(versions)) or 'none'}."
            )
        blind = [worker for worker, sees in client.run(os.path.isdir, work.out).items() if not sees]
        if blind:
            raise RequestError(
                f"The worker at {blind[0]} does not see {work.out}. Choose a folder that all machines share."
            )
        yield client


def lost(scheduler: str | None) -> DeviceError:
    """What is said where the workers went away."""
    where = f"The cluster at {scheduler}" if scheduler else "The worker processes"
    return DeviceError(f"{where} went away. What was done is kept; the same command goes on.")
