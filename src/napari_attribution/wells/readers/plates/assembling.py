"""From a survey of files to the plate, with what is missing known as missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from napari_attribution.errors import WellError
from napari_attribution.wells.plate import Field, Fields, Plate, row_and_column, smallest_layout
from napari_attribution.wells.readers import names, read_well
from napari_attribution.wells.readers.plates.expectations import TRIES, checked_stains, expected_fields, what_is_missing
from napari_attribution.wells.readers.plates.survey import Image, Survey


@dataclass(frozen=True)
class _Reading:
    """How the fields of one plate are read."""

    found: Mapping[tuple[str, int], Mapping[str, Sequence[str]]]
    channels: Sequence[str]
    stains: tuple[str, ...]
    named: bool
    whole: bool
    given: bool
    project: str | None
    pattern: str | None
    pixel_size: tuple[float, float] | None

    def files(self, place: tuple[str, int]) -> list[str]:
        """The files of a field in the order of the stains."""
        found = self.found.get(place, {})
        return [file for channel in self.channels for file in found.get(channel, ())]

    def field(self, position: str, number: int) -> Field:
        """One field, with what it lacks."""
        files = self.files((position, number))
        if not files:
            return Field(position, number, {}, self.stains)
        lacking: tuple[str, ...] = ()
        if not self.whole:
            there = self.found[position, number]
            lacking = tuple(
                stain for channel, stain in zip(self.channels, self.stains, strict=True) if channel not in there
            )
        names_given = self.given or (self.named and not self.whole)
        reading = {
            "path": files,
            "stains": [stain for stain in self.stains if stain not in lacking] if names_given else None,
            "project": self.project,
            "pattern": self.pattern,
        }
        return Field(position, number, reading, lacking, self.pixel_size, self.stains)


def assembled(survey: Survey, stains: Sequence[str] | None, project: str | None) -> Plate:
    """The plate of a survey.

    Raises
    ------
    WellError
        Where there are no images, or two files claim the same place.
    StainError
        Where the caller names more or fewer stains than there are.
    """
    images = _by_place(survey.images)
    if not images:
        raise WellError(f"{survey.source} has 0 wells with images: {_nothing(survey)}")
    there = {channel for channels in images.values() for channel in channels}
    notes = list(survey.notes)
    nowhere = [name or channel for channel, name in survey.channels.items() if channel not in there]
    if nowhere:
        notes.append(
            f"The plate speaks of {names.listed(nowhere)}, but no field has an image of {'them' if nowhere[1:] else 'it'}; "
            "left out."
        )
    channels = [channel for channel in survey.channels if channel in there]
    reading = _Reading(
        _complete_stacks(images),
        channels,
        tuple(survey.channels[channel] or "" for channel in channels),
        True,
        survey.whole,
        stains is not None,
        project,
        None if survey.whole else survey.pattern,
        survey.pixel_size,
    )
    if not all(reading.stains):
        reading = _as_the_images_say(reading)
    if stains is not None:
        reading = replace(reading, stains=checked_stains(stains, reading.stains, "the plate"), named=True)

    numbers = expected_fields({*images, *survey.fields})
    wells = sorted({*survey.wells, *numbers}, key=row_and_column)
    fields = {
        position: Fields(numbers.get(position, ()), partial(reading.field, position))
        if any((position, number) in images for number in numbers.get(position, ()))
        else ()
        for position in wells
    }
    plate = Plate(
        survey.name,
        survey.source,
        survey.format,
        survey.layout or smallest_layout(wells),
        reading.stains,
        fields,
        reading.named,
        survey.conditions,
        reading.pixel_size,
    )
    return replace(plate, notes=(*notes, *what_is_missing(plate), *_left_out(survey)))


def _by_place(images: Sequence[Image]) -> dict[tuple[str, int], dict[str, dict[int, str]]]:
    """The file of each plane of each channel of each field."""
    found: dict[tuple[str, int], dict[str, dict[int, str]]] = {}
    for image in images:
        planes = found.setdefault((image.position, image.field), {}).setdefault(image.channel, {})
        if image.plane in planes:
            one, two = Path(planes[image.plane]).name, Path(image.file).name
            raise WellError(
                f"{one} and {two} both claim to be the same image of {image.position} field {image.field}. Tell the names apart "
                "with a pattern."
            )
        planes[image.plane] = image.file
    return found


def _complete_stacks(
    images: Mapping[tuple[str, int], Mapping[str, Mapping[int, str]]],
) -> dict[tuple[str, int], dict[str, list[str]]]:
    """The files of each channel of each field, plane by plane; a channel of which planes were lost is missing."""
    counts: dict[str, Counter[int]] = {}
    for channels in images.values():
        for channel, planes in channels.items():
            counts.setdefault(channel, Counter())[len(planes)] += 1
    usual = {channel: count.most_common(1)[0][0] for channel, count in counts.items()}
    return {
        place: {
            channel: [planes[number] for number in sorted(planes)]
            for channel, planes in channels.items()
            if len(planes) >= usual[channel]
        }
        for place, channels in images.items()
    }


def _as_the_images_say(reading: _Reading) -> _Reading:
    """The reading with the stains and the pixel size of the first field that is complete and can be read."""
    complete = [place for place, files in reading.found.items() if len(files) == len(reading.channels)]
    trouble: WellError | None = None
    for place in sorted(complete, key=lambda place: (row_and_column(place[0]), place[1]))[:TRIES]:
        try:
            well = read_well(reading.files(place), project=reading.project, pattern=reading.pattern)
        except WellError as error:
            trouble = trouble or error
        else:
            return replace(
                reading, stains=well.stains, named=well.named, pixel_size=reading.pixel_size or well.pixel_size
            )
    if reading.whole and trouble is not None:
        raise trouble
    numbers = [int(channel) for channel in reading.channels if channel.isdigit()]
    if len(numbers) < len(reading.channels):
        numbers = list(range(1, len(reading.channels) + 1))
    return replace(reading, stains=names.placeholders(numbers), named=False)


def _nothing(survey: Survey) -> str:
    spoken = len({*survey.wells, *(position for position, _ in survey.fields)})
    if spoken:
        return f"it speaks of {spoken}, but none of their files is there. Check that the images were copied, too."
    return "there is no file whose name says which well it is of. Describe the names with a pattern."


def _left_out(survey: Survey) -> tuple[str, ...]:
    if not survey.unmatched:
        return ()
    many = len(survey.unmatched) > 1
    return (
        f"{len(survey.unmatched)} file{'s belong' if many else ' belongs'} to no field and "
        f"{'are' if many else 'is'} left out: {names.listed(survey.unmatched)}.",
    )
