"""The measures of one field, taken where it is explained: of its maps (`maps`) and of its pixels (`images`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from napari_attribution.methods.attribution import Attribution
from napari_attribution.screens.quality import images, maps
from napari_attribution.screens.quality.blocks import block_means, foreground, side_of_blocks
from napari_attribution.wells import Well

OF_MAP = ("inside", "edge", "saturated", "empty")
OF_STAIN = ("focus", "slope", "saturated", "illumination")


def field_columns(stains: Sequence[str], methods: Sequence[str]) -> list[str]:
    """The names of the measures of a field, in order: `map.<method>.<measure>`, `quality.cells`, `quality.<measure>.<stain>`."""
    of_maps = [f"map.{method}.{measure}" for method, measure in product(methods, OF_MAP)]
    agreements = [f"map.{method}.agreement" for method in methods[1:]]
    return [*of_maps, *agreements, "quality.cells", *(f"quality.{m}.{stain}" for m, stain in product(OF_STAIN, stains))]


def field_measures(
    well: Well, attributions: Sequence[Attribution], stains: Sequence[str] | None = None
) -> dict[str, float]:
    """The measures of a field and its maps, by the names of `field_columns`.

    Parameters
    ----------
    well : Well
    attributions : sequence of Attribution
        One a method, of this well; at least one.
    stains : sequence of str, optional
        What to call the classifier's stains, in its order; by default as the well does.

    Returns
    -------
    dict
        NaN where a measure has no meaning, as for a blank stain or a map of zeros.
    """
    read = attributions[0].stains
    planes = [well.plane(stain) for stain in read]
    side = side_of_blocks(well.shape)
    small = np.stack([block_means(plane, side) for plane in planes])
    cells = foreground(small)
    saturated, empty = maps.saturated_places(planes), maps.empty_places(planes)
    found: dict[str, float] = {}
    first = attributions[0]
    for one in attributions:
        positive = np.maximum(one.map, 0)
        found[f"map.{one.method}.inside"] = maps.share_in(block_means(positive, side), cells)
        found[f"map.{one.method}.edge"] = maps.at_edge(positive)
        for name, places in (("saturated", saturated), ("empty", empty)):
            found[f"map.{one.method}.{name}"] = maps.share_in(positive, places)
        if one is not first:
            found[f"map.{one.method}.agreement"] = maps.agreement(first.map, one.map)
    found["quality.cells"] = float(cells.mean())
    for stain, plane, blocks in zip(stains or read, planes, small, strict=True):
        found[f"quality.focus.{stain}"] = images.focus(plane)
        found[f"quality.slope.{stain}"] = images.slope(plane)
        found[f"quality.saturated.{stain}"] = images.saturated(plane)
        found[f"quality.illumination.{stain}"] = images.illumination(blocks, cells)
    return found
