"""Workers: the only place that starts threads.

A job is a frozen request with an id. It reports progress, can be cancelled, and ends in one of three ways: a result, a
sentence, or nothing (cancelled, or overtaken by a newer job of its kind: a result whose id is stale is dropped).

What a worker may not touch: the viewer, its layers, any widget, the controller's state. It gets its request, and gives
back its result; both are delivered on the thread of the window by `post`.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from napari_attribution.classifiers.heap import keep_memory
from napari_attribution.errors import AttributionError, Cancelled

T = TypeVar("T")
Progress = Callable[[int, int], None]
Post = Callable[[Callable[[], None]], None]

log = logging.getLogger("napari_attribution")

EVERY = 0.05
"""Seconds between two reports of progress: more would keep the window busy drawing them."""


@dataclass(frozen=True)
class Failure:
    """Why a job gave no result: a sentence to show, and the details for a report (empty for errors a user can mend)."""

    sentence: str
    error: Exception
    details: str = ""


class Report:
    """What a job tells of its progress, and how it learns that it is no longer wanted.

    Parameters
    ----------
    stop : threading.Event
        Set once the job is to stop.
    tell : callable
        Takes (steps done, steps in all), from the computing thread.
    """

    def __init__(self, stop: threading.Event, tell: Progress) -> None:
        self._stop, self._tell = stop, tell
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Progress; raises `Cancelled` once the job is to stop."""
        if self.cancelled():
            raise Cancelled("Stopped; nothing has changed.")
        now = time.monotonic()
        if done >= total or now - self._last >= EVERY:
            self._last = now
            self._tell(done, total)

    def cancelled(self) -> bool:
        """For work that would rather be asked than report."""
        return self._stop.is_set()


@dataclass(frozen=True, eq=False)
class Job(Generic[T]):
    """A frozen request: what to do and whom to tell, on the thread of the window."""

    id: int
    kind: str
    work: Callable[[Report], T]
    done: Callable[[T], None]
    failed: Callable[[Failure], None]
    progressed: Progress
    stop: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """One worker thread and its queue; a new job of a kind overtakes the earlier ones of that kind.

    Parameters
    ----------
    post : callable
        Runs a call on the thread of the window, soon; may be called from any thread.
    """

    def __init__(self, post: Post) -> None:
        self._post = post
        self._ids = itertools.count(1)
        self._queue: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._latest: dict[str, Job[Any]] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(
        self,
        kind: str,
        work: Callable[[Report], T],
        done: Callable[[T], None],
        failed: Callable[[Failure], None],
        progressed: Progress = lambda _done, _total: None,
    ) -> Job[T]:
        """Put a job in the queue; `work` gets a `Report` to tell of its progress."""
        if previous := self._latest.get(kind):
            previous.stop.set()
        job = Job(next(self._ids), kind, work, done, failed, progressed)
        self._latest[kind] = job
        self._queue.put(job)
        if self._thread is None:
            keep_memory()
            self._thread = threading.Thread(target=self._run, name="napari-attribution", daemon=True)
            self._thread.start()
            # A thread that is still in torch while Python takes itself down can crash.
            atexit.register(self.close, 5.0)
        return job

    def cancel(self, *kinds: str) -> None:
        """Stop the running or waiting jobs of these kinds (of all, where none is named) and drop what they bring."""
        for kind in kinds or tuple(self._latest):
            if job := self._latest.pop(kind, None):
                job.stop.set()

    def busy(self, kind: str) -> bool:
        """Whether a job of this kind is wanted and has not ended."""
        return kind in self._latest

    def close(self, timeout: float = 0.0) -> None:
        """Stop everything; the window does not wait for the worker to notice, unless it is told how long."""
        self._closed = True
        self.cancel()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            if not job.stop.is_set():
                self._do(job)
            # While the queue is empty, nothing of the last request is kept alive here: a classifier may fill a GPU.
            del job

    def _do(self, job: Job[Any]) -> None:
        def tell(done: int, total: int) -> None:
            self._deliver(job, lambda: job.progressed(done, total), ends=False)

        report = Report(job.stop, tell)
        try:
            result = job.work(report)
        except Cancelled:
            self._deliver(job, lambda: None)
        except AttributionError as error:
            failure = Failure(str(error), _without_frames(error))
            self._deliver(job, lambda: job.failed(failure))
        except Exception as error:
            details = traceback.format_exc()
            log.error("Unexpected error in job %d (%s)\n%s", job.id, job.kind, details)
            failure = Failure(_unexpected(error), _without_frames(error), details)
            self._deliver(job, lambda: job.failed(failure))
        else:
            self._deliver(job, lambda: job.done(result))

    def _deliver(self, job: Job[Any], call: Callable[[], None], ends: bool = True) -> None:
        """Run a call on the window's thread, unless the job has been overtaken or cancelled by then."""

        # The window may keep a call some time after it was made: what it was about must not live on in it.
        mail = [(job, call)]

        def if_current() -> None:
            job, call = mail.pop()
            if self._closed or self._latest.get(job.kind) is not job:
                return
            if ends:
                del self._latest[job.kind]
            call()

        self._post(if_current)


def _without_frames(error: Exception) -> Exception:
    """The error without its traceback, whose frames would keep alive what the job worked on."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and not any(one is other for other in seen):
            one.__traceback__ = None
            seen.append(one)
            waiting += [one.__cause__, one.__context__]
    return error


def _unexpected(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "There is not enough memory for this. Close other programs, or take a smaller well."
    lines = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return f"Something unexpected went wrong ({what}). Nothing has changed. Please report it, with the details."


def qt_post() -> Post:
    """A `post` for Qt: calls are queued on the thread on which this function was called."""
    from qtpy.QtCore import QObject, Qt, QTimer, Signal

    class Postman(QObject):
        mail = Signal(object)

        def __init__(self) -> None:
            super().__init__()
            self.mail.connect(self.deliver, Qt.ConnectionType.QueuedConnection)

        def deliver(self, call: Callable[[], None]) -> None:
            # Not at once: what one call posts would come before the window's own timers and drawing.
            QTimer.singleShot(1, call)

    postman = Postman()

    def post(call: Callable[[], None]) -> None:
        try:
            postman.mail.emit(call)
        except RuntimeError:
            # The window has gone, and with it whoever wanted to know.
            log.debug("dropped a result: the window is closed")

    return post
