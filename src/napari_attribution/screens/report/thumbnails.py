"""Small pictures of wells: the stains in their colours, the map over them; all on one scale, so that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from napari_attribution.keeping.colours import EVIDENCE, robust_limit, stain_colors, stain_limits
from napari_attribution.keeping.figure.looks import Look, black_to, composite, evenly, overlaid
from napari_attribution.wells.well import Well

Map = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Sight:
    """A field made small: what a thumbnail is drawn from.

    Parameters
    ----------
    name : str
    well : Well, optional
        None where its pixels cannot be read (any more).
    map : (H, W) float32 ndarray, optional
        None where no maps were kept.
    """

    name: str
    well: Well | None = None
    map: Map | None = None

    @property
    def shape(self) -> tuple[int, int] | None:
        """Height and width in pixels; None where there is nothing to see."""
        if self.well is not None:
            return self.well.shape
        return (self.map.shape[0], self.map.shape[1]) if self.map is not None else None


@dataclass(frozen=True, eq=False)
class Light:
    """One look for all: limits that were found over all of the wells.

    Parameters
    ----------
    limits : mapping of stain to (float, float)
    evidence : float
        At which the colours of the map are full.
    """

    limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    evidence: float = 1.0

    @classmethod
    def over(cls, sights: Sequence[Sight]) -> Light:
        """The limits in the middle of those that each field by itself would have; those of all maps together."""
        found: dict[str, list[tuple[float, float]]] = {}
        for one in sights:
            for stain in one.well.stains if one.well is not None else ():
                found.setdefault(stain, []).append(stain_limits(one.well.plane(stain), len(one.well.stains)))  # type: ignore[union-attr]
        middle = {stain: np.median(np.array(each), axis=0) for stain, each in found.items()}
        maps = [one.map for one in sights if one.map is not None]
        return cls(
            {stain: (float(low), float(high)) for stain, (low, high) in middle.items()},
            robust_limit(maps) if maps else 1.0,
        )


def small(sight: Sight, side: int) -> Sight:
    """The field at a size of at most `side` pixels, by averaging whole blocks: single bright pixels are not lost."""
    if sight.shape is None:
        return sight
    step = max(1, -(-max(sight.shape) // side))
    well = sight.well
    if well is not None and step > 1:
        size = None if well.pixel_size is None else (well.pixel_size[0] * step, well.pixel_size[1] * step)
        planes = np.stack([_blocks(plane, step) for plane in well.pixels])
        well = replace(well, pixels=planes, pixel_size=size)
    return Sight(sight.name, well, sight.map if sight.map is None or step == 1 else _blocks(sight.map, step))


def picture(sight: Sight, light: Light, with_map: bool = True) -> Picture | None:
    """(h, w, 3) colours of a small field; None where there is nothing to see."""
    if sight.shape is None:
        return None
    if sight.well is not None:
        colours = dict(zip(sight.well.stains, stain_colors(sight.well.stains), strict=True))
        look = _look({stain: black_to(color) for stain, color in colours.items()}, light)
        drawn = composite(sight.well, look)
    else:
        look, drawn = _look({}, light), np.zeros((*sight.shape, 3), np.float32)
    if with_map and sight.map is not None and sight.map.shape == drawn.shape[:2]:
        drawn = overlaid(drawn, sight.map, look)
    made: Picture = (255 * np.clip(drawn, 0, 1) + 0.5).astype(np.uint8)
    return made


def mosaic(pictures: Iterable[Picture | None], columns: int, side: int, gap: int, caption: int) -> Picture:
    """Pictures row by row in squares of one size, each in the middle of its own, with room for a line under each: (H, W, 3)."""
    given = list(pictures)
    rows = max(1, -(-len(given) // columns))
    made = np.full((rows * (side + caption + gap) - gap, columns * (side + gap) - gap, 3), 40, dtype=np.uint8)
    for at, one in enumerate(given):
        if one is None:
            continue
        top = (at // columns) * (side + caption + gap) + (side - one.shape[0]) // 2
        left = (at % columns) * (side + gap) + (side - one.shape[1]) // 2
        made[top : top + one.shape[0], left : left + one.shape[1]] = one
    return made


def _look(colours: dict[str, Map], light: Light) -> Look:
    return Look(colours, light.limits, evenly(EVIDENCE), (-light.evidence, light.evidence))


def _blocks(plane: npt.NDArray[np.generic], step: int) -> Map:
    height, width = (side // step * step for side in plane.shape)
    if not height or not width:
        return plane[::step, ::step].astype(np.float32)
    cut = plane[:height, :width].reshape(height // step, step, width // step, step)
    smaller: Map = cut.mean(axis=(1, 3), dtype=np.float32)
    return smaller
