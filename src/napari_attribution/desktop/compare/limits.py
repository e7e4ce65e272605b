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
    comparable : bool
        Whether the units are one, so that they can be shared.
    """

    each: tuple[float, float]
    units: tuple[str, str]
    shared: bool
    locked: bool
    comparable: bool


def limits_of(comparison: Comparison, kept: Kept | None = None, share: bool = True) -> Limits:
    """The limits of a comparison.

    Parameters
    ----------
    comparison : Comparison
    kept : Kept, optional
        Taken where they are shared, and both maps have its unit.
    share : bool
        Whether one scale is wanted for both; there is one only where the units are one.
    """
    units = (comparison.sides[0].attribution.units, comparison.sides[1].attribution.units)
    comparable = comparison.same_units
    if not comparable or not share:
        return Limits(comparison.limits, units, False, False, comparable)
    locked = kept is not None and kept.units == units[0]
    limit = kept.limit if kept is not None and locked else comparison.limit
    return Limits((limit, limit), units, True, locked, True)
