"""Progress: told again from within a long forward, or over all inputs from that of one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_attribution.methods.question.problem import Progress


class Repeated:
    """A progress that can be reported again, unchanged, from within a long forward: whoever listens may cancel there."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._last = (0, 0)
        self._asked = 0.0

    def __call__(self, done: int, total: int) -> None:
        self._last = (done, total)
        if self._progress is not None:
            self._progress(done, total)

    def check(self) -> None:
        """Report the same again, at most twenty times a second."""
        if self._progress is not None and time.monotonic() - self._asked > 0.05:
            self._asked = time.monotonic()
            self._progress(*self._last)


def windowed(progress: Progress | None, index: int, count: int) -> Progress:
    """Progress over all windows, from that of one."""

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(index * total + done, count * total)

    return report
