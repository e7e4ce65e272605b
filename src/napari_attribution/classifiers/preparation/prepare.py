"""Preparation: from a well to the classifier's input, and a map's way back to well pixels.

What a card normalises is each input, after it was cut or resized, or the whole well before (`ClassifierCard.over`). A map
goes back by bilinear interpolation between the places in the input that its locations stand for (`geometry.Grid`), with
pixel centres in the middle of their pixels (align_corners=False).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.preparation.normalisation import normalise, settings
from napari_attribution.classifiers.preparation.stains import match_stains
from napari_attribution.classifiers.preparation.windows import Window, crops, cut, find_windows, window_about
from napari_attribution.classifiers.splitting.layouts import Grid
from napari_attribution.wells import Well
from napari_attribution.wells.place import Place

QUIET_PERCENTILE = 5.0
"""Where the card does not say which value means "nothing there", this percentile of each stain's pixels does."""


@dataclass(frozen=True)
class Prepared:
    """A well as the classifier sees it.

    Parameters
    ----------
    inputs : (N, C, h, w) float32 Tensor
        Normalised; one input a window.
    background : (N, C) float32 Tensor
        Per input and stain, the normalised value that means "nothing there".
    typical : (N, C) float32 Tensor
        Per input and stain, the normalised value of the stain's mean: in the training wells where the card gives it (0),
        else in what was normalised, the input or the well.
    windows : tuple of N Window
    well_shape : (H, W)
    stains : dict of card stain to well stain, in the classifier's order.
    """

    inputs: Tensor
    background: Tensor
    typical: Tensor
    windows: tuple[Window, ...]
    well_shape: tuple[int, int]
    stains: dict[str, str]

    def of_mask(self, mask: npt.NDArray[Any]) -> Tensor:
        """A mask over the well as each input sees it.

        Parameters
        ----------
        mask : (H, W) or (C, H, W) ndarray
            Boolean, or weights from 0 to 1.

        Returns
        -------
        (N, 1, h, w) or (N, C, h, w) float32 Tensor on the CPU; between 0 and 1 where pixels were resized, 0 outside the well.
        """
        planes = torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32)).reshape(-1, *self.well_shape)
        size = (self.inputs.shape[2], self.inputs.shape[3])
        return crops(planes, self.windows, size, torch.zeros(len(planes))).clamp(0, 1)

    def to_well(self, maps: Tensor, grid: Grid | None = None) -> npt.NDArray[np.float32]:
        """Lay one map an input over the well, bilinearly, averaging where windows overlap.

        Parameters
        ----------
        maps : (N, h', w') or (N, C, h', w') Tensor
        grid : Grid, optional
            Where in the input the map's locations lie; by default they share it out evenly.

        Returns
        -------
        (H, W) or (C, H, W) float32 ndarray; zero where no window was.
        """
        planes = maps[:, None] if maps.ndim == 3 else maps
        H, W = self.well_shape
        total = torch.zeros(planes.shape[1], H, W, dtype=torch.float64)
        count = torch.zeros(H, W, dtype=torch.float64)
        size = (self.inputs.shape[2], self.inputs.shape[3])
        for window, plane in zip(self.windows, planes, strict=True):
            laid = lay(plane, grid, size, (window.height, window.width))
            rows, columns = window.inside(self.well_shape)
            there = window.in_well(self.well_shape)
            total[:, there[0], there[1]] += laid[:, rows, columns]
            count[there] += 1
        mean: npt.NDArray[np.float32] = (total / count.clamp_min(1)).float().numpy()
        return mean[0] if maps.ndim == 3 else mean


def prepare(
    well: Well,
    card: ClassifierCard,
    stain_map: Mapping[str, str] | None = None,
    cells: npt.ArrayLike | None = None,
    place: Place | None = None,
) -> Prepared:
    """Make the classifier's input from a well, as its card says.

    Parameters
    ----------
    well : Well
    card : ClassifierCard
    stain_map : mapping of card stain to well stain, optional
    cells : (n, 2) array, optional
        Centres (row, column) of the cells, in well pixels; needed for the mode "cells".
    place : Place, optional
        Make the one input in which this part of the well lies: of the modes "tiles" and "cells", the window about its centre.

    Raises
    ------
    StainError
        Where the stains do not match.
    CardError
        Where the well does not suit the card's mode and size.
    RequestError
        Where the cells are not points of this well.
    """
    stains = match_stains(card.stains, well.stains, stain_map)
    windows = find_windows(well.shape, card, cells) if place is None else window_about(place, well.shape, card)
    raw = torch.from_numpy(np.stack([well.plane(name) for name in stains.values()]).astype(np.float32))
    if card.background is not None:
        quiet = torch.tensor(card.background, dtype=torch.float32)
    else:
        quiet = torch.from_numpy(np.percentile(raw.numpy(), QUIET_PERCENTILE, axis=(1, 2)).astype(np.float32))
    if card.over == "well":
        made = normalise(raw[None], quiet, card)
        inputs = cut(made.images[0], windows, card, made.background[0])
    else:
        made = normalise(cut(raw, windows, card, quiet), quiet, card)
        inputs = made.images
    each = (len(windows), len(stains))
    return Prepared(inputs, made.background.expand(each), made.typical.expand(each), windows, well.shape, stains)


def lay(map: Tensor, grid: Grid | None, size: tuple[int, int], shape: tuple[int, int]) -> Tensor:
    """Lay a map over the pixels that became an input, or, where shape is size, over the input itself: bilinearly.

    Parameters
    ----------
    map : (h', w') or (C, h', w') Tensor
    grid : Grid or None
        Where in the input the map's locations lie; by default they share it out evenly.
    size : (h, w)
        Of the input.
    shape : (H, W)
        Pixels that were resized to that size.

    Returns
    -------
    (H, W) or (C, H, W) float64 Tensor on the CPU.
    """
    rows, columns = map.shape[-2:]
    grid = grid or Grid.even(size, (rows, columns))
    rows_of = _between(shape[0], size[0], grid.start[0], grid.jump[0], rows)
    columns_of = _between(shape[1], size[1], grid.start[1], grid.jump[1], columns)
    return rows_of @ map.cpu().double() @ columns_of.T


def _between(length: int, pixels: int, start: float, jump: float, locations: int) -> Tensor:
    """(length, locations) weights that interpolate linearly between locations, for each of a window's `length` rows that
    became `pixels` rows of the input; beyond the outermost location its value holds."""
    at_pixel = (torch.arange(length, dtype=torch.float64) + 0.5) * pixels / length - 0.5
    at_location = ((at_pixel - start) / jump).clamp(0, locations - 1)
    distance = (at_location[:, None] - torch.arange(locations, dtype=torch.float64)).abs()
    return (1 - distance).clamp_min(0)


def describe(prepared: Prepared, card: ClassifierCard) -> dict[str, Any]:
    """The preparation for the record; what is the same for every input stands there once."""
    tiles = {"overlap": card.overlap} if card.mode == "tiles" else {}
    return {
        "mode": card.mode,
        "size": list(prepared.inputs.shape[2:]),
        "inputs": len(prepared.inputs),
        **tiles,
        **settings(card),
        "background": _once(prepared.background),
        "background_from": "card" if card.background is not None else f"percentile {QUIET_PERCENTILE:g} of the well",
        "stain_means": _once(prepared.typical),
    }


def _once(values: Tensor) -> list[Any]:
    """(N, C) values as plain numbers, as C where they are the same for all N."""
    rounded: list[Any] = [[round(float(value), 6) for value in row] for row in values]
    return rounded[0] if all(row == rounded[0] for row in rounded) else rounded
