"""Matching: labels held against the plates that they are to be of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from napari_attribution.errors import LabelError, WellError
from napari_attribution.training.labels import Labels, counted, in_order
from napari_attribution.wells import Plate
from napari_attribution.wells.plate import row_and_column
from napari_attribution.wells.readers import names


def of_only_plate(told: Labels, plates: Mapping[str, Plate]) -> Labels:
    """Where a table speaks of one plate and one is given, they are the same, whatever it is called.

    Raises
    ------
    LabelError
        For a table of several plates, none of which is this one.
    """
    spoken = {plate for plate, _ in told.of}
    (name, *others) = plates
    if others or name.casefold() in spoken:
        return told if others else replace(told, of=_for(told, ("", name.casefold())))
    if len(spoken) > 1:
        raise LabelError(
            f"The labels are of the plates {names.listed(sorted(spoken - {''}))}, none of which is {name}. Correct the "
            "column plate, or give the other plates."
        )
    return replace(told, of=_for(told, tuple(spoken)))


def _for(told: Labels, plates: tuple[str, ...]) -> dict[tuple[str, str], str]:
    """The labels of these plates as those of the only one; what is said of a plate by name goes before."""
    return {("", well): label for plate in plates for (key, well), label in told.of.items() if key == plate}


def check_inside(told: Labels, plates: Mapping[str, Plate]) -> None:
    """A well beyond the last row or column is a sign that the labels are of another plate.

    Raises
    ------
    LabelError
    """
    rows, columns = (max(plate.layout[axis] for plate in plates.values()) for axis in (0, 1))
    outside = []
    for _, well in told.of:
        try:
            row, place = row_and_column(well)
        except WellError:
            outside.append(well)
        else:
            if row >= rows or place >= columns:
                outside.append(well)
    if outside:
        raise LabelError(
            f"The labels name {len(outside)} well{'s' * (len(outside) > 1)} ({names.listed(outside)}) outside the plate of "
            f"{rows} x {columns} wells. Give the labels of this plate."
        )


def check_enough(
    before: Sequence[str], after: Sequence[str], unknown: Sequence[str], lacking: Mapping[str, Sequence[str]]
) -> None:
    """That there are two classes at least, and two wells of each.

    Parameters
    ----------
    before : sequence of str
        The class of each labelled well.
    after : sequence of str
        The same of those with a field that lacks no stain.
    unknown : sequence of str
        Labels of wells without images.
    lacking : mapping of stain to fields
        What is missing.

    Raises
    ------
    LabelError
    """
    if not before:
        raise LabelError(
            f"None of the {len(unknown)} wells that the labels name ({names.listed(unknown)}) has images here. Give the labels "
            "of this plate."
        )
    if len(set(before)) == 1:
        raise LabelError(
            f"All {len(before)} labelled wells are of one class, {before[0]!r}. A classifier needs wells of two classes at "
            "least: label the controls too."
        )
    had, have = Counter(before), Counter(after)
    few = [label for label in in_order(had) if have[label] < 2]
    if few:
        said = ", ".join(f"{label!r} ({counted(have[label], 'well')})" for label in few[:6])
        lost = any(have[label] < had[label] for label in few)
        because = f" In the others the stain {' or '.join(lacking)} is missing." if lost else ""
        raise LabelError(
            f"Too few wells of the class{'es' * (len(few) > 1)} {said}: accuracy is measured on wells that were not learned from, "
            f"so each class needs three, better five.{because} Label more wells, or leave the class out."
        )
