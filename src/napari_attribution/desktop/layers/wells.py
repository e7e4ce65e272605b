"""A well as layers: one additive image a stain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.colormaps import Colormap
from pint import get_application_registry

from napari_attribution.desktop.layers.known import ROLE
from napari_attribution.wells.well import Well

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


def contrast_limits(plane: np.ndarray, low: float = 1.0, high: float = 99.95) -> tuple[float, float]:
    """Percentiles of a plane, from at most some 65,000 of its pixels: the viewer must not wait for them."""
    step = max(1, math.isqrt(plane.size // 65_536))
    bottom, top = (float(value) for value in np.percentile(plane[..., ::step, ::step], (low, high)))
    return (bottom, top) if top > bottom else (bottom, bottom + 1.0)


def _dimmed(limits: tuple[float, float], stains: int) -> tuple[float, float]:
    """Wider limits where several additive stains lie over one another, or every cell would end in white."""
    bottom, top = limits
    return bottom, bottom + (top - bottom) * (1 + 0.12 * (stains - 1))


def well_layer_tuples(well: Well) -> list[tuple[np.ndarray, dict[str, Any], str]]:
    """The layers of a well as napari's readers and samples return them: one additive image a stain."""
    group = uuid4().hex
    size = well.pixel_size
    if size:
        # The first unit takes napari's library for units 0.3 s: in the worker that made these layers, not in the window.
        get_application_registry().parse_units("um")
    tuples = []
    for index, (stain, color) in enumerate(zip(well.stains, stain_colors(well.stains), strict=True)):
        plane = well.pixels[index]
        keywords: dict[str, Any] = {
            "name": stain,
            "colormap": Colormap([(0, 0, 0, 1), color], name=f"{stain} {color}"),
            "contrast_limits": _dimmed(contrast_limits(plane), len(well.stains)),
            "blending": "additive",
            "scale": size or (1.0, 1.0),
            "units": ("um", "um") if size else ("pixel", "pixel"),
            "axis_labels": ("y", "x"),
            "metadata": {
                ROLE: "stain",
                "stain": stain,
                "well": well.name,
                "group": group,
                "source": list(well.source),
                "named": well.named,
                "position": well.position,
                "field": well.field,
                "reading": well.reading,
            },
        }
        tuples.append((plane, keywords, "image"))
    return tuples


def show_well(viewer: ViewerModel, well: Well) -> list[Image]:
    """One additive layer a stain, in um where the well knows its pixel size; the first in the list is the first stain."""
    return [viewer.add_image(plane, **keywords) for plane, keywords, _ in well_layer_tuples(well)]
