r"""Localisation: whether the map lies where the truth lies. Pure numpy; asks no network.

With P the positive part of the map, M the mask, T_k the k units of highest rank (`ranking`) that are positive,

    mass        sum of P in M / sum of P                     Kohlbrenner et al., IJCNN 2020 (arXiv 1910.09840)
    rank        |T_|M| in M| / |M|                           Arras et al., 2022 (arXiv 2003.07258)
    precision   |T_k in M| / k, k a share of all units
    pointing    the share of the places of the maximum that lie in M (one place, most often: 1 or 0)
                                                             Zhang et al., 2018 (arXiv 1608.00507)
    iou         |T_|M| and M| / |T_|M| or M|
    inside      mass with M every cell: whether the classifier decides on cells or on background
                                                             Grad-CAMO (arXiv 2403.17615)

All are between 0 and 1, higher is better. The rules of the borders:

- a place that is not positive speaks not for the class, and so is never counted as found: a map of zeros, or of nothing but
  negative values, has 0 in every measure, where ranks alone would give it the share of the mask by chance;
- an empty mask is an error: there is nothing to find;
- a mask of numbers is true where they are not zero, so a label image will do;
- under a (C, h, w) map an (h, w) mask holds for every stain, and a (C, h, w) mask says which stain is meant at each place;
  under an (h, w) map a (C, h, w) mask is true where it is for any stain.

Where this deviates from the papers: negative relevance is left out, not taken as absolute; pointing has no margin around M.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import RequestError
from napari_attribution.faithfulness.ranking import Map, Mask, check_map, count_of, ranks


def mask_for(values: Map, mask: npt.ArrayLike) -> Mask:
    """A mask in the shape of a map.

    Parameters
    ----------
    values : (h, w) or (C, h, w) ndarray
    mask : (h, w) or (C, h, w) array
        Of bool, or of numbers that are zero outside.

    Raises
    ------
    RequestError
        Where the mask is empty, or of another size than the map.
    """
    given: Mask = np.asarray(mask) != 0
    if not given.any():
        raise RequestError("The mask is empty: it marks no place, so there is nothing that the map could find.")
    fitting = given.any(axis=0) if values.ndim == 2 and given.ndim == 3 else given
    if fitting.shape not in (values.shape, values.shape[-2:]):
        raise RequestError(
            f"The mask's shape {given.shape} is not that of the map, {values.shape}. Resize the mask to the map's height and width."
        )
    return np.broadcast_to(fitting, values.shape)


def mass(values: npt.ArrayLike, mask: npt.ArrayLike) -> float:
    """Share of the positive map that lies in the mask."""
    checked = check_map(values)
    inside = mask_for(checked, mask)
    positive = checked.clip(min=0)
    total = positive.sum()
    return float(positive[inside].sum() / total) if total > 0 else 0.0


def inside_cells(values: npt.ArrayLike, cells: npt.ArrayLike) -> float:
    """Share of the positive map that lies in cells; `cells` is a mask or a label image of all of them."""
    return mass(values, cells)


def rank(values: npt.ArrayLike, mask: npt.ArrayLike) -> float:
    """Share of the mask that the map's as many top units cover."""
    checked = check_map(values)
    inside = mask_for(checked, mask)
    size = int(inside.sum())
    return float((_found(checked, size) & inside).sum() / size)


def precision(values: npt.ArrayLike, mask: npt.ArrayLike, share: float = 0.03) -> float:
    """Share of the map's top units that lie in the mask; at least one unit is looked at."""
    checked = check_map(values)
    inside = mask_for(checked, mask)
    size = max(1, count_of(share, checked.size))
    return float((_found(checked, size) & inside).sum() / size)


def pointing(values: npt.ArrayLike, mask: npt.ArrayLike) -> float:
    """Whether the map's maximum lies in the mask; the share of its places that do where it has several."""
    checked = check_map(values)
    inside = mask_for(checked, mask)
    highest = checked.max()
    return float(inside[checked == highest].mean()) if highest > 0 else 0.0


def iou(values: npt.ArrayLike, mask: npt.ArrayLike) -> float:
    """Intersection over union of the mask and the map's as many top units."""
    checked = check_map(values)
    inside = mask_for(checked, mask)
    found = _found(checked, int(inside.sum()))
    return float((found & inside).sum() / (found | inside).sum())


def _found(values: Map, size: int) -> Mask:
    """The units of the `size` highest ranks that are positive."""
    return (ranks(values) < size) & (values > 0)
