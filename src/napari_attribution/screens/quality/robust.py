"""What is usual among numbers some of which are not: their median, and how far they scatter about it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

TO_SIGMA = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""


class Usual(NamedTuple):
    """The median, and the standard deviation as the median absolute deviation estimates it; NaN where there are no numbers."""

    middle: float
    spread: float


def usual(values: Floats) -> Usual:
    """What is usual among those of the values that are numbers."""
    there = values[np.isfinite(values)]
    if not there.size:
        return Usual(np.nan, np.nan)
    middle = float(np.median(there))
    return Usual(middle, TO_SIGMA * float(np.median(np.abs(there - middle))))
