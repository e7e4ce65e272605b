"""Plate: wells by position, their fields, and what was done to them. What is missing is known as missing; nothing shifts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, overload

from napari_attribution.errors import WellError
from napari_attribution.wells.well import Well

LAYOUTS = ((1, 1), (2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
"""Rows and columns of the usual plates: 1, 6, 12, 24, 48, 96, 384 and 1536 wells."""

Condition = str | float | None


def row_and_column(position: str) -> tuple[int, int]:
    """ "B03" as (1, 2), "AA01" as (26, 0): row and column, counted from 0.

    Raises
    ------
    WellError
        Where it is no place on a plate.
    """
    found = re.fullmatch(r"([A-Z]{1,2})(\d{1,2})", position)
    if found is None or found[2] in ("0", "00"):
        raise WellError(f"{position!r} is no place on a plate; expected letters and a number, such as B03.")
    row = 0
    for letter in found[1]:
        row = 26 * row + ord(letter) - ord("A") + 1
    return row - 1, int(found[2]) - 1


def smallest_layout(positions: Sequence[str]) -> tuple[int, int]:
    """Rows and columns of the smallest usual plate that has all these positions.

    Raises
    ------
    WellError
        For positions that are no place on any usual plate.
    """
    places = [row_and_column(position) for position in positions]
    rows, columns = (max((place[axis] for place in places), default=0) + 1 for axis in (0, 1))
    for layout in LAYOUTS:
        if rows <= layout[0] and columns <= layout[1]:
            return layout
    raise WellError(f"A plate with {rows} rows and {columns} columns is larger than the largest usual one (32 x 48).")


@dataclass(frozen=True)
class Field:
    """One field of a well: where it belongs, and how it is read. Small, and goes from one process to another.

    Parameters
    ----------
    position : str
        Of the well, such as "B03".
    number : int
        Of the field in the well, as its format counts.
    reading : mapping
        What `read_well` is to be asked (path, stains, project, pattern); empty where nothing of the field is there.
    missing : tuple of str
        Stains of the plate that this field lacks.
    pixel_size : (float, float), optional
        In um, where the plate knows it and the files do not.
    stains : tuple of str
        Of the plate: what the image itself is held against when it is read. Empty where nothing is expected.
    """

    position: str
    number: int
    reading: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    pixel_size: tuple[float, float] | None = None
    stains: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """ "B03 field 2"."""
        return f"{self.position} field {self.number}"

    @property
    def complete(self) -> bool:
        """Whether the plate knows of an image of every stain; another one cannot be read, however often it is tried."""
        return bool(self.reading) and not self.missing

    def read(self) -> Well:
        """The pixels.

        Raises
        ------
        WellError
            Where the field, or one of its stains, is missing; and for what cannot be read.
        """
        from napari_attribution.wells.readers import read_well

        if not self.reading:
            raise WellError(f"{self.name} is missing: the plate speaks of it, but there is no image of it.")
        if self.missing:
            raise self._lacking(self.missing)
        well = read_well(**self.reading)
        there = {stain.casefold() for stain in well.stains}
        lacking = [stain for stain in self.stains if stain.casefold() not in there]
        if lacking:
            raise self._lacking(lacking)
        return replace(well, position=self.position, field=self.number, pixel_size=well.pixel_size or self.pixel_size)

    def _lacking(self, stains: Sequence[str]) -> WellError:
        many = len(stains) > 1
        return WellError(
            f"{self.name} lacks the stain{'s' * many} {', '.join(stains)}: there is no image of {'them' if many else 'it'}. "
            "Export the field again, or leave it out."
        )


@dataclass(frozen=True)
class Fields(Sequence[Field]):
    """The fields of one well, each made when it is asked for: a large plate has 100,000.

    Parameters
    ----------
    numbers : tuple of int
        As the format counts them.
    make : callable
        The field of a number. What it holds on to must be small, and go from one process to another.
    """

    numbers: tuple[int, ...]
    make: Callable[[int], Field]

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Field: ...
    @overload
    def __getitem__(self, index: slice) -> Fields: ...
    def __getitem__(self, index: int | slice) -> Field | Fields:
        if isinstance(index, slice):
            return Fields(self.numbers[index], self.make)
        return self.make(self.numbers[index])


@dataclass(frozen=True, eq=False)
class Plate:
    """Wells by position.

    Parameters
    ----------
    name : str
    source : str
        Path or URL.
    format : str
        "OME-Zarr 0.4", "Harmony", "ImageXpress", "file names", ...
    layout : (int, int)
        Rows and columns of the plate, those without images among them.
    stains : tuple of C str
        That the fields should have, in the order of the channels.
    fields : mapping of position to sequence of Field
        In the order of the plate, row by row. A well that the plate speaks of and that has no images has no fields; a
        position that the plate does not speak of is not there. Sequences may make their fields on demand.
    named : bool
        False where nobody named the stains and they are "channel 1", ...
    conditions : mapping of position to mapping of column to value
        What was done to the wells: treatment, dose, control.
    pixel_size : (float, float), optional
        In um.
    notes : tuple of str
        What the reader of the plate found that a person should know, in sentences.
    """

    name: str
    source: str
    format: str
    layout: tuple[int, int]
    stains: tuple[str, ...]
    fields: Mapping[str, Sequence[Field]]
    named: bool = True
    conditions: Mapping[str, Mapping[str, Condition]] = field(default_factory=dict)
    pixel_size: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Field]:
        """All fields, well by well; those of which something is missing among them."""
        for fields in self.fields.values():
            yield from fields

    def __len__(self) -> int:
        """How many fields there are."""
        return sum(len(fields) for fields in self.fields.values())

    @cached_property
    def empty(self) -> tuple[str, ...]:
        """Wells that the plate speaks of and that have no images."""
        return tuple(position for position, fields in self.fields.items() if not fields)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the conditions."""
        return tuple(dict.fromkeys(name for told in self.conditions.values() for name in told))
