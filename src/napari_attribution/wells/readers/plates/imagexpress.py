"""ImageXpress (MetaXpress): the .HTD says which wells, sites and wavelengths there should be, the names and folders of the files
which are there.

    PLATE.HTD   TimePoint_1/ZStep_1/PLATE_B02_s1_w1.TIF

Beside the folders of the steps, ZStep_0 holds the microscope's own projection: it is no step, and is left out.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from napari_attribution.errors import WellError
from napari_attribution.wells.readers import names
from napari_attribution.wells.readers.patterns import PATTERNS, Place, place
from napari_attribution.wells.readers.plates.survey import Image, Survey
from napari_attribution.wells.readers.tiff_series import images_in

_RULE = next(rule for rule in PATTERNS if rule.family == "ImageXpress")


def description_of(path: Path) -> Path | None:
    """The .HTD that a path is, or that lies in a folder.

    Raises
    ------
    WellError
        Where there are several: a folder of several plates.
    """
    if path.is_file():
        return path if path.suffix.casefold() == ".htd" else None
    found = sorted(file for file in path.iterdir() if file.suffix.casefold() == ".htd")
    if len(found) > 1:
        raise WellError(
            f"{path} holds {len(found)} ImageXpress plates ({names.listed(found)}). Give one of these files."
        )
    return found[0] if found else None


def survey(description: Path) -> Survey:
    """Where the images of an ImageXpress export belong.

    Raises
    ------
    WellError
        Where it has several time points.
    """
    told = _parsed(description)
    rows, columns = _number(told, "YWells"), _number(told, "XWells")
    wells = [
        names.position(row, column)
        for row in range(1, rows + 1)
        for column, chosen in enumerate(told.get(f"WellsSelection{row}", []), start=1)
        if chosen.upper() == "TRUE"
    ]
    waves = [
        number
        for number in range(1, _number(told, "NWavelengths") + 1)
        if told.get(f"WaveCollect{number}", ["1"])[0] != "0"
    ]
    stains, named = names.stain_names([told.get(f"WaveName{number}", [""])[0] for number in waves], len(waves))
    files, notes = _files(description.parent)
    places = [one for file in files if (one := place(file, _RULE)) is not None]
    own = [one for one in places if one.series == (description.stem,)]
    prefixes = sorted({one.series for one in places})
    if not own and len(prefixes) == 1:
        own = places  # the plate was renamed
    matched = {one.file for one in own}
    images = [
        Image(str(one.file), str(one.position), int(one.field or 1), str(one.number or 1), int(one.z or 0))
        for one in own
    ]
    channels: dict[str, str | None] = {
        str(number): stain if named else None for number, stain in zip(waves, stains, strict=True)
    }
    beyond = {image.channel for image in images} - set(channels)
    channels |= {channel: f"channel {channel}" if named else None for channel in sorted(beyond)}
    return Survey(
        description.stem,
        str(description.parent),
        "ImageXpress",
        images,
        channels,
        layout=(rows, columns) if rows and columns else None,
        wells=wells,
        fields=_sites(told, wells, own),
        notes=notes,
        unmatched=tuple(file.name for file in files if file not in matched),
    )


def _sites(told: dict[str, list[str]], wells: list[str], places: list[Place]) -> list[tuple[str, int]]:
    """The sites that each selected well should have; none where the files number them in another way."""
    chosen = [value for key, values in told.items() if key.startswith("SiteSelection") for value in values]
    expected = sum(value.upper() == "TRUE" for value in chosen) or 1
    if max((int(one.field or 1) for one in places), default=0) > expected:
        return []
    return [(well, number) for well in wells for number in range(1, expected + 1)]


def _files(folder: Path) -> tuple[list[Path], tuple[str, ...]]:
    """The images of the one time point, step by step."""
    times = [inner for inner in _numbered(folder, "TimePoint") if images_in(inner) or _numbered(inner, "ZStep")]
    if len(times) > 1:
        raise WellError(
            f"{folder} has {len(times)} time points ({names.listed(times)}), but a field is one moment. Give one of these folders."
        )
    if times:
        folder = times[0]
    steps = _numbered(folder, "ZStep")
    if not steps:
        return images_in(folder), ()
    notes: tuple[str, ...] = ()
    if len(steps) > 1 and steps[0].name.casefold() == "zstep_0":
        notes = (f"{steps[0].name} is the microscope's own projection and is left out; to use it, give that folder.",)
        steps = steps[1:]
    return [file for step in steps for file in images_in(step)], notes


def _numbered(folder: Path, kind: str) -> list[Path]:
    found = [
        (int(match[1]), inner)
        for inner in folder.iterdir()
        if inner.is_dir() and (match := re.fullmatch(rf"{kind}_(\d+)", inner.name, re.IGNORECASE))
    ]
    return [inner for _, inner in sorted(found)]


def _parsed(description: Path) -> dict[str, list[str]]:
    """The values of each key. The free text in it may be in any encoding; nothing of it is used but the names."""
    lines = description.read_text(encoding="utf-8", errors="replace").splitlines()
    told = {
        row[0].strip(): [value.strip() for value in row[1:]] for row in csv.reader(lines, skipinitialspace=True) if row
    }
    if "XWells" not in told or "YWells" not in told:
        raise WellError(f"{description} is damaged: it does not say how many wells the plate has. Copy it again.")
    return told


def _number(told: dict[str, list[str]], key: str) -> int:
    value = told.get(key, ["0"])[0]
    return int(value) if value.isdigit() else 0
