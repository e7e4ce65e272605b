"""A well as one colour picture, in its layers' own colours and limits: one texture a view instead of one a stain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.utils.colormaps import Colormap

from napari_attribution.desktop.layers import well_layer_tuples
from napari_attribution.desktop.wells_from_layers import OpenWell
from napari_attribution.wells.well import Well

STEPS = 256
"""Colours of a stain from dark to bright: as many as a screen shows."""

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Paint:
    """How a stain is shown.

    Parameters
    ----------
    stain : int
        Which of the well's.
    colors : (STEPS, 3) float32 ndarray
        From the lower limit to the upper; opacity is in them.
    limits : (float, float)
    gamma : float
    """

    stain: int
    colors: npt.NDArray[np.float32]
    limits: tuple[float, float]
    gamma: float = 1.0

    def over(self, picture: npt.NDArray[np.float32], plane: npt.NDArray[np.generic]) -> None:
        """Add this stain's light to an (H, W, 3) picture."""
        low, high = self.limits
        share = ((plane.astype(np.float32) - low) / max(high - low, 1e-12)).clip(0, 1)
        if self.gamma != 1.0:
            share **= self.gamma
        picture += self.colors[(share * (STEPS - 1) + 0.5).astype(np.uint8)]


def paints_of(well: OpenWell) -> tuple[Paint, ...] | None:
    """How the well's layers show their stains; the hidden ones are left out, unless all are.

    None where one layer holds all stains, in a single colour.
    """
    if well.channel_axis is not None:
        return None
    stains = list(enumerate(well.layers))
    shown = [(index, layer) for index, layer in stains if layer.visible] or stains
    return tuple(_paint(index, layer) for index, layer in shown)


def picture_of(well: Well, paints: tuple[Paint, ...] | None) -> Picture:
    """The stains' light added up, as napari does it for additive layers; runs in the worker.

    Parameters
    ----------
    well : Well
    paints : tuple of Paint, or None
        None for the customary colours, and limits that suit the pixels.

    Returns
    -------
    (H, W, 3) uint8 ndarray
    """
    if paints is None:
        paints = tuple(
            Paint(index, _colors(keywords["colormap"]), keywords["contrast_limits"])
            for index, (_, keywords, _) in enumerate(well_layer_tuples(well))
        )
    light = np.zeros((*well.shape, 3), dtype=np.float32)
    for paint in paints:
        paint.over(light, well.pixels[paint.stain])
    return (255 * light.clip(0, 1) + 0.5).astype(np.uint8)


def _paint(index: int, layer: Image) -> Paint:
    low, high = layer.contrast_limits
    return Paint(index, _colors(layer.colormap, layer.opacity), (float(low), float(high)), float(layer.gamma))


def _colors(colormap: Colormap, opacity: float = 1.0) -> npt.NDArray[np.float32]:
    colors = np.asarray(colormap.map(np.linspace(0, 1, STEPS)), dtype=np.float32)
    return colors[:, :3] * colors[:, 3:] * np.float32(opacity)
