"""How stains and map look, and the pictures that come of it. Knows nothing of matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_attribution.keeping.colours import EVIDENCE, robust_limit, stain_colors, stain_limits
from napari_attribution.methods.attribution import Attribution
from napari_attribution.wells import Well

Floats = npt.NDArray[np.float32]
LEVELS = 256


@dataclass(frozen=True, eq=False)
class Look:
    """Colours and limits, such as those of napari's layers.

    Parameters
    ----------
    colours : mapping of stain to (n, 3) ndarray
        From the colour of the lower limit, evenly, to that of the upper.
    limits : mapping of stain to (float, float)
        In detector units.
    evidence : (n, 4) ndarray
        Red, green, blue and opacity, evenly from the lower limit of the map to the upper.
    evidence_limits : (float, float)
        In the map's unit.
    opacity : float
        Of the whole map.
    hidden : frozenset of stain
        Those that are not shown.
    """

    colours: Mapping[str, npt.NDArray[Any]]
    limits: Mapping[str, tuple[float, float]]
    evidence: npt.NDArray[Any]
    evidence_limits: tuple[float, float]
    opacity: float = 0.85
    hidden: frozenset[str] = frozenset()

    def shows(self, stain: str) -> bool:
        """Whether a stain is to be seen."""
        return stain in self.colours and stain not in self.hidden


def default_look(well: Well, attribution: Attribution) -> Look:
    """Colours and limits as the dock gives them to a well and a map that it opens."""
    colours = {stain: black_to(color) for stain, color in zip(well.stains, stain_colors(well.stains), strict=True)}
    limits = {stain: stain_limits(well.plane(stain), len(well.stains)) for stain in well.stains}
    limit = robust_limit([attribution.map])
    return Look(colours, limits, evenly(EVIDENCE), (-limit, limit))


def black_to(color: str) -> Floats:
    """(2, 3) colours from black to "#rrggbb"."""
    return np.array([(0, 0, 0), [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]], dtype=np.float32)


def evenly(colours: Any, levels: int = LEVELS) -> Floats:
    """(n, k) colours as (levels, k), with straight lines between them."""
    given = np.asarray(colours, dtype=float)
    at = np.linspace(0, len(given) - 1, levels)
    return np.stack([np.interp(at, np.arange(len(given)), part) for part in given.T], axis=1).astype(np.float32)


def composite(well: Well, look: Look, part: tuple[slice, slice] = (slice(None), slice(None))) -> Floats:
    """The stains over black, added up as light is: (H, W, 3), from 0 to 1."""
    total = np.zeros((*well.pixels[0][part].shape, 3), dtype=np.float32)
    for stain, plane in zip(well.stains, well.pixels, strict=True):
        if look.shows(stain):
            total += _coloured(plane[part], look.limits[stain], evenly(look.colours[stain])[:, :3])
    return np.clip(total, 0, 1)


def overlaid(picture: Floats, values: npt.NDArray[Any], look: Look) -> Floats:
    """A map over a picture: (H, W, 3)."""
    colours = _coloured(values, look.evidence_limits, evenly(look.evidence))
    alpha = colours[..., 3:] * look.opacity
    mixed: Floats = picture + alpha * (colours[..., :3] - picture)
    return mixed


def _coloured(values: npt.NDArray[Any], limits: tuple[float, float], colours: Floats) -> Floats:
    low, high = limits
    share = (values.astype(np.float32) - low) / max(high - low, 1e-30)
    index = np.nan_to_num(np.clip(share, 0, 1) * (len(colours) - 1)).round().astype(np.intp)
    coloured: Floats = colours[index]
    return coloured


def colour_of(look: Look, stain: str) -> npt.NDArray[Any]:
    """Of the stain's brightest pixels, (3,)."""
    return np.asarray(look.colours[stain], dtype=float)[-1, :3] if stain in look.colours else np.full(3, 0.6)
