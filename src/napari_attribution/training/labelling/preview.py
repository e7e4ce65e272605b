"""Preview: classes and counts, and what is wrong with the labels, before anything is read or trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from napari_attribution.training.labelling.labelled import Given, GivenLabels, Labelled, labelled
from napari_attribution.training.labelling.leaks import leaks
from napari_attribution.training.labelling.splitting import check_parts

FEW = 5
"""Wells of a class; with fewer, accuracy is a matter of one well more or less."""


@dataclass(frozen=True)
class Preview:
    """What a training would learn from.

    Parameters
    ----------
    wells, fields : mapping of class to int
        In the classes' order: how many there are of each.
    stains : tuple of C str
    plates : tuple of str
        Empty names where there is only one.
    source : str
        Where the labels come from, for people.
    unlabelled : tuple of str
        Wells with images and without a label: left out.
    unknown : tuple of str
        Labels of wells without images: passed over.
    notes : tuple of str
        What was left out, in sentences.
    warnings : tuple of str
        What makes the answer doubtful, in sentences.
    """

    wells: Mapping[str, int]
    fields: Mapping[str, int]
    stains: tuple[str, ...]
    plates: tuple[str, ...]
    source: str
    unlabelled: tuple[str, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.wells)


def classes_and_counts(
    plates_or_wells: Given,
    labels: GivenLabels,
    *,
    column: str | None = None,
    stains: Sequence[str] | None = None,
    split_by: Literal["well", "plate"] = "well",
) -> Preview:
    """Classes and counts; reads no pixels. Takes what `train_dcmix` takes, and refuses what it would refuse of the labels.

    Raises
    ------
    LabelError, StainError, RequestError, WellError
        See `napari_attribution.training.labelling.labelled.labelled`; LabelError also where the wells cannot be parted.
    """
    found = labelled(plates_or_wells, labels, column, stains)
    check_parts(found, split_by)
    return preview_of(found)


def preview_of(found: Labelled) -> Preview:
    """The same of wells that are labelled already."""
    of = {label: [well for well in found.wells if well.label == label] for label in found.classes}
    wells = {label: len(own) for label, own in of.items()}
    return Preview(
        wells=wells,
        fields={label: sum(len(well.fields) for well in own) for label, own in of.items()},
        stains=found.stains,
        plates=found.plates,
        source=found.source,
        unlabelled=found.unlabelled,
        unknown=found.unknown,
        notes=found.notes,
        warnings=(*few_wells(wells), *leaks(found)),
    )


def few_wells(wells: Mapping[str, int]) -> tuple[str, ...]:
    """A sentence where a class has so few wells that accuracy on those held out says little."""
    few = {label: count for label, count in wells.items() if count < FEW}
    if not few:
        return ()
    said = ", ".join(f"{label} has {count}" for label, count in few.items())
    return (
        f"Few wells: {said}. Accuracy is measured on one or two of them, so one well more or less decides; label more.",
    )
