"""What the dock "Side by side" knows: plain data, changed by `comparing` only."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.layers import Layer

from napari_attribution.desktop.compare.limits import Kept, Limits, limits_of
from napari_attribution.desktop.compare.request import Comparison, Differs
from napari_attribution.desktop.jobs import Failure
from napari_attribution.desktop.wells_from_layers import OpenWell


@dataclass(frozen=True, eq=False)
class Used:
    """A well that was compared, without keeping its pixels alive."""

    name: str
    key: tuple[int, ...]
    same: tuple[Callable[[Any], bool], ...]

    @classmethod
    def of(cls, well: OpenWell) -> Used:
        return cls(well.name, well.key, tuple(_same(layer.data) for layer in well.layers))

    def fate(self, wells: Sequence[OpenWell]) -> str:
        """ "closed", "changed", or nothing."""
        now = next((well for well in wells if well.key == self.key), None)
        if now is None:
            return "closed"
        kept = all(same(layer.data) for layer, same in zip(now.layers, self.same, strict=True))
        return "" if kept else "changed"


@dataclass
class State:
    """What the dock knows; the Explain dock's own state is the controller's.

    Parameters
    ----------
    differs : "method", "classifier" or "well"
    method : str, optional
        The other method.
    path : Path, optional
        The other classifier's file.
    well : OpenWell, optional
        The other well.
    cells : Layer, optional
        The layer that marks the other well's cells, for a classifier of single cells.
    running : bool
    since, waited : float
        When the comparison under way began, and the seconds that it has taken.
    progress : (int, int)
    failure : Failure, optional
        Why the last comparison has no result.
    comparison : Comparison, optional
        The last one.
    gone : str
        What of the last comparison is no longer so, in a sentence.
    kept : Kept, optional
        The limits that are locked.
    share : bool
        Whether one scale of colours is wanted for both views.
    """

    differs: Differs = "method"
    method: str | None = None
    path: Path | None = None
    well: OpenWell | None = None
    cells: Layer | None = None
    running: bool = False
    since: float = 0.0
    waited: float = 0.0
    progress: tuple[int, int] = (0, 0)
    failure: Failure | None = None
    comparison: Comparison | None = None
    gone: str = ""
    kept: Kept | None = None
    share: bool = True

    @property
    def limits(self) -> Limits | None:
        """Of the last comparison."""
        return None if self.comparison is None else limits_of(self.comparison, self.kept, self.share)


def _same(pixels: Any) -> Callable[[Any], bool]:
    """Tells whether pixels are these, without keeping them alive."""
    try:
        known = weakref.ref(pixels)
    except TypeError:
        # Some libraries' arrays take no weak references.
        number = id(pixels)
        return lambda other: id(other) == number
    return lambda other: other is known()
