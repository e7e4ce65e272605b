"""What a plate should have, and what of that is missing: the same for all formats.

Every stain of the plate is expected in every field, every field that most wells have in each of them, and what the metadata
speaks of wherever it says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from napari_attribution.errors import StainError
from napari_attribution.wells.plate import Plate
from napari_attribution.wells.readers import names

TRIES = 5
"""How many fields are tried, where only the images themselves name the stains."""


def expected_fields(places: Collection[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    """The numbers of the fields that each well should have: its own, and those that more than half of the wells have."""
    by_well: dict[str, set[int]] = {}
    for position, number in places:
        by_well.setdefault(position, set()).add(number)
    counts = Counter(number for numbers in by_well.values() for number in numbers)
    usual = {number for number, count in counts.items() if 2 * count > len(by_well)}
    return {position: tuple(sorted(numbers | usual)) for position, numbers in by_well.items()}


def what_is_missing(plate: Plate) -> tuple[str, ...]:
    """The wells, fields and stains of a plate that are known to be missing, in sentences."""
    notes = []
    if plate.empty:
        many = len(plate.empty) > 1
        notes.append(f"{len(plate.empty)} well{'s have' if many else ' has'} no images: {names.listed(plate.empty)}.")
    absent, lacking = [], {stain: list[str]() for stain in plate.stains}
    for one in plate:
        if not one.reading:
            absent.append(one.name)
            continue
        for stain in one.missing:
            lacking[stain].append(one.name)
    if absent:
        notes.append(f"{len(absent)} field{'s are' if absent[1:] else ' is'} missing: {names.listed(absent)}.")
    for stain, fields in lacking.items():
        if fields:
            notes.append(
                f"The stain {stain} is missing in {len(fields)} field{'s' * (len(fields) > 1)}: {names.listed(fields)}."
            )
    return tuple(notes)


def checked_stains(given: Sequence[str], found: Sequence[str], what: str) -> tuple[str, ...]:
    """The caller's names for the stains that were found.

    Raises
    ------
    StainError
        Where there are more or fewer.
    """
    if len(given) != len(found):
        raise StainError(
            f"{len(given)} stains were named ({', '.join(given)}), but {what} has {len(found)} ({', '.join(found)}). "
            "Give one name a channel, in this order."
        )
    return tuple(given)
