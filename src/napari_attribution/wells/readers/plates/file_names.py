"""A folder of TIFFs, one a stain or one a field, whose names say where each belongs: by `patterns.PATTERNS` or the user's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from napari_attribution.errors import WellError
from napari_attribution.wells.plate import row_and_column
from napari_attribution.wells.readers import names
from napari_attribution.wells.readers.patterns import PATTERNS, NamePattern, Place, place, users_pattern
from napari_attribution.wells.readers.plates.survey import Image, Survey
from napari_attribution.wells.readers.tiff_series import images_in

WELL_IN_THE_NAME = NamePattern(
    "a well in the name",
    re.compile(
        r"(?:^|[_\- .])(?P<well>[A-P]\d{2})(?:[_-](?:s|f|fld|field|site|fov)?(?P<field>\d+))?(?![^_\- .])",
        re.IGNORECASE,
    ),
    "B02_control.ome.tiff",
    anywhere=True,
)
"""One file with all stains a field; tried last, and with two digits: C1 is a channel as often as a well."""


def survey(folder: Path, pattern: str | None) -> Survey:
    """Where the files of a folder belong.

    Raises
    ------
    WellError
        Where no name says which well it is of, or the files are of several plates or time points.
    """
    files = images_in(folder)
    if not files and (folder / "Images").is_dir():
        return survey(folder / "Images", pattern)
    if not files:
        raise WellError(f"{folder} has 0 wells: there are no TIFF images in it.{_instead(folder)}")
    rule, places = _placed(files, pattern)
    if not places:
        raise WellError(
            f"The names of the {len(files)} images in {folder.name} do not say which well each is of ({names.listed(files, 3)}). "
            r"Name them by their wells, such as B02.tif; or describe the names with a pattern, for instance (?P<well>[A-P]\d+) "
            r"where a file holds all stains, (?P<well>[A-P]\d+)_(?P<field>\d+)_(?P<stain>\w+) where it holds one."
        )
    if rule is WELL_IN_THE_NAME and any(_is_ome(one.file) for one in places):
        places = [one for one in places if _is_ome(one.file)]  # the others are masks and maps of these
    _one_plate(places)
    whole = all(one.stain is None and one.number is None for one in places)
    labels = _numbers([one.field for one in places])
    matched = {one.file for one in places}
    first = {one.channel: one for one in sorted(places, key=_order, reverse=True)}
    channels = {one.channel: one.stain for one in sorted(first.values(), key=_order)}
    return Survey(
        folder.parent.name if folder.name == "Images" else folder.name,
        str(folder),
        f"file names ({rule.family})",
        [
            Image(
                str(one.file),
                str(one.position),
                labels[one.field],
                "" if whole else one.channel,
                int(one.z) if one.z and one.z.isdigit() else 0,
            )
            for one in places
        ],
        {"": None} if whole else channels,
        whole,
        unmatched=tuple(file.name for file in files if file not in matched),
        pattern=pattern,
    )


def _instead(folder: Path) -> str:
    """What lies in a folder without images, and what to do about it."""
    inner = sorted(sub for sub in folder.iterdir() if sub.is_dir())
    if inner and all(re.fullmatch(r"[A-Za-z]{1,2}\d{1,2}", sub.name) for sub in inner):
        return (
            f" It holds a folder for each well ({names.listed(inner)}). Put their images into one folder, named by their "
            "wells, such as B02.tif."
        )
    if inner:
        return f" It holds the folders {names.listed(inner)}; give one of those."
    others = sorted({file.suffix.lower() for file in folder.iterdir() if file.suffix and not file.name.startswith(".")})
    return f" It holds {names.listed(others)} files; export the images as TIFF or OME-TIFF." if others else ""


def _placed(files: Sequence[Path], pattern: str | None) -> tuple[NamePattern, list[Place]]:
    """The pattern that places all files, else the one that places most, and where they belong."""
    rules = (*PATTERNS, WELL_IN_THE_NAME) if pattern is None else (users_pattern(pattern, of_a_plate=True),)
    best: tuple[NamePattern, list[Place]] = rules[0], []
    for rule in rules:
        places = [one for file in files if (one := place(file, rule)) is not None and one.certain and _on_a_plate(one)]
        if len(places) == len(files):
            return rule, places
        if len(places) > len(best[1]):
            best = rule, places
    return best


def _is_ome(file: Path) -> bool:
    return file.stem.casefold().endswith(".ome")


def _on_a_plate(one: Place) -> bool:
    try:
        row_and_column(one.position or "")
    except WellError:
        return False
    return True


def _one_plate(places: Sequence[Place]) -> None:
    advice = "Choose one with a pattern that matches no other names."
    several = sorted({" ".join(one.series) for one in places})
    if len(several) > 1:
        raise WellError(f"These files are of {len(several)} plates or reads ({names.listed(several)}). {advice}")
    times = sorted({one.time for one in places if one.time is not None})
    if len(times) > 1:
        raise WellError(
            f"These files show {len(times)} time points ({names.listed(times)}), but a field is one moment. {advice}"
        )


def _numbers(labels: Sequence[str | None]) -> dict[str | None, int]:
    """A number for each name of a field: its own, or its place where the names are no numbers."""
    different = set(labels)
    if all(label is None or label.isdigit() for label in different):
        return {label: 1 if label is None else int(label) for label in different}
    return {label: number for number, label in enumerate(sorted(different, key=str), start=1)}


def _order(one: Place) -> tuple[float, str]:
    return float("inf") if one.number is None else float(one.number), (one.stain or "").casefold()
