"""One file a stain: the files of one field are found by their names, see `patterns`.

A folder or a list must hold one field; given one file, its siblings of the same well, field and time point are found
in its folder. Focal planes in files of their own are a focal stack like any other, and need a projection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from napari_attribution.errors import PixelError, WellError
from napari_attribution.wells.arrays import stacked
from napari_attribution.wells.readers import names
from napari_attribution.wells.readers.opening import SUFFIXES
from napari_attribution.wells.readers.patterns import PATTERNS, NamePattern, Place, place, users_pattern
from napari_attribution.wells.readers.single import read_file
from napari_attribution.wells.readers.stack import projected
from napari_attribution.wells.well import Well


def read_folder(folder: Path, project: str | None, wanted: int | None, pattern: str | None) -> Well:
    """The one field that a folder holds."""
    files = images_in(folder)
    if not files:
        inner = sorted(sub for sub in folder.iterdir() if sub.is_dir() and images_in(sub))
        advice = f" The images lie in folders within it ({names.listed(inner)}); give one of those." if inner else ""
        raise WellError(f"The folder {folder.name} holds no TIFF images ({', '.join(SUFFIXES)}).{advice}")
    places = _all_placed(files, _patterns(pattern))
    if places is None:
        if len(files) == 1 and pattern is None:
            return read_file(files[0], project, wanted)
        raise WellError(
            f"The names of the {len(files)} images in {folder.name} do not follow one pattern that says which stain "
            f"each is ({names.listed(files)}). Give the files of one field as a list, or describe the names with "
            "a pattern."
        )
    return _assembled(places, project, wanted)


def read_files(files: Sequence[Path], project: str | None, wanted: int | None, pattern: str | None) -> Well:
    """The field whose files are listed, in the order of the list."""
    if len(files) == 1 and pattern is None:
        return _lonely(files[0], read_file(files[0], project, wanted))
    places = _all_placed(files, _patterns(pattern))
    if places is not None:
        return _assembled(places, project, wanted, as_listed=True)
    if pattern is not None:
        odd = [file for file in files if place(file, users_pattern(pattern)) is None]
        raise WellError(f"The pattern {pattern!r} does not match {names.listed(odd)}.")
    unknown = [
        Place(file, None, number, None, None, None, None, (), True) for number, file in enumerate(files, start=1)
    ]
    return _assembled(unknown, project, wanted, as_listed=True)


def read_with_siblings(file: Path, project: str | None, wanted: int | None, pattern: str | None) -> Well:
    """The field that a file belongs to: the file alone if it holds several stains, else with its siblings."""
    rule = next((rule for rule in _patterns(pattern) if place(file, rule)), None)
    try:
        well = read_file(file, project, wanted)
    except PixelError as error:
        if rule is None or error.channels > 1:
            raise
        return _assembled(_siblings(file, rule), project, wanted)
    if rule is None:
        if pattern is not None:
            raise WellError(f"The pattern {pattern!r} does not match {file.name}.")
        return well
    if len(well.pixels) > 1:
        return _lonely(file, well, place(file, rule))
    return _assembled(_siblings(file, rule), project, wanted, {file: well})


def _siblings(file: Path, rule: NamePattern) -> list[Place]:
    """The files of the field that one belongs to by this rule, itself among them."""
    given = place(file, rule)
    assert given is not None
    found = (place(other, rule) for other in images_in(file.parent))
    same = [one for one in found if one is not None and one.key == given.key and one.time == given.time]
    if rule.cautious:
        same = [one for one in same if one.certain] if given.certain else []
    return same or [given]


def _lonely(file: Path, well: Well, found: Place | None = None) -> Well:
    """A well from one file, with the place and the stain that its name gives."""
    found = found or next((found for rule in PATTERNS if (found := place(file, rule)) is not None), None)
    if found is None:
        return well
    stains, named = well.stains, well.named
    if len(stains) == 1 and not named and found.certain:
        stains, named = _stains([found], [well])
    return Well(well.pixels, stains, well.pixel_size, named, *_where(found, well), well.source)


def _where(found: Place, well: Well) -> tuple[str | None, int | None]:
    """Position and field: what the name says, else what the file says."""
    return found.position or well.position, _number(found.field) if found.field else well.field


def _same_planes(channels: dict[str, list[Place]]) -> None:
    """Every stain must have as many focal planes: a projection of three must not stand beside one plane."""
    counts = {channel: len(planes) for channel, planes in channels.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{channel} has {count}" for channel, count in counts.items())
        raise WellError(
            f"The stains differ in their number of focal planes ({told}). Give all planes of every stain, or the files of one "
            "plane as a list."
        )


def _assembled(
    places: Iterable[Place],
    project: str | None,
    wanted: int | None,
    loaded: dict[Path, Well] | None = None,
    as_listed: bool = False,
) -> Well:
    """The well made of files that all show one field."""
    places = list(places) if as_listed else sorted(places, key=_order)
    _one_field(places)
    channels: dict[str, list[Place]] = {}
    for one in places:
        channels.setdefault(one.channel, []).append(one)
    for planes in channels.values():
        _different_planes(planes, project)
    _same_planes(channels)

    loaded = loaded or {}
    wells = {
        one.file: loaded[one.file] if one.file in loaded else _of_one_stain(one, list(channels), project, wanted)
        for one in places
    }
    for file, well in wells.items():
        if len(well.pixels) > 1 and len(places) > 1:
            raise WellError(
                f"{file.name} holds {len(well.pixels)} channels, but is one of {len(places)} files of a series with "
                "one stain a file. Give it alone, as a list of one file, or give only files with one stain."
            )
    if len(places) == 1:
        return _lonely(places[0].file, wells[places[0].file], places[0])

    # Before planes are stacked or projected: a sentence about sizes must name files.
    stacked([(one.file.name, wells[one.file].pixels[0]) for one in places])
    planes_of = [np.stack([wells[one.file].pixels[0] for one in planes]) for planes in channels.values()]
    pixels = np.stack(
        [projected(planes, 0, project or "max") if len(planes) > 1 else planes[0] for planes in planes_of]
    )
    firsts = [planes[0] for planes in channels.values()]
    stains, named = _stains(firsts, [wells[first.file] for first in firsts])
    return Well(
        pixels,
        stains,
        _pixel_size([(file.name, well) for file, well in wells.items()]),
        named,
        *_where(firsts[0], wells[firsts[0].file]),
        tuple(str(one.file) for one in places),
    )


def _of_one_stain(one: Place, channels: Sequence[str], project: str | None, wanted: int | None) -> Well:
    """What a file of a series holds; where its pixels are refused, it is said which stain of the field they are."""
    try:
        return read_file(one.file, project, wanted)
    except PixelError as error:
        if error.channels > 1:
            raise
        stain = one.stain or (error.stain if one.number is None else names.placeholders([one.number])[0])
        raise error.of(stain, channels.index(one.channel), len(channels)) from None


def _one_field(places: Sequence[Place]) -> None:
    fields = {one.key: str(one) for one in places}
    if len(fields) > 1:
        labels = list(fields.values())
        if len(set(labels)) < len(labels):
            labels = [f"{label} ({' '.join(map(str, key[0]))})" for key, label in fields.items()]  # type: ignore[call-overload]
        raise WellError(
            f"These {len(places)} files show {len(fields)} wells or fields ({names.listed(labels)}), but a well image "
            "is one field. Give one of the files instead; the other stains of its field are found by their names."
        )
    times = sorted({one.time for one in places if one.time is not None})
    if len(times) > 1:
        raise WellError(
            f"These files show {len(times)} time points ({names.listed(times)}), but a well is one moment. Choose one "
            "time point: give one of its files."
        )


def _different_planes(planes: Sequence[Place], project: str | None) -> None:
    """Refuse files that claim the same stain and plane, and focal planes that nobody said how to project."""
    seen: dict[str | None, Place] = {}
    for one in planes:
        if one.z in seen:
            what = f"the stain {one.stain}" if one.stain else f"channel {one.number}"
            raise WellError(
                f"{seen[one.z].file.name} and {one.file.name} both claim to be {what} of {one}. Give the files of one "
                "field as a list, or tell them apart with a pattern."
            )
        seen[one.z] = one
    if len(planes) > 1 and project is None:
        raise WellError(
            f"{planes[0]} is a focal stack: {len(planes)} focal planes in files of their own "
            f"({names.listed(_told_apart([one.file for one in planes]), 3)}). "
            "Project them (project: max, mean or middle), or give the files of one plane as a list."
        )


def _told_apart(files: Sequence[Path]) -> list[str]:
    """The files' names, with their folders where they have one name."""
    alike = len({file.name for file in files}) < len(files)
    return [f"{file.parent.name}/{file.name}" if alike else file.name for file in files]


