"""Colours and limits, the same in the window and in a figure: of the stains, and of a map's evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

EVIDENCE = (
    (0.10, 0.86, 0.38, 1.0),
    (0.35, 0.80, 0.50, 0.5),
    (0.60, 0.65, 0.70, 0.0),
    (0.66, 0.45, 0.95, 0.5),
    (0.76, 0.36, 1.00, 1.0),
)
"""Red, green, blue and opacity, evenly from the lower limit to the upper: green against, purple for, nothing at zero. They
are read without telling red from green, and over any stain."""

# Blue, cyan-green, yellow, orange and magenta are told apart by people with the common colour deficiencies too: they
# differ in lightness as well as in hue, and no pair is red against green.
_PALETTE = ("#4f8cff", "#26d6a9", "#ffe14d", "#ff8f33", "#ff4fd2", "#c8c8c8", "#8fd0ff", "#b58cff")
_KNOWN = {
    "#4f8cff": ("dna", "hoechst", "dapi", "nucle", "draq"),
    "#26d6a9": ("er", "cona", "concanavalin", "gfp", "fitc", "488"),
    "#ffe14d": ("rna", "syto", "yfp"),
    "#ff8f33": ("agp", "actin", "phalloidin", "wga", "golgi", "568", "tritc"),
    "#ff4fd2": ("mito", "cy5", "641", "647", "rfp", "mcherry"),
    "#c8c8c8": ("bright", "bf", "phase", "dic"),
}


def stain_colors(stains: Sequence[str]) -> tuple[str, ...]:
    """A colour for each stain: the customary one where the name is known, else one that no other stain has."""
    chosen: dict[int, str] = {}
    for index, stain in enumerate(stains):
        name = stain.casefold()
        for color, words in _KNOWN.items():
            if color not in chosen.values() and any(_speaks_of(name, word) for word in words):
                chosen[index] = color
                break
    spare = [color for color in _PALETTE if color not in chosen.values()]
    for index in range(len(stains)):
        if index not in chosen:
            chosen[index] = spare.pop(0) if spare else _PALETTE[index % len(_PALETTE)]
    return tuple(chosen[index] for index in range(len(stains)))


def _speaks_of(name: str, word: str) -> bool:
    """Short words must stand alone: "ER" is no part of "tubulin marker"."""
    if len(word) > 3:
        return word in name
    return word in "".join(letter if letter.isalnum() else " " for letter in name).split()


def contrast_limits(plane: npt.NDArray[Any], low: float = 1.0, high: float = 99.95) -> tuple[float, float]:
    """Percentiles of a plane, from at most some 65,000 of its pixels: the viewer must not wait for them."""
    step = max(1, math.isqrt(plane.size // 65_536))
    bottom, top = (float(value) for value in np.percentile(plane[..., ::step, ::step], (low, high)))
    return (bottom, top) if top > bottom else (bottom, bottom + 1.0)


def stain_limits(plane: npt.NDArray[Any], stains: int) -> tuple[float, float]:
    """Limits of one of several additive stains: wider, or every cell would end in white where they lie over one another."""
    bottom, top = contrast_limits(plane)
    return bottom, bottom + (top - bottom) * (1 + 0.12 * (stains - 1))


def robust_limit(maps: Iterable[npt.NDArray[Any]], percentile: float = 99.5) -> float:
    """The value that only the strongest half per cent exceed: one hot pixel does not darken the map."""
    magnitudes = np.concatenate([np.abs(values).ravel() for values in maps])
    magnitudes = magnitudes[np.isfinite(magnitudes)]
    if not magnitudes.size or not magnitudes.any():
        return 1.0
    # A sparse map (a few cells in a wide field) has a percentile of zero; its own non-zero values then say what is much.
    limit = float(np.percentile(magnitudes, percentile))
    return _rounded_up(limit or float(np.percentile(magnitudes[magnitudes > 0], percentile)))


def _rounded_up(limit: float) -> float:
    """The next round number, at which the colour bar writes its ends or numbers near them (at 8 it writes zero alone)."""
    power = 10.0 ** math.floor(math.log10(limit))
    return next(
        float(f"{step * power:.3g}") for step in (1, 1.5, 2, 3, 4, 5, 6, 7, 10) if step * power >= limit * 0.999
    )
