"""What the bar of picks shows: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari.layers import Labels

NO_CELLS: Any = "none"
"""Chosen instead of a layer: a square about the pointer."""


@dataclass
class PickState:
    """What the bar shows.

    Parameters
    ----------
    on : bool
        Whether every click picks; Shift+click always does.
    layers : tuple of Labels
        Those that lie over the well.
    chosen : Labels, `NO_CELLS` or None
        What the user chose; None for nothing.
    cells : Labels, optional
        The layer in use.
    side : float, optional
        Of the square, in um or pixels, where the user gave one.
    shown : int, optional
        The number of the pick that is shown.
    said : str
        What went wrong last, or is to be known.
    """

    on: bool = False
    layers: tuple[Labels, ...] = ()
    chosen: Any = None
    cells: Labels | None = None
    side: float | None = None
    shown: int | None = None
    said: str = ""
