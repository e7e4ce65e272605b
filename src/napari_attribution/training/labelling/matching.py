"""Matching: labels held against the plates that they are to be of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from napari_attribution.errors import LabelError, RequestError, WellError
from napari_attribution.training.labelling.labels import Labels, counted, in_order
from napari_attribution.wells import Plate
from napari_attribution.wells.plate import LAYOUTS, row_and_column, smallest_layout
from napari_attribution.wells.readers import names


def check_different(plates: Sequence[Plate]) -> None:
    """That no plate is given twice.

    Raises
    ------
    RequestError
    """
    source, times = Counter(plate.source for plate in plates).most_common(1)[0]
    if times > 1:
        raise RequestError(
            f"The plate {source} was given {'twice' if times == 2 else f'{times} times'}: what was learned from its wells would be "
            "tried on the same wells. Give each plate once."
        )


def of_these_plates(told: Labels, plates: Mapping[str, Plate]) -> Labels:
    """The labels as those of these plates. Where a table speaks of one plate and one is given, they are the same, whatever it is
    called.

    Raises
    ------
    LabelError
        For a table of several plates, none of which is there.
    """
    spoken = {plate for plate, _ in told.of}
    (name, *others) = plates
    if others:
        if spoken.isdisjoint({"", *(plate.casefold() for plate in plates)}):
            raise LabelError(
                f"The labels are of the plate{'s' * (len(spoken) > 1)} {names.listed(sorted(spoken))}, but the plates that were "
                f"given are called {names.listed(list(plates))}. Write these names in the column plate."
            )
        return told
    if name.casefold() in spoken:
        return replace(told, of=_for(told, ("", name.casefold())))
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
    layouts = [LAYOUTS[-1] if _is_guessed(plate) else plate.layout for plate in plates.values()]
    rows, columns = (max(layout[axis] for layout in layouts) for axis in (0, 1))
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


def _is_guessed(plate: Plate) -> bool:
    """Whether only the names of the files spoke of how large the plate is: they may be of a part of it."""
    return plate.format.startswith("file names") and plate.layout == smallest_layout(list(plate.fields))


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
