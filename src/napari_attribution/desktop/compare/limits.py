"""The colour scale of both views: one where the units are one, and locked where the user wants to keep it."""

from __future__ import annotations

from dataclasses import dataclass

from napari_attribution.desktop.compare.request import Comparison


@dataclass(frozen=True)
class Kept:
    """A limit that is kept from one comparison to the next: the map's value at which the colours are full."""

    limit: float
    units: str


@dataclass(frozen=True)
class Limits:
    """What the colours mean.

    Parameters
    ----------
    each : (float, float)
        The value at which each view's colours are full; the same for both where `shared`.
    units : (str, str)
    shared : bool
    locked : bool
        Whether they are those that were kept.
    """

    each: tuple[float, float]
    units: tuple[str, str]
    shared: bool
    locked: bool


def limits_of(comparison: Comparison, kept: Kept | None = None) -> Limits:
    """The limits of a comparison; those that are kept, where both maps have their unit."""
    first, second = (side.attribution.units for side in comparison.sides)
    if not comparison.same_units:
        return Limits(comparison.limits, (first, second), False, False)
    locked = kept is not None and kept.units == first
    limit = kept.limit if kept is not None and locked else comparison.limit
    return Limits((limit, limit), (first, second), True, locked)
