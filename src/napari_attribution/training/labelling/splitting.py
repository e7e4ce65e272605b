"""Splitting: some wells train, some decide when training stops, on the rest accuracy is measured. Never by field or crop.

Fields of one well share its cells, its staining and its place on the plate: a network that has seen one of them knows the others.
So a well stands on one side of a split as a whole, or, where `by` is "plate", a whole plate does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_attribution.errors import LabelError
from napari_attribution.training.labelling.labelled import Labelled, LabelledWell
from napari_attribution.training.labelling.labels import counted
from napari_attribution.wells.readers import names

SIDES = 3
MOST_TRIES = 1000


@dataclass(frozen=True)
class Split:
    """Numbers of wells, each on one side; every class is on every side.

    Parameters
    ----------
    training, validation, held_out : tuple of int
        Numbers of the wells, rising.
    """

    training: tuple[int, ...]
    validation: tuple[int, ...]
    held_out: tuple[int, ...]


def split(found: Labelled, by: Literal["well", "plate"], held_out: float, validation: float, seed: int) -> Split:
    """Part the wells at random, each class by itself.

    Parameters
    ----------
    found : Labelled
    by : "well" or "plate"
        What is never parted.
    held_out : float
        Share of the wells (or plates) that accuracy is measured on.
    validation : float
        Share of the others that decide when training stops. Of either at least one.
    seed : int
        Another one parts them otherwise.

    Raises
    ------
    LabelError
        For a class with fewer than 3 wells; for fewer than 3 plates, or plates that cannot be parted so that every class is on
        every side.
    """
    check_parts(found, by)
    generator = np.random.default_rng(seed)
    return (_by_plate if by == "plate" else _by_well)(found, held_out, validation, generator)


def check_parts(found: Labelled, by: Literal["well", "plate"]) -> None:
    """That there is enough to part in three.

    Raises
    ------
    LabelError
    """
    left_out = "".join(f" {note}" for note in found.notes)
    if by == "well":
        have = Counter(well.label for well in found.wells)
        few = [label for label in found.classes if have[label] < SIDES]
        if few:
            said = names.listed([f"{label} ({counted(have[label], 'well')})" for label in few])
            raise LabelError(
                f"Too few wells of the class{'es' * (len(few) > 1)} {said} to be parted in three: one part trains, one decides "
                f"when training stops, on one accuracy is measured. Label three wells a class at least.{left_out}"
            )
        return
    if len(found.plates) < SIDES:
        raise LabelError(
            f"{len(found.plates)} plate{'s' * (len(found.plates) > 1)} cannot be parted in three (training, validation, held out). "
            f"Give three plates at least, or split by well.{left_out}"
        )
    for label in found.classes:
        on = {well.plate for well in found.wells if well.label == label}
        if len(on) < SIDES:
            raise LabelError(
                f"The class {label!r} is on {len(on)} of the {len(found.plates)} plates only, so it cannot be on every "
                f"side of a split by plate. Split by well, or give more plates.{left_out}"
            )


def _by_well(found: Labelled, held_out: float, validation: float, generator: np.random.Generator) -> Split:
    sides: tuple[list[int], list[int], list[int]] = ([], [], [])
    for label in found.classes:
        own = generator.permutation([n for n, well in enumerate(found.wells) if well.label == label])
        out, stop = _counts(len(own), held_out, validation)
        for side, part in zip(sides, (own[out + stop :], own[out : out + stop], own[:out]), strict=True):
            side.extend(int(number) for number in part)
    return Split(*(tuple(sorted(side)) for side in sides))


def _by_plate(found: Labelled, held_out: float, validation: float, generator: np.random.Generator) -> Split:
    plates, classes = found.plates, set(found.classes)
    out, stop = _counts(len(plates), held_out, validation)
    for _ in range(MOST_TRIES):
        drawn = [plates[n] for n in generator.permutation(len(plates))]
        sides = (drawn[out + stop :], drawn[out : out + stop], drawn[:out])
        if all({well.label for well in found.wells if well.plate in side} == classes for side in sides):
            return Split(*(_wells_on(found.wells, side) for side in sides))
    raise LabelError(
        "The plates cannot be parted so that every class is on every side (training, validation, held out). Split by well, or give "
        "more plates."
    )


def _counts(number: int, held_out: float, validation: float) -> tuple[int, int]:
    """Held out and validation; one of each at least, and one is left."""
    out = min(max(1, round(held_out * number)), number - 2)
    return out, min(max(1, round(validation * (number - out))), number - out - 1)


def _wells_on(wells: Sequence[LabelledWell], plates: Sequence[str]) -> tuple[int, ...]:
    return tuple(n for n, well in enumerate(wells) if well.plate in plates)
