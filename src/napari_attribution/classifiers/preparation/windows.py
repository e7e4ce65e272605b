"""Windows: which rectangles of a well become inputs, and their pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.functional import interpolate

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.errors import CardError, RequestError
from napari_attribution.wells.place import Place


@dataclass(frozen=True)
class Window:
    """The rectangle of well pixels that became one input: top, left, height, width (it may reach over the border)."""

    top: int
    left: int
    height: int
    width: int

    def inside(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """The part that lies within a well of this shape, in the window's own coordinates."""
        return _inside(self.top, self.height, shape[0]), _inside(self.left, self.width, shape[1])

    def in_well(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """The same part in well pixels."""
        rows, columns = self.inside(shape)
        return (
            slice(self.top + rows.start, self.top + rows.stop),
            slice(self.left + columns.start, self.left + columns.stop),
        )


def find_windows(shape: tuple[int, int], card: ClassifierCard, cells: npt.ArrayLike | None) -> tuple[Window, ...]:
    """The windows of a well of (H, W) pixels, as the card's mode has them.

    Raises
    ------
    CardError
        Where the well does not suit the card's mode and size, or cells are wanted and not given.
    RequestError
        Where the cells are not points of this well.
    """
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
        return tuple(
            Window(top, left, h, w) for top in _starts(H, h, card.overlap) for left in _starts(W, w, card.overlap)
        )
    return tuple(
        Window(_first_of(row, h), _first_of(column, w), h, w) for row, column in _centres(shape, (h, w), cells)
    )


def cut(well: Tensor, windows: tuple[Window, ...], card: ClassifierCard, background: Tensor) -> Tensor:
    """The pixels of the windows, at the size of an input.

    Resizing is bilinear with anti-aliasing; what lies outside the well is background.

    Parameters
    ----------
    well : (C, H, W) Tensor
    windows : tuple of N Window
    card : ClassifierCard
    background : (C,) Tensor

    Returns
    -------
    (N, C, h, w) Tensor
    """
    size = card.size if card.mode == "resize" and card.size is not None else (windows[0].height, windows[0].width)
    return crops(well, windows, size, background)


def crops(well: Tensor, windows: tuple[Window, ...], size: tuple[int, int], outside: Tensor) -> Tensor:
    """The pixels of the windows, resized to (h, w) where they have another size; (C,) `outside` beyond the well."""
    shape = (well.shape[1], well.shape[2])
    h, w = windows[0].height, windows[0].width
    if windows == (Window(0, 0, *shape),):
        found = well[None]
    else:
        found = outside[None, :, None, None].expand(len(windows), -1, h, w).clone()
        for crop, window in zip(found, windows, strict=True):
            rows, columns = window.inside(shape)
            there = window.in_well(shape)
            crop[:, rows, columns] = well[:, there[0], there[1]]
    if (h, w) == size:
        return found
    return interpolate(found, size=size, mode="bilinear", antialias=True, align_corners=False)


def window_about(place: Place, shape: tuple[int, int], card: ClassifierCard) -> tuple[Window]:
    """The one window in which to look at a part of a well: about its centre, and in the mode "tiles" within the well.

    Raises
    ------
    CardError
        Where the well does not suit the card's mode and size.
    RequestError
        For a place in a well of another size.
    """
    if place.mask.shape != shape:
        raise RequestError(
            f"{place.name} is a place in a well of {place.mask.shape[0]} x {place.mask.shape[1]} pixels, but this one has "
            f"{shape[0]} x {shape[1]}. Choose it anew in this well."
        )
    if card.mode in ("resize", "whole"):
        (window,) = find_windows(shape, card, None)
        return (window,)
    if card.mode == "cells":
        (window,) = find_windows(shape, card, [place.centre])
        return (window,)
    assert card.size is not None
    find_windows(shape, card, None)
    top, left = (
        min(max(0, _first_of(at, side)), whole - side)
        for at, side, whole in zip(place.centre, card.size, shape, strict=True)
    )
    return (Window(top, left, *card.size),)


def _centres(shape: tuple[int, int], size: tuple[int, int], cells: npt.ArrayLike | None) -> npt.NDArray[np.float64]:
    """The (n, 2) centres of cells, each of them in the well."""
    centres = np.empty((0, 2)) if cells is None else np.asarray(cells, dtype=float)
    if not centres.size:
        raise CardError(
            f"The classifier looks at single cells ({size[0]} x {size[1]} pixels): say where the cells are (their centres, or "
            "a Labels or Points layer)."
        )
    if centres.ndim != 2 or centres.shape[1] != 2:
        raise RequestError(
            f"The cells must be given as (row, column) in well pixels, one a line; found an array of shape {centres.shape}."
        )
    inside = ((centres >= -0.5) & (centres < np.array(shape) - 0.5)).all(axis=1)
    if not inside.all():
        row, column = centres[~inside][0]
        raise RequestError(
            f"{(~inside).sum()} of {len(centres)} cells lie outside the well of {shape[0]} x {shape[1]} pixels (the first at "
            f"row {row:g}, column {column:g}). Are they cells of this well, in pixels?"
        )
    return centres


def _first_of(centre: float, length: int) -> int:
    """First pixel of a crop around a centre: pixel length // 2 of the crop is the one that the centre lies in."""
    return int(np.floor(centre + 0.5)) - length // 2


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    """Evenly spread starts of tiles that cover a length, where neighbours share at least a part `overlap` of theirs."""
    if length == tile:
        return [0]
    step = max(1, int(tile * (1 - overlap)))
    count = int(np.ceil((length - tile) / step)) + 1
    return [round(start) for start in np.linspace(0, length - tile, count)]


def _inside(start: int, length: int, limit: int) -> slice:
    """The part of a stretch that lies within 0..limit, in its own coordinates."""
    return slice(max(0, -start), max(0, min(length, limit - start)))
