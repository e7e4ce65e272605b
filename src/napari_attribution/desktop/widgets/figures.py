"""Figures as people read them: with a unit, and with the digits that they deserve. Pure functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_attribution.classifiers.preparation.ranges import StainRange

LONG = 120.0
"""Seconds from which on a user should be warned before."""

_DASH = "\u00a0– "
"""Where there is little room, the line ends behind the dash."""


def work(forwards: float, seconds: float, inputs: int = 1) -> str:
    """ "About 500 forwards, 30 s here": what a question will take; cheap ones are not worth counting."""
    if seconds < 2:
        return "Takes about 1 s."
    of = f" ({inputs} inputs)" if inputs > 1 else ""
    return f"Takes about {_rounded(forwards)} forwards{of}: {duration(seconds)} here."


def duration(seconds: float) -> str:
    """A time that is only roughly known."""
    if seconds < 10:
        return f"{seconds:.0f} s"
    if seconds < LONG:
        return f"{5 * round(seconds / 5)} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36000 else f"{seconds / 3600:.0f} h"


def _rounded(count: float) -> str:
    """Two digits are enough for what is going to be."""
    digits = max(0, math.floor(math.log10(count)) - 1) if count >= 1 else 0
    return f"{round(count / 10**digits) * 10**digits:,}".replace(",", "\u2009")


def span(low: float, high: float) -> str:
    """ "103 – 4012": from one number to another, as many digits for both."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "not numbers"
    largest = max(abs(low), abs(high))
    if largest >= 1e5 or 0 < largest < 1e-2:
        return _DASH.join(f"{value:.2g}" for value in (low, high)).replace("-", "−")
    digits = 0 if largest >= 20 else 1 if largest >= 3 else 2
    return _DASH.join(f"{round(value, digits) + 0.0:.{digits}f}" for value in (low, high)).replace("-", "−")


def pixels(found: StainRange) -> str:
    """Where nearly all of the well's pixels lie, in detector units."""
    return span(found.raw[1], found.raw[3])


def expected(found: StainRange) -> str:
    """Where they lay in training; a detector gives nothing below zero."""
    if found.expected is None:
        return ""
    low, high = found.expected
    return span(max(low, 0.0) if found.raw[0] >= 0 else low, high)


def normalised(found: StainRange) -> str:
    """Where nearly all of the input's values lie."""
    return span(found.normalised[1], found.normalised[3])


def memory(size: float) -> str:
    """Bytes, for people."""
    gib = size / 2**30
    return f"{gib:.1f} GiB" if gib < 100 else f"{gib:.0f} GiB"


def with_free(title: str, free_bytes: int | None) -> str:
    """A device and what is free on it, where its title does not say so already."""
    return title if free_bytes is None or "free" in title else f"{title}, {memory(free_bytes)} free"
