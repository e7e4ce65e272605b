"""From the values of a column to colours: a perceptually uniform scale between percentiles, or one colour a category.

Numbers are shown in viridis, categories in the colours of Okabe and Ito (jfly.uni-koeln.de/color, 2008): both are told apart
without telling red from green.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

CATEGORIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#a6a6a6")
"""As many as a plate is told apart by; the last also stands for all that come after."""

PERCENTILES = (2.0, 98.0)
"""Between which the colours of numbers run: one odd well does not make all others look alike."""

Colours = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scale:
    """How the values of a column are coloured.

    Parameters
    ----------
    limits : (float, float)
        Where the colours of numbers begin and end.
    categories : tuple of str
        None for numbers.
    """

    limits: tuple[float, float] = (0.0, 1.0)
    categories: tuple[str, ...] = ()

    def colours(self, values: Sequence[Any] | npt.NDArray[Any]) -> Colours:
        """(n, 4) red, green, blue and opacity, the latter 0 where there is no value."""
        if not self.categories:
            return _numbers(np.asarray(values, dtype=float), self.limits)
        index = {name: at for at, name in enumerate(self.categories)}
        palette = np.array([_rgba(color) for color in CATEGORIES] + [(0, 0, 0, 0)], dtype=np.uint8)
        last = len(CATEGORIES) - 1
        places = [min(index[value], last) if value in index else -1 for value in values]
        return palette[places].reshape(-1, 4)

    def colour(self, category: str) -> str:
        """Of one category, as "#rrggbb"."""
        return CATEGORIES[min(self.categories.index(category), len(CATEGORIES) - 1)]

    @property
    def merged(self) -> int:
        """How many categories share the last colour; 0 where each has its own."""
        more = len(self.categories) - len(CATEGORIES) + 1
        return more if more > 1 else 0


def scale_of(values: Sequence[Any] | npt.NDArray[Any], order: Sequence[str] = ()) -> Scale:
    """The scale that suits these values.

    Parameters
    ----------
    values : sequence of n numbers or str
        NaN and None are no values.
    order : sequence of str
        Of categories that have one, such as the classifier's classes.
    """
    if is_text(values):
        found = {str(value) for value in values if isinstance(value, str) and value}
        known = [name for name in order if name in found]
        return Scale(categories=(*known, *sorted(found - set(known))))
    numbers = np.asarray(values, dtype=float)
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return Scale()
    low, high = (float(limit) for limit in np.percentile(finite, PERCENTILES))
    if not high > low:
        low, high = float(finite.min()), float(finite.max())
    return Scale((low, high)) if high > low else Scale((low - 0.5, low + 0.5))


def is_text(values: Sequence[Any] | npt.NDArray[Any]) -> bool:
    """Whether these are categories."""
    return any(isinstance(value, str) for value in values)


@lru_cache(maxsize=1)
def ramp() -> Colours:
    """The (256, 4) colours of numbers, dark to bright."""
    from matplotlib import colormaps

    made: Colours = (255 * colormaps["viridis"](np.linspace(0, 1, 256)) + 0.5).astype(np.uint8)
    return made


def _numbers(values: npt.NDArray[np.float64], limits: tuple[float, float]) -> Colours:
    low, high = limits
    there = np.isfinite(values)
    share = np.clip((np.where(there, values, low) - low) / (high - low), 0, 1)
    colours = ramp()[(255 * share + 0.5).astype(np.intp)]
    colours[~there] = 0
    return colours


def _rgba(color: str) -> tuple[int, int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 255
