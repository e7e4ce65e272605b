"""Labelled wells: which wells are of which class, and which of their fields can be learned from. No pixels are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

from napari_attribution.errors import LabelError, RequestError, StainError
from napari_attribution.training.labelling.labels import Labels, counted, in_order, read_labels
from napari_attribution.training.labelling.matching import check_enough, check_inside, of_these_plates
from napari_attribution.wells import Plate, Well
from napari_attribution.wells.plate import Field
from napari_attribution.wells.readers import names

Given = Plate | Sequence[Plate] | Sequence[Well]
"""What a classifier is trained on."""

GivenLabels = str | PathLike[str] | Mapping[Any, Any] | Sequence[Any]
"""Its classes: a CSV, a condition, a mapping; of wells also one class each."""


@dataclass(frozen=True)
class LabelledWell:
    """A well, its class, and the fields of it that have all stains.

    Parameters
    ----------
    name : str
        "B03", or "plate/B03" where there are several plates. Its fields are never parted by a split.
    plate : str
        Empty where there is only one, or none is known.
    position : str
        Empty where none is known.
    label : str
    fields : tuple of Field or Well
    """

    name: str
    plate: str
    position: str
    label: str
    fields: tuple[Field | Well, ...]


@dataclass(frozen=True)
class Labelled:
    """What can be learned from, and what was left out.

    Parameters
    ----------
    wells : tuple of LabelledWell
        In the order of the plates, and of the wells on them.
    stains : tuple of C str
    classes : tuple of K str
        Numbers by their size, words by the alphabet.
    layouts : mapping of plate to (int, int)
        Rows and columns, where they are known.
    unlabelled : tuple of str
        Wells with images and without a label.
    unknown : tuple of str
        Labels of wells without images.
    source : str
        Where the labels come from.
    notes : tuple of str
    """

    wells: tuple[LabelledWell, ...]
    stains: tuple[str, ...]
    classes: tuple[str, ...]
    layouts: Mapping[str, tuple[int, int]]
    unlabelled: tuple[str, ...]
    unknown: tuple[str, ...]
    source: str
    notes: tuple[str, ...]

    @property
    def plates(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(well.plate for well in self.wells))


def labelled(
    given: Given, labels: GivenLabels, column: str | None = None, stains: Sequence[str] | None = None
) -> Labelled:
    """Find the wells that can be learned from.

    Parameters
    ----------
    given : Plate, sequence of Plate, or sequence of Well
        Wells of one position are fields of one well.
    labels : see `napari_attribution.training.labelling.labels.read_labels`; of wells also a sequence with the class of each.
    column : str, optional
        Of a CSV.
    stains : sequence of str, optional
        Which of the stains to learn from, by default all.

    Raises
    ------
    LabelError
        For labels of wells that are not there, one class only, or a class with one well.
    StainError
        For stains that are not there, or not the same on all plates.
    RequestError
        For nothing to learn from, or a single stain.
    """
    plates = named(given)
    if not plates:
        return _of_wells(list(given), labels, column, stains)  # type: ignore[arg-type]
    if isinstance(labels, Sequence) and not isinstance(labels, str):
        raise RequestError(
            "A plate's classes are a CSV, a condition or a mapping; a sequence of classes belongs to wells."
        )
    told = read_labels(labels, column, plates)
    wanted = _stains(next(iter(plates.values())).stains, stains)
    for name, plate in plates.items():
        lacking = [stain for stain in wanted if stain.casefold() not in {one.casefold() for one in plate.stains}]
        if lacking:
            raise StainError(
                f"The plate {name} has no stain {names.listed(lacking)}; it has {', '.join(plate.stains)}. Name the stains in one "
                "way, or choose those that all plates have."
            )
    several = len(plates) > 1
    places = [
        (name if several else "", position, f"{name}/{position}" if several else position, tuple(fields))
        for name, plate in plates.items()
        for position, fields in plate.fields.items()
        if len(fields)
    ]
    layouts = {name if several else "": plate.layout for name, plate in plates.items()}
    of_these = of_these_plates(told, plates)
    check_inside(of_these, plates)
    return _sorted(places, of_these, wanted, layouts)


def named(given: Given) -> dict[str, Plate]:
    """The plates, each by a name of its own; empty where wells were given.

    Raises
    ------
    RequestError
        For nothing, and for plates and wells together.
    """
    listed = [given] if isinstance(given, Plate) else list(given)
    if not listed:
        raise RequestError("There is nothing to learn from. Give a plate, or wells.")
    found: dict[str, Plate] = {}
    for plate in listed:
        if isinstance(plate, Plate):
            name, number = plate.name, 1
            while name.casefold() in {other.casefold() for other in found}:
                number += 1
                name = f"{plate.name}-{number}"
            found[name] = plate
    if found and len(found) < len(listed):
        raise RequestError("Plates and single wells cannot be mixed. Give plates, or wells.")
    return found


def _of_wells(wells: Sequence[Well], labels: GivenLabels, column: str | None, stains: Sequence[str] | None) -> Labelled:
    """The same of wells that belong to no plate."""
    together: dict[str, list[Well]] = {}
    for well in wells:
        together.setdefault(well.position or well.name, []).append(well)
    if isinstance(labels, Sequence) and not isinstance(labels, str):
        if len(labels) != len(wells):
            raise LabelError(
                f"{len(labels)} classes were given for {len(wells)} wells. Give one class a well, in their order."
            )
        told = _one_each(wells, labels)
    else:
        told = read_labels(labels, column)
    places = [("", found[0].position or "", name, tuple(found)) for name, found in together.items()]
    # All that any well has: a well that lacks one falls out with a note, and no stain is dropped in silence.
    have: dict[str, str] = {}
    for well in wells:
        for stain in well.stains:
            have.setdefault(stain.casefold(), stain)
    return _sorted(places, told, _stains(tuple(have.values()), stains), {})


def _one_each(wells: Sequence[Well], classes: Sequence[Any]) -> Labels:
    found: dict[tuple[str, str], str] = {}
    for well, label in zip(wells, classes, strict=True):
        name, text = well.position or well.name, str(label).strip()
        if found.setdefault(("", name), text) != text:
            raise LabelError(
                f"Two fields of the well {name} have the classes {found['', name]!r} and {text!r}. A well is of "
                "one class; wells of several plates are given as plates."
            )
    return Labels(found, "one class a well")


def _stains(have: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    by_name = {stain.casefold(): stain for stain in have}
    missing = [stain for stain in wanted or () if stain.strip().casefold() not in by_name]
    if missing:
        raise StainError(f"There is no stain {names.listed(missing)}. There are {', '.join(have)}.")
    chosen = tuple(dict.fromkeys(by_name[stain.strip().casefold()] for stain in wanted or have))
    if len(chosen) < 2:
        raise RequestError(f"Of one stain ({chosen[0]}) there is nothing to weigh. Give at least two.")
    return chosen


def _sorted(
    places: Sequence[tuple[str, str, str, tuple[Field | Well, ...]]],
    told: Labels,
    stains: tuple[str, ...],
    layouts: Mapping[str, tuple[int, int]],
) -> Labelled:
    """Each place with its label, its fields that lack nothing, and notes on the rest."""
    wells, unlabelled, used = [], [], set()
    lacking: dict[str, list[str]] = {}
    for plate, position, name, fields in places:
        key = told.find(plate, position or name)
        if key is None:
            unlabelled.append(name)
            continue
        used.add(key)
        whole = []
        for field in fields:
            missing = _missing(field, stains)
            if not missing:
                whole.append(_reduced(field, stains))
            for stain in missing:
                lacking.setdefault(stain, []).append(f"{plate}/{field.name}" if plate else field.name)
        wells.append(LabelledWell(name, plate, position, told.of[key], tuple(whole)))
    unknown = tuple(f"{plate}/{well}" if plate else well for plate, well in told.of if (plate, well) not in used)
    check_enough([well.label for well in wells], [well.label for well in wells if well.fields], unknown, lacking)
    kept = tuple(well for well in wells if well.fields)
    notes = [*told.notes]
    for stain, which in lacking.items():
        notes.append(
            f"The stain {stain} is missing in {counted(len(which), 'field')} ({names.listed(which)}): left out."
        )
    if unlabelled:
        notes.append(f"{counted(len(unlabelled), 'well')} without a label: left out.")
    if unknown:
        notes.append(
            f"{counted(len(unknown), 'label')} of wells without images ({names.listed(unknown)}): passed over."
        )
    gone = in_order(set(told.of.values()) - {well.label for well in kept})
    if gone:
        notes.append(f"No well of the class {names.listed(gone)} has images: the classifier will not know it.")
    return Labelled(
        kept,
        stains,
        in_order(well.label for well in kept),
        layouts,
        tuple(unlabelled),
        unknown,
        told.source,
        tuple(notes),
    )


def _missing(field: Field | Well, stains: Sequence[str]) -> list[str]:
    if isinstance(field, Well):
        have = {stain.casefold() for stain in field.stains}
        return [stain for stain in stains if stain.casefold() not in have]
    if not field.reading:
        return list(stains)
    lost = {stain.casefold() for stain in field.missing}
    return [stain for stain in stains if stain.casefold() in lost]


def _reduced(field: Field | Well, stains: Sequence[str]) -> Field | Well:
    """A field of which only these stains are asked, whatever else of it is missing."""
    return field if isinstance(field, Well) else replace(field, missing=(), stains=tuple(stains))
