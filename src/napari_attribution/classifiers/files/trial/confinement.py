"""What the child does to itself: it is silent, takes no more memory than there is, and ends when its time is over."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

_SPARE = 2 * 2**30
"""Bytes that are left to the rest of the computer."""


def silence() -> IO[bytes]:
    """Keep the pipe to the parent for answers; whatever networks and libraries print goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers


def limit_memory() -> None:
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


def watch(seconds: float | None) -> None:
    """End this process by itself some time after the parent should have: native code may keep Python's other threads out."""
    import faulthandler

    faulthandler.cancel_dump_traceback_later()
    if seconds is not None and math.isfinite(seconds):
        with suppress(OSError, RuntimeError, ValueError, OverflowError):
            faulthandler.dump_traceback_later(seconds + 30, exit=True, file=2)
