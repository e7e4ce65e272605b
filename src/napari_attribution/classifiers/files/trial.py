"""Try a classifier file out in another process, so that one that loops, swells or crashes harms nothing here.

Loading runs a file's code: `__setstate__` of its modules, then the network itself, several times. TorchScript and .pt2
have no files to open and no machines to call (see archive.py and pt2_archive.py), but they can loop for ever, ask for
all memory, or run into a flaw of torch. So a child process does all of it first, with a limit of time and of memory, and
without a GPU; only what came through there is loaded here.

What this is: protection of the session against files that are damaged or badly made, and against simple malice.
What it is not: a sandbox. The child runs as the same user, and whoever finds a flaw in torch's native code can do there
what the user can do.

The two speak in lines of JSON over pipes; arrays follow as raw bytes. Run as a module, this file is the child.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from napari_attribution import errors
from napari_attribution.classifiers.files.archive import check_archive
from napari_attribution.errors import AttributionError, Cancelled, ClassifierError, DeviceError, TrialError

if TYPE_CHECKING:
    from napari_attribution.classifiers.cards.card import ClassifierCard
    from napari_attribution.classifiers.classifier import Classifier

log = logging.getLogger(__name__)

SWITCH = "NAPARI_ATTRIBUTION_TRIAL"
"""Environment variable: 0 where files are trusted and no trial is wanted, as on a cluster."""

TIME_LIMIT = 60.0
"""Seconds that a classifier may take to load and to answer the questions asked at load."""

_NO_PYTHON = (
    f"No second Python could be started to try the classifier out ({{}}). If you trust its file, set the environment variable "
    f"{SWITCH}=0 to load it without a trial."
)

_TO_START = 120.0
"""Seconds that the child may take to import torch: long on a network drive, on the first day."""

_POLL = 0.02
_MOST_THREADS = 4
_SPARE = 2 * 2**30
"""Bytes that are left to the rest of the computer."""


def is_wanted() -> bool:
    """Whether files are to be tried out: not where the environment says that they are trusted."""
    return os.environ.get(SWITCH, "1").strip().lower() not in ("0", "no", "off", "false")


def try_out(
    path: Path,
    card: ClassifierCard,
    seconds: float | None,
    cancelled: Callable[[], bool] | None = None,
    device: str = "cpu",
) -> None:
    """Try a file out in a child process, unless that was done before, is not wanted, or `seconds` is None.

    For a device other than the CPU, a refusal is left to that device: some networks run only there.

    Raises
    ------
    AttributionError
        What loading the file raised there, or that it took too long or crashed.
    Cancelled
        Where `cancelled` said so.
    """
    from napari_attribution.classifiers.files import remembered

    if seconds is None or not is_wanted():
        return
    try:
        key = remembered.key(path, card, device)
    except OSError as error:
        raise ClassifierError(f"{path.name} cannot be read: {error.strerror or error}.") from None
    if remembered.is_remembered(key):
        return
    with Trial() as trial:
        try:
            trial.load(path, card, seconds, cancelled)
        except (Cancelled, TrialError):
            raise
        except AttributionError:
            if device == "cpu":
                raise
            return
    with suppress(OSError):
        if remembered.key(path, card, device) == key:  # the file is still the one that passed
            remembered.remember(key)


class Trial:
    """A child process in which classifier files are loaded and run.

    One child serves for many files; after a crash or a kill the next request starts another. Close it, or use it as a
    context.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._name = ""
        self._is_warm = False
        self._asking = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def load(
        self,
        path: Path,
        card: ClassifierCard,
        seconds: float = TIME_LIMIT,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Load a file in the child, on the CPU, with all the checks of `load_classifier`.

        Parameters
        ----------
        path : Path
        card : ClassifierCard
        seconds : float
            The most that it may take, besides the child's own start.
        cancelled : callable, optional
            Asked often; once it says True the child is ended.

        Raises
        ------
        AttributionError
            What `load_classifier` raised, of the same type, with the same sentence.
        TrialError
            Where it took longer than `seconds`, or crashed.
        Cancelled
            Where `cancelled` said so.
        """
        self._name = path.name
        if check_archive(path) == "pt2" and not self._is_warm:
            self._ask({"do": "warm up"}, b"", _TO_START, cancelled, "prepare for")
            self._is_warm = True
        request = {"do": "load", "path": str(path.resolve()), "card": card.model_dump(mode="json")}
        self._ask(request, b"", seconds, cancelled, "load and to answer")

    def scores(
        self,
        inputs: npt.ArrayLike,
        seconds: float = TIME_LIMIT,
        cancelled: Callable[[], bool] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Scores of prepared inputs by the file that was loaded last.

        Parameters
        ----------
        inputs : (N, C, h, w) array
        seconds, cancelled : as in `load`

        Returns
        -------
        (N, K) ndarray

        Raises
        ------
        AttributionError, TrialError, Cancelled
            As `load` does.
        """
        array = np.ascontiguousarray(inputs, dtype="<f4")
        request = {"do": "scores", "shape": array.shape}
        answer = self._ask(request, array.tobytes(), seconds, cancelled, "answer")
        return np.asarray(answer["scores"], dtype=np.float32).reshape(answer["shape"])

    @property
    def pid(self) -> int | None:
        """Of the child, while there is one."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the child."""
        process, self._process = self._process, None
        self._is_warm = False
        if process is not None:
            _end(process)

    # ------------------------------------------------------------------------------------------------ the parent's side

    def _ask(
        self,
        request: Mapping[str, Any],
        data: bytes,
        seconds: float,
        cancelled: Callable[[], bool] | None,
        what: str,
    ) -> dict[str, Any]:
        with self._asking:
            if self._process is None or self._process.poll() is not None:
                self.close()
                if request["do"] == "scores":
                    raise ClassifierError(f"{self._name or 'The classifier'} is not loaded; load it first.")
                self._start(cancelled)
            process = self._process
            assert process is not None
            header = json.dumps({**request, "bytes": len(data), "seconds": seconds}).encode() + b"\n"
            answer = self._exchange(process, header + data, seconds, cancelled, what)
        if "error" in answer:
            raise _error(answer["error"], answer["sentence"])
        return answer

    def _start(self, cancelled: Callable[[], bool] | None) -> None:
        if not sys.executable or getattr(sys, "frozen", False):
            raise DeviceError(_NO_PYTHON.format("this program has none"))
        environment = os.environ | {
            "CUDA_VISIBLE_DEVICES": "",
            SWITCH: "0",
            "PYTHONUNBUFFERED": "1",
        }
        try:
            self._process = subprocess.Popen(
                # -P: a file beside the classifier that is called torch.py is none of ours.
                [sys.executable, "-P", "-m", __name__ if __name__ != "__main__" else _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise DeviceError(_NO_PYTHON.format(error.strerror or error)) from None
        self._exchange(self._process, b"", _TO_START, cancelled, "start the trial of")

    def _exchange(
        self,
        process: subprocess.Popen[bytes],
        data: bytes,
        seconds: float,
        cancelled: Callable[[], bool] | None,
        what: str,
    ) -> dict[str, Any]:
        """Send, and wait for a line, no longer than allowed."""
        line: list[bytes] = []

        def talk() -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(OSError, ValueError):
                process.stdin.write(data)
                process.stdin.flush()
                line.append(process.stdout.readline())

        talker = threading.Thread(target=talk, name="classifier trial", daemon=True)
        talker.start()
        deadline = time.monotonic() + seconds
        while True:
            talker.join(_POLL)
            if not talker.is_alive():
                break
            if cancelled is not None and cancelled():
                self._abandon(process, talker)
                raise Cancelled("Stopped; nothing has changed.")
            if time.monotonic() > deadline:
                self._abandon(process, talker)
                raise TrialError(
                    f"{self._name} took longer than {seconds:g} s to {what} and was stopped: it loops, or is far too large for "
                    "this computer. If it is only slow, allow it more time (time_limit; --time-limit on the command line)."
                )
        try:
            answer: dict[str, Any] = json.loads(line[0])
        except (ValueError, IndexError):
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            code = process.poll()
            self._abandon(process, talker)
            raise TrialError(self._crashed(code, starting=not data)) from None
        return answer

    def _abandon(self, process: subprocess.Popen[bytes], talker: threading.Thread) -> None:
        self._process, self._is_warm = None, False
        _end(process, talker)

    def _crashed(self, code: int | None, starting: bool) -> str:
        how = f"exit code {code}" if code is None or code >= 0 else f"signal {-code}, {_signal(-code)}"
        if starting:
            return (
                f"The trial of {self._name} could not start ({how}): a second Python cannot import torch. "
                f"If you trust its file, set the environment variable {SWITCH}=0 to load it without a trial."
            )
        if code == -getattr(signal, "SIGKILL", 9):
            return (
                f"{self._name} was ended by the system while it was tried out ({how}), probably because it took all memory. "
                "Close other programs, or check that the input size on the card is right."
            )
        return (
            f"{self._name} crashed ({how}) while it was tried out: the file is damaged, or was made for another version of "
            "torch."
        )


def _end(process: subprocess.Popen[bytes], talker: threading.Thread | None = None) -> None:
    with suppress(OSError):
        process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    if talker is not None:
        talker.join(10)  # it holds the pipes until the child's end has closed them
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError, ValueError):
                pipe.close()


def _signal(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return "unknown"


def _error(kind: str, sentence: str) -> AttributionError:
    found = getattr(errors, kind, None)
    if isinstance(found, type) and issubclass(found, AttributionError):
        return found(sentence)
    return ClassifierError(sentence)


# ---------------------------------------------------------------------------------------------------- the child's side

_MODULE = "napari_attribution.classifiers.files.trial"


def main() -> int:
    """Serve requests from stdin until it ends."""
    answers = _silence()
    requests = sys.stdin.buffer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to handle: it ends this process

    import torch

    from napari_attribution.classifiers.files import loading  # noqa: F401 - what takes long is done before the clock runs

    torch.set_num_threads(max(1, min(_MOST_THREADS, torch.get_num_threads())))
    _limit_memory()
    inbox = _Inbox(requests)
    classifier: Classifier | None = None
    _answer(answers, {"ready": True})
    while True:
        request, data = inbox.next()
        _watch(request["seconds"])
        try:
            if request["do"] == "load":
                classifier = None
                classifier = _load(request)
                answer: dict[str, Any] = {"loaded": True}
            elif request["do"] == "warm up":
                answer = _warm_up()
            else:
                answer = _scores(classifier, request, data)
        except AttributionError as error:
            answer = {"error": type(error).__name__, "sentence": str(error)}
        except MemoryError:
            answer = {
                "error": "DeviceError",
                "sentence": "There is no room on cpu for even one input. Close other programs.",
            }
        except Exception as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            answer = {
                "error": "ClassifierError",
                "sentence": f"The classifier cannot be used ({what}): the file is damaged, or was made for another torch.",
            }
        _watch(None)
        _answer(answers, answer)


def _warm_up() -> dict[str, Any]:
    """Import what torch needs for .pt2 files, which takes a second and is not the file's fault."""
    from importlib import import_module

    for module in (
        "torch._export.serde.serialize",
        "torch.export.pt2_archive",
        "torch.fx.experimental.symbolic_shapes",
    ):
        with suppress(ImportError):
            import_module(module)
    return {"warm": True}


def _load(request: Mapping[str, Any]) -> Classifier:
    from napari_attribution.classifiers.cards.card import ClassifierCard
    from napari_attribution.classifiers.files.loading import load_classifier

    return load_classifier(Path(request["path"]), "cpu", ClassifierCard(**request["card"]), time_limit=None)


def _scores(classifier: Classifier | None, request: Mapping[str, Any], data: bytes) -> dict[str, Any]:
    import torch

    if classifier is None:
        raise ClassifierError("The classifier is not loaded; load it first.")
    inputs = torch.from_numpy(np.frombuffer(data, dtype="<f4").reshape(request["shape"]).astype(np.float32))
    scores = classifier.scores_of_many(lambda part: inputs[part], len(inputs)).numpy()
    return {"shape": scores.shape, "scores": scores.ravel().tolist()}


def _answer(answers: IO[bytes], answer: Mapping[str, Any]) -> None:
    try:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
    except OSError:
        os._exit(0)  # nobody listens any more


class _Inbox:
    """Reads requests in a thread of its own, which ends the process as soon as the parent is gone, whatever it is doing."""

    def __init__(self, requests: IO[bytes]) -> None:
        self._requests = requests
        self._arrived = threading.Semaphore(0)
        self._waiting: list[tuple[dict[str, Any], bytes]] = []
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def next(self) -> tuple[dict[str, Any], bytes]:
        self._arrived.acquire()
        return self._waiting.pop(0)

    def _read(self) -> None:
        with suppress(Exception):
            while line := self._requests.readline():
                request = json.loads(line)
                self._waiting.append((request, self._requests.read(request["bytes"])))
                self._arrived.release()
        os._exit(0)


def _watch(seconds: float | None) -> None:
    """End this process by itself some time after the parent should have: native code may keep Python's other threads out."""
    import faulthandler

    faulthandler.cancel_dump_traceback_later()
    if seconds is not None and math.isfinite(seconds):
        with suppress(OSError, RuntimeError, ValueError, OverflowError):
            faulthandler.dump_traceback_later(seconds + 30, exit=True, file=2)


def _silence() -> IO[bytes]:
    """Keep the pipe to the parent for answers; whatever networks and libraries print goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers


def _limit_memory() -> None:
    """Let this process ask for no more memory than there is, and be the first to go when there is none, where that can be."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        import resource
    except ImportError:  # Windows
        return
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError, IndexError):
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        with suppress(OSError, ValueError):
            memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
        limit = mapped + max(memory - _SPARE, memory // 2)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    # Under its own name, so that the errors raised here are the ones that are caught here.
    from napari_attribution.classifiers.files import trial

    sys.exit(trial.main())
