"""A child process as its parent sees it: started, asked, waited for no longer than allowed, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from napari_attribution.classifiers.files.trial.limits import SWITCH
from napari_attribution.errors import Cancelled, DeviceError, TrialError

_CHILD = "napari_attribution.classifiers.files.trial.child"

_NO_PYTHON = (
    f"No second Python could be started to try the classifier out ({{}}). If you trust its file, set the environment variable "
    f"{SWITCH}=0 to load it without a trial."
)

TO_START = 120.0
"""Seconds that the child may take to import torch: long on a network drive, on the first day."""

_POLL = 0.02


class Process:
    """A child process: it starts at once, and may be asked as soon as `wait_until_ready` has returned.

    Where it takes too long, crashes or is not wanted any more, it has ended by the time that is said.

    Raises
    ------
    DeviceError
        Where no second Python can be started.
    """

    def __init__(self) -> None:
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
                [sys.executable, "-P", "-m", _CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise DeviceError(_NO_PYTHON.format(error.strerror or error)) from None
        self.has_ended = False
        """Whether it was ended from here."""

    @property
    def pid(self) -> int:
        """By which the system knows it."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it can be asked."""
        return not self.has_ended and self._process.poll() is None

    def wait_until_ready(self, name: str, cancelled: Callable[[], bool] | None) -> None:
        """Wait for its first word; takes and raises what `exchange` does."""
        self.exchange(b"", TO_START, cancelled, name, "start the trial of")

    def exchange(
        self, data: bytes, seconds: float, cancelled: Callable[[], bool] | None, name: str, what: str
    ) -> dict[str, Any]:
        """Send, and wait for a line, no longer than allowed.

        Parameters
        ----------
        data : bytes
        seconds : float
        cancelled : callable, optional
            Asked often; once it says True the child is ended.
        name, what : str
            Of the file and what it is to do, for errors.

        Raises
        ------
        TrialError
            Where it took longer, or crashed.
        Cancelled
            Where `cancelled` said so.
        """
        process = self._process
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
                self.end(talker)
                raise Cancelled("Stopped; nothing has changed.")
            if time.monotonic() > deadline:
                self.end(talker)
                raise TrialError(
                    f"{name} took longer than {seconds:g} s to {what} and was stopped: it loops, or is far too large for "
                    "this computer. If it is only slow, allow it more time (time_limit; --time-limit on the command line)."
                )
        try:
            answer: dict[str, Any] = json.loads(line[0])
        except (ValueError, IndexError):
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            code = process.poll()
            self.end(talker)
            raise TrialError(_crashed(name, code, starting=not data)) from None
        return answer

    def end(self, talker: threading.Thread | None = None) -> None:
        """Kill it, and let go of its pipes."""
        self.has_ended = True
        process = self._process
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


def _crashed(name: str, code: int | None, starting: bool) -> str:
    how = f"exit code {code}" if code is None or code >= 0 else f"signal {-code}, {_signal(-code)}"
    if starting:
        return (
            f"The trial of {name} could not start ({how}): a second Python cannot import torch. "
            f"If you trust its file, set the environment variable {SWITCH}=0 to load it without a trial."
        )
    if code == -getattr(signal, "SIGKILL", 9):
        return (
            f"{name} was ended by the system while it was tried out ({how}), probably because it took all memory. "
            "Close other programs, or check that the input size on the card is right."
        )
    return (
        f"{name} crashed ({how}) while it was tried out: the file is damaged, or was made for another version of torch."
    )


def _signal(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return "unknown"
