"""Ranking: the units of a map in order of importance.

A unit is what is taken away or put back at once: a place, with all its stains, of an (h, w) map; one stain at a place of a
(C, h, w) map. Units are counted exactly, by rank and not by a threshold, since a map of few values has no threshold that
lets through a fifth of it.

Ties are broken by the index in row-major order (stain, row, column): the earlier unit counts as the more important one. So
the same map always gives the same order, and `ranks(-map)` counts tied units from the same end as `ranks(map)`: what is
measured from both ends (`curves`) cannot tell a map that is the same everywhere from its reverse.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import RequestError

Map = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def check_map(values: npt.ArrayLike) -> Map:
    """A map as float64.

    Parameters
    ----------
    values : (h, w) or (C, h, w) array

    Raises
    ------
    RequestError
        Where it is of another shape, is empty, or has NaN or infinity in it, which have no rank.
    """
    checked: Map = np.asarray(values, dtype=np.float64)
    if checked.ndim not in (2, 3) or not checked.size:
        raise RequestError(
            f"A map is (height, width) or (stains, height, width) with at least one place; found the shape {checked.shape}."
        )
    odd = int((~np.isfinite(checked)).sum())
    if odd:
        raise RequestError(
            f"{odd} of the map's {checked.size} values are not numbers (NaN or infinity), so its places have no order. Check the "
            "well's pixel values and the normalisation on the classifier's card."
        )
    return checked


def ranks(values: npt.ArrayLike, within: Mask | None = None) -> npt.NDArray[np.int64]:
    """The rank of every unit, 0 for the most important.

    Parameters
    ----------
    values : (h, w) or (C, h, w) array
    within : (h, w) bool ndarray, optional
        Places whose units come first, whatever their values; the units of the others follow.

    Returns
    -------
    int64 ndarray of the same shape; each of 0 ... size - 1 stands in it once.

    Raises
    ------
    RequestError
        For a map with NaN.
    """
    checked = check_map(values)
    if within is not None:
        checked = np.where(within, checked, -np.inf)
    order = np.argsort(-checked, axis=None, kind="stable")
    found = np.empty(checked.size, dtype=np.int64)
    found[order] = np.arange(checked.size)
    return found.reshape(checked.shape)


def units_of(values: npt.NDArray[Any], within: Mask | None) -> int:
    """How many units a map has in the places `within`; in all of them where none are named."""
    return values.size if within is None else int(within.sum()) * (values.size // within.size)


def count_of(share: float, size: int) -> int:
    """How many of `size` units a share is: round(share * size), halves to the even number.

    Raises
    ------
    RequestError
        For a share that is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise RequestError(f"A share of a map is between 0 and 1; found {share!r}.")
    return round(share * size)


def top(values: npt.ArrayLike, share: float, within: Mask | None = None) -> Mask:
    """Where the map's most important units are.

    Parameters
    ----------
    values : (h, w) or (C, h, w) array
    share : float
        Between 0 and 1.
    within : (h, w) bool ndarray, optional
        The places whose units count.

    Returns
    -------
    bool ndarray of the map's shape, true in exactly `count_of(share, size)` of the units that count.

    Raises
    ------
    RequestError
        For a map with NaN, or a share that is none.
    """
    ranked = ranks(values, within)
    return ranked < count_of(share, units_of(ranked, within))
