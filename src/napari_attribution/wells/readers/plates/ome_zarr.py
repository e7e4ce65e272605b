"""OME-Zarr plates (HCS), in a folder or by an address.

One small file a well is read, all at the same time; no image is, but the first, for the stains. Whether an image is there, a plate
in a folder knows; by an address it is known when the field is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import scandir
from pathlib import Path
from typing import Any

from napari_attribution.errors import WellError
from napari_attribution.wells.plate import Field, Fields, Plate, row_and_column, smallest_layout
from napari_attribution.wells.readers import names
from napari_attribution.wells.readers.locations import is_url, last_part, zarr_needed
from napari_attribution.wells.readers.ome_zarr import Described, described
from napari_attribution.wells.readers.plates.expectations import TRIES, checked_stains, expected_fields, what_is_missing


@dataclass(frozen=True)
class _Reading:
    """How the fields of one plate are read: where each image is, within the plate."""

    location: str
    images: Mapping[str, Mapping[int, str]]
    stains: tuple[str, ...]
    given: bool
    project: str | None

    def field(self, position: str, number: int) -> Field:
        """One field."""
        inner = self.images[position].get(number)
        if inner is None:
            return Field(position, number, {}, self.stains)
        path = f"{self.location}/{inner}"
        reading = {
            "path": path,
            "stains": list(self.stains) if self.given else None,
            "project": self.project,
            "pattern": None,
        }
        return Field(position, number, reading, stains=self.stains)


def read(location: str, stains: Sequence[str] | None, project: str | None) -> Plate:
    """The plate at a path or an address.

    Raises
    ------
    WellError
        Where it cannot be read, is no plate, or has 0 wells.
    StainError
        Where the caller names more or fewer stains than there are.
    """
    zarr_needed()
    from napari_attribution.wells.readers.zarr_groups import attributes_within, ome_attributes, opened

    location = location.rstrip("/")
    # All within: attributes of any other form than the specified one are damage, too.
    with opened(location) as (group, _):
        attributes, version = ome_attributes(group)
        zarr_format = group.metadata.zarr_format
        told = attributes.get("plate")
        if not isinstance(told, dict):
            what = "an image; read it with read_well" if "multiscales" in attributes else "no plate"
            raise WellError(f"{location} is {what}: its attributes do not speak of wells.")
        inside = _wells(told, location)
        if not inside:
            raise WellError(f"{location} has 0 wells. Check that the plate was written to its end.")
        told_wells = attributes_within(location, list(inside.values()), zarr_format)
        images, notes = _images(location, inside, told_wells)
        expected = expected_fields({(position, number) for position, found in images.items() for number in found})
        there = {position: found for position, found in images.items() if any(found.values())}
        if not there:
            raise WellError(
                f"{location} has 0 wells with images: it speaks of {len(inside)}, but none of their images is there."
            )
        first = _first(location, there)
        reading = _Reading(
            location,
            {
                position: {number: inner for number, inner in found.items() if inner}
                for position, found in there.items()
            },
            first.stains if stains is None else checked_stains(stains, first.stains, "the plate"),
            stains is not None,
            project,
        )
        plate = Plate(
            str(told.get("name") or last_part(location)),
            location,
            f"OME-Zarr {version}".strip(),
            _layout(told, inside),
            reading.stains,
            {
                position: Fields(expected[position], partial(reading.field, position)) if position in there else ()
                for position in sorted(inside, key=row_and_column)
            },
            first.named or stains is not None,
            pixel_size=first.pixel_size,
        )
        return replace(plate, notes=(*notes, *_acquisitions(told_wells), *what_is_missing(plate)))


def _wells(told: Mapping[str, Any], location: str) -> dict[str, str]:
    """The place of each well's group within the plate, by position; the names of rows and columns count, not their numbers."""
    inside = {}
    for well in told.get("wells", []):
        path = str(well["path"] if isinstance(well, dict) else well).strip("/")
        row, _, column = path.rpartition("/")
        try:
            position = names.position(row, column)
            row_and_column(position)
        except (ValueError, WellError):
            raise WellError(
                f"{location} has the well {path!r}, which is no place on a plate; expected are a row and a column, such as B/03."
            ) from None
        inside[position] = path
    return inside


def _images(
    location: str, inside: Mapping[str, str], told: Sequence[Mapping[str, Any] | None]
) -> tuple[dict[str, dict[int, str]], tuple[str, ...]]:
    """Where the images of each well are, by the number of the field; "" for one that is spoken of and not there."""
    images: dict[str, dict[int, str]] = {}
    unknown = []
    for (position, path), attributes in zip(inside.items(), told, strict=True):
        well = (attributes or {}).get("well")
        if not isinstance(well, dict):
            unknown.append(position)
            continue
        inner = [str(image["path"]).strip("/") for image in well.get("images", [])]
        numbers = [int(one) for one in inner if one.isdigit()]
        if len(set(numbers)) < len(inner):
            numbers = list(range(len(inner)))
        there = _there(location, path, inner)
        images[position] = {
            number: f"{path}/{one}" if one in there else "" for number, one in zip(numbers, inner, strict=True)
        }
    if not unknown:
        return images, ()
    many = len(unknown) > 1
    return images, (
        f"{len(unknown)} well{'s' * many} that the plate speaks of {'do' if many else 'does'} not say what fields "
        f"{'they have' if many else 'it has'}: {names.listed(unknown)}.",
    )


def _there(location: str, path: str, inner: Collection[str]) -> Collection[str]:
    """Which images of a well are there; of an address, what the well says."""
    if is_url(location):
        return inner
    with scandir(Path(location) / path) as entries:
        found = {entry.name for entry in entries}
    return {one for one in inner if one.partition("/")[0] in found}


def _first(location: str, there: Mapping[str, Mapping[int, str]]) -> Described:
    """What the first image that can be read says."""
    trouble: WellError | None = None
    every = (inner for position in sorted(there, key=row_and_column) for inner in there[position].values() if inner)
    for _, inner in zip(range(TRIES), every, strict=False):
        try:
            return described(f"{location}/{inner}")
        except WellError as error:
            trouble = trouble or error
    assert trouble is not None
    raise trouble


def _layout(told: Mapping[str, Any], inside: Mapping[str, str]) -> tuple[int, int]:
    """The smallest usual plate that has the plate's rows and columns."""
    rows, columns = ([str(one.get("name", "")) for one in told.get(kind, [])] for kind in ("rows", "columns"))
    corners = [f"{row}01" for row in rows] + [f"A{int(column):02d}" for column in columns if column.isdigit()]
    return smallest_layout([*inside, *(one for one in corners if re.fullmatch(r"[A-Z]{1,2}\d{2}", one))])


def _acquisitions(told: Sequence[Mapping[str, Any] | None]) -> tuple[str, ...]:
    known = {
        image.get("acquisition")
        for attributes in told
        for image in ((attributes or {}).get("well") or {}).get("images", [])
    } - {None}
    if len(known) < 2:
        return ()
    return (f"The images are of {len(known)} acquisitions; each is taken for a field of its own.",)
