"""Preparation: from a well to the classifier's input, and a map's way back to well pixels.

Resizing is bilinear with anti-aliasing (torch.nn.functional.interpolate), before normalisation. A map goes back by
bilinear interpolation between the places in the input that its locations stand for (`geometry.Grid`), with pixel centres
in the middle of their pixels (align_corners=False).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.preparation.stains import match_stains
from napari_attribution.classifiers.splitting.geometry import Grid
from napari_attribution.errors import CardError
from napari_attribution.wells import Well

QUIET_PERCENTILE = 5.0
"""Where the card does not say which value means "nothing there", this percentile of each stain's pixels does."""

_OVERLAP = 0.25
"""Neighbouring tiles share at least this part of their length."""


@dataclass(frozen=True)
class Window:
    """The rectangle of well pixels that became one input: top, left, height, width (it may reach over the border)."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Prepared:
    """A well as the classifier sees it.

    Parameters
    ----------
    inputs : (N, C, h, w) float32 Tensor
        Normalised; one input a window.
    background : (C,) float32 Tensor
        Per stain, the normalised value that means "nothing there".
    windows : tuple of N Window
    well_shape : (H, W)
    stains : dict of card stain to well stain, in the classifier's order.
    """

    inputs: Tensor
    background: Tensor
    windows: tuple[Window, ...]
    well_shape: tuple[int, int]
    stains: dict[str, str]

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
        grid = grid or Grid.even(size, (planes.shape[2], planes.shape[3]))
        for window, plane in zip(self.windows, planes.cpu().double(), strict=True):
            rows_of = _between(window.height, size[0], grid.start[0], grid.jump[0], planes.shape[2])
            columns_of = _between(window.width, size[1], grid.start[1], grid.jump[1], planes.shape[3])
            laid = rows_of @ plane @ columns_of.T
            rows, columns = _inside(window.top, window.height, H), _inside(window.left, window.width, W)
            there = (
                slice(window.top + rows.start, window.top + rows.stop),
                slice(window.left + columns.start, window.left + columns.stop),
            )
            total[:, there[0], there[1]] += laid[:, rows, columns]
            count[there] += 1
        mean: npt.NDArray[np.float32] = (total / count.clamp_min(1)).float().numpy()
        return mean[0] if maps.ndim == 3 else mean


def prepare(
    well: Well,
    card: ClassifierCard,
    stain_map: Mapping[str, str] | None = None,
    cells: npt.ArrayLike | None = None,
) -> Prepared:
    """Make the classifier's input from a well, as its card says.

    Parameters
    ----------
    well : Well
    card : ClassifierCard
    stain_map : mapping of card stain to well stain, optional
    cells : (n, 2) array, optional
        Centres (row, column) of the cells, in well pixels; needed for the mode "cells".

    Raises
    ------
    StainError
        Where the stains do not match.
    CardError
        Where the well does not suit the card's mode and size.
    """
    stains = match_stains(card.stains, well.stains, stain_map)
    raw = torch.from_numpy(np.stack([well.plane(name) for name in stains.values()]).astype(np.float32))
    mean, std = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (card.mean, card.std))
    if card.background is not None:
        quiet = torch.tensor(card.background, dtype=torch.float32)
    else:
        quiet = torch.from_numpy(np.percentile(raw.numpy(), QUIET_PERCENTILE, axis=(1, 2)).astype(np.float32))
    windows = _windows(well.shape, card, cells)
    if card.mode == "resize":
        assert card.size is not None
        crops = interpolate(raw[None], size=card.size, mode="bilinear", antialias=True, align_corners=False)
    else:
        crops = torch.stack([_crop(raw, window, quiet) for window in windows])
    return Prepared((crops - mean) / std, ((quiet[:, None, None] - mean) / std)[:, 0, 0], windows, well.shape, stains)


def _windows(shape: tuple[int, int], card: ClassifierCard, cells: npt.ArrayLike | None) -> tuple[Window, ...]:
    H, W = shape
    whole = (Window(0, 0, H, W),)
    if card.mode == "resize":
        return whole
    if card.mode == "whole":
        if card.size is not None and tuple(card.size) != shape:
            raise CardError(
                f"The classifier takes whole fields of {card.size[0]} x {card.size[1]} pixels, but the well has {H} x {W}. "
                "Use a classifier for this size, or a card with the mode 'resize' or 'tiles' if it was trained so."
            )
        return whole
    assert card.size is not None
    h, w = card.size
    if card.mode == "tiles":
        if h > H or w > W:
            raise CardError(f"The classifier takes tiles of {h} x {w} pixels, but the well has only {H} x {W}.")
        return tuple(Window(top, left, h, w) for top in _starts(H, h) for left in _starts(W, w))
    centres = np.empty((0, 2)) if cells is None else np.asarray(cells, dtype=float).reshape(-1, 2)
    if not len(centres):
        raise CardError(
            f"The classifier looks at single cells ({h} x {w} pixels): say where the cells are (their centres, or a Labels or "
            "Points layer)."
        )
    return tuple(Window(round(row - h / 2), round(column - w / 2), h, w) for row, column in centres)


def _starts(length: int, tile: int) -> list[int]:
    """Evenly spread starts of tiles that cover a length and overlap a little."""
    if length == tile:
        return [0]
    count = int(np.ceil((length - tile) / (tile * (1 - _OVERLAP)))) + 1
    return [round(start) for start in np.linspace(0, length - tile, count)]


def _between(length: int, pixels: int, start: float, jump: float, locations: int) -> Tensor:
    """(length, locations) weights that interpolate linearly between locations, for each of a window's `length` rows that
    became `pixels` rows of the input; beyond the outermost location its value holds."""
    at_pixel = (torch.arange(length, dtype=torch.float64) + 0.5) * pixels / length - 0.5
    at_location = ((at_pixel - start) / jump).clamp(0, locations - 1)
    distance = (at_location[:, None] - torch.arange(locations, dtype=torch.float64)).abs()
    return (1 - distance).clamp_min(0)


def _inside(start: int, length: int, limit: int) -> slice:
    """The part of a window that lies within 0..limit, in the window's own coordinates."""
    return slice(max(0, -start), max(0, min(length, limit - start)))


def _crop(raw: Tensor, window: Window, quiet: Tensor) -> Tensor:
    """The window's pixels; what lies outside the well is background."""
    rows, columns = _inside(window.top, window.height, raw.shape[1]), _inside(window.left, window.width, raw.shape[2])
    crop = quiet[:, None, None].expand(-1, window.height, window.width).clone()
    crop[:, rows, columns] = raw[
        :,
        window.top + rows.start : window.top + rows.stop,
        window.left + columns.start : window.left + columns.stop,
    ]
    return crop


def describe(prepared: Prepared, card: ClassifierCard) -> dict[str, Any]:
    """The preparation for the record."""
    return {
        "mode": card.mode,
        "size": list(prepared.inputs.shape[2:]),
        "inputs": len(prepared.inputs),
        "mean": list(card.mean),
        "std": list(card.std),
        "background": [round(float(value), 6) for value in prepared.background],
        "background_from": "card" if card.background is not None else f"percentile {QUIET_PERCENTILE:g} of the well",
    }
