"""Leaks: classes that go with the place on the plate. A classifier can then learn the place, and be right for it.

For the wells' rows, columns, their lying at the rim, and their plates: the mutual information of place and class, against the
same with the classes dealt out anew at random (a permutation test, over all wells).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import WellError
from napari_attribution.training.labelling.labelled import Labelled
from napari_attribution.wells.plate import row_and_column

DEALS = 999
CHANCE = 0.01
"""How often chance alone may bring about what is warned of."""
CHANCE_OF_ALL = 0.05
"""The same where the place tells the class of every well: of small plates, chance can hardly ever be ruled out further."""

Numbers = npt.NDArray[np.int64]


def leaks(found: Labelled) -> tuple[str, ...]:
    """A sentence for every kind of place that tells the class far beyond chance."""
    classes = np.unique([well.label for well in found.wells], return_inverse=True)[1].astype(np.int64)
    said = []
    for kind, places in _places(found).items():
        told = _told(np.array(places), classes)
        if told is not None:
            share, chance = told
            said.append(
                f"The labels go with {kind}: it alone tells the class of {share:.0%} of the wells, so well by chance in "
                f"{chance:.1%} of cases. The classifier may learn the place instead of the phenotype: spread the classes over the "
                "plate."
            )
    return tuple(said)


def _places(found: Labelled) -> dict[str, Sequence[int | str]]:
    """Where each well is, in the ways that are known of all and not the same for all."""
    places: dict[str, Sequence[int | str]] = {}
    if where := _positions(found):
        places["the row of the plate"] = [row for row, _ in where]
        places["the column of the plate"] = [column for _, column in where]
        if found.layouts:
            ends = [found.layouts[well.plate] for well in found.wells]
            places["lying at the rim of the plate"] = [
                int(row in (0, end[0] - 1) or column in (0, end[1] - 1))
                for (row, column), end in zip(where, ends, strict=True)
            ]
    if len(found.plates) > 1:
        places["the plate a well is on"] = [well.plate for well in found.wells]
    return {kind: values for kind, values in places.items() if len(set(values)) > 1}


def _positions(found: Labelled) -> list[tuple[int, int]]:
    """Row and column of each well; empty where one's is not known, or is a name of another kind than B03."""
    try:
        return [row_and_column(well.position) for well in found.wells]
    except WellError:
        return []


def _told(places: npt.NDArray[np.generic], classes: Numbers) -> tuple[float, float] | None:
    """The share of wells whose class is the commonest at their place, and how often chance does as well; None for no leak."""
    at = np.unique(places, return_inverse=True)[1].astype(np.int64)
    generator = np.random.default_rng(0)
    dealt = [_information(at, generator.permutation(classes)) for _ in range(DEALS)]
    chance = (1 + sum(value >= _information(at, classes) - 1e-12 for value in dealt)) / (DEALS + 1)
    share = _table(at, classes).max(axis=1).sum() / len(classes)
    everyone = share == 1 and len(set(at.tolist())) < len(classes)
    return (float(share), float(chance)) if chance <= (CHANCE_OF_ALL if everyone else CHANCE) else None


def _table(at: Numbers, classes: Numbers) -> npt.NDArray[np.float64]:
    """(places, classes) counts."""
    places, kinds = at.max() + 1, classes.max() + 1
    return np.bincount(at * kinds + classes, minlength=places * kinds).reshape(places, kinds).astype(np.float64)


def _information(at: Numbers, classes: Numbers) -> float:
    """Mutual information in nats; the wells' counts of both are the same however classes are dealt out."""
    shares = _table(at, classes) / len(classes)
    apart = shares.sum(axis=1, keepdims=True) * shares.sum(axis=0, keepdims=True)
    there = shares > 0
    return float((shares[there] * np.log(shares[there] / apart[there])).sum())
