"""Heeding: a loop inside a network asks, at every turn, whether it is still wanted.

TorchScript code may loop for ever, and a thread cannot be stopped from outside. So a step is put into every loop of a
network's graph that calls `heed`, and what runs the network says by `heeding` when enough is enough.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from napari_attribution.errors import Cancelled, ClassifierError

OPERATION = "napari_attribution::heed"

_asked = threading.local()
_library = torch.library.Library("napari_attribution", "DEF")
_library.define("heed() -> ()")


def heed() -> None:
    """Ask whether to go on; raises where not."""
    for check in getattr(_asked, "checks", ()):
        try:
            check()
        except BaseException as error:
            _asked.stopped = error  # TorchScript passes on the words of an exception, not the exception
            raise


_library.impl("heed", heed, "CompositeExplicitAutograd")


@contextmanager
def heeding(check: Callable[[], None]) -> Iterator[None]:
    """While this lasts, every turn of every loop in a network calls `check`, in this thread; what it raises ends the loop."""
    before = getattr(_asked, "checks", ())
    _asked.checks, _asked.stopped = (*before, check), None
    try:
        yield
    except Exception:
        if _asked.stopped is not None:
            raise _asked.stopped from None
        raise
    finally:
        _asked.checks, _asked.stopped = before, None


def within(seconds: float | None, cancelled: Callable[[], bool] | None = None) -> Callable[[], None]:
    """A check that a time limit, which starts now, is not over, and that nobody has cancelled."""
    until = None if seconds is None else time.monotonic() + seconds

    def check() -> None:
        if cancelled is not None and cancelled():
            raise Cancelled
        if until is not None and time.monotonic() > until:
            raise ClassifierError(
                f"The classifier was stopped after {seconds:g} seconds: it loops, perhaps for ever, on these pixels. Check the "
                "normalisation on its card, or allow more time if it is that slow."
            )

    return check


def put_into_loops(graph: Any) -> bool:
    """Put the step into every loop of a TorchScript graph; says whether there are any."""
    loops = _loops(graph)
    for node in loops:
        (body,) = node.blocks()
        graph.setInsertPoint(body)
        graph.insertNode(graph.create(OPERATION, [], 0))
    graph.setInsertPoint(graph.return_node())
    return bool(loops)


def _loops(block: Any) -> list[Any]:
    found = []
    for node in block.nodes():
        found += [node] if node.kind() == "prim::Loop" else []
        for inner in node.blocks():
            found += _loops(inner)
    return found