def _stains(places: Sequence[Place], wells: Sequence[Well]) -> tuple[tuple[str, ...], bool]:
    """The stains' names: words in the file names, else names within the files, else numbers."""
    words = [one.stain for one in places]
    if all(words):
        return tuple(word for word in words if word), True
    if all(well.named for well in wells):
        within = tuple(well.stains[0] for well in wells)
        if len({stain.casefold() for stain in within}) == len(within):
            return within, True
    numbers = [one.number for one in places]
    known = [number for number in numbers if number is not None]
    if len(set(known)) < len(numbers):
        known = list(range(1, len(numbers) + 1))
    return names.placeholders(known), False


def _pixel_size(wells: Sequence[tuple[str, Well]]) -> tuple[float, float] | None:
    known = [(name, well.pixel_size) for name, well in wells if well.pixel_size is not None]
    for name, size in known[1:]:
        if not np.allclose(size, known[0][1], rtol=0.01):
            raise WellError(
                f"The stains differ in pixel size: {known[0][0]} has {known[0][1][0]:.4g} um, but {name} {size[0]:.4g} "
                "um. All stains of a well must show the same field at the same magnification."
            )
    return known[0][1] if known else None


def _all_placed(files: Sequence[Path], rules: Iterable[NamePattern]) -> list[Place] | None:
    """Where the files belong by the first pattern that matches all of them."""
    for rule in rules:
        places = [found for file in files if (found := place(file, rule)) is not None]
        if len(places) == len(files):
            return places
    return None


def _patterns(pattern: str | None) -> tuple[NamePattern, ...]:
    return PATTERNS if pattern is None else (users_pattern(pattern),)


def images_in(folder: Path) -> list[Path]:
    """The TIFF files of a folder, without thumbnails and hidden files."""
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and "_thumb" not in file.name.lower()
    )


def _order(one: Place) -> tuple[float, str, float, str]:
    number = float("inf") if one.number is None else float(one.number)
    plane = float(one.z) if one.z is not None and one.z.isdigit() else 0.0
    return number, (one.stain or "").casefold(), plane, one.file.name


def _number(field: str | None) -> int | None:
    return int(field) if field is not None and field.isdigit() else None
