"""What was done to the wells: from a table (CSV) with a row a well, or one in the shape of the plate."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from napari_attribution.errors import WellError
from napari_attribution.wells.plate import Condition, row_and_column
from napari_attribution.wells.readers import names

_WELL = ("well", "wellposition", "metadatawell", "metadatawellposition", "wellid", "wellname", "position")
_ROW = ("row", "wellrow", "metadatarow", "metadatawellrow")
_COLUMN = (
    "column",
    "col",
    "wellcolumn",
    "wellcol",
    "metadatacolumn",
    "metadatacol",
    "metadatawellcolumn",
    "metadatawellcol",
)
_NOTHING = ("", "na", "n/a", "nan")


def conditions_of(
    given: str | PathLike[str] | Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Condition]]:
    """The conditions by position, from a file or a mapping.

    Raises
    ------
    WellError
        For a file that cannot be read, has no column for the well, names a well twice, or a place that is none.
    """
    if isinstance(given, Mapping):
        told = {}
        for position, values in given.items():
            told[position_of(str(position), "The conditions")] = {name: str(value) for name, value in values.items()}
        return typed(told)
    return table(Path(given))


def checked_within(
    told: Mapping[str, Mapping[str, Condition]], layout: tuple[int, int]
) -> Mapping[str, Mapping[str, Condition]]:
    """The conditions, all of wells that the plate has room for.

    Raises
    ------
    WellError
        For wells beyond its last row or column.
    """
    outside = [
        position
        for position in told
        if any(place >= side for place, side in zip(row_and_column(position), layout, strict=True))
    ]
    if outside:
        raise WellError(
            f"The conditions name {len(outside)} well{'s' * (len(outside) > 1)} ({names.listed(outside)}) outside the plate of "
            f"{layout[0]} x {layout[1]} wells. Give the table of this plate, or its layout (rows, columns)."
        )
    return told


def table(file: Path) -> dict[str, dict[str, Condition]]:
    """The conditions of a CSV: a row a well, or in the shape of the plate (rows A, B, ..., columns 1, 2, ...).

    Raises
    ------
    WellError
        See `conditions_of`.
    """
    told: dict[str, dict[str, str]] = {}
    seen: dict[str, int] = {}
    for number, position, values in rows(file):
        if position in seen:
            raise WellError(
                f"{file.name} names the well {position} twice, in the rows {seen[position]} and {number}. Keep one row a well, "
                "and the wells of one plate."
            )
        seen[position] = number
        told[position] = values
    return typed(told)


def rows(file: Path) -> Iterator[tuple[int, str, dict[str, str]]]:
    """What a CSV says, as it stands there: the row's number, the well's position, and the text of every other column. A well may
    come more than once.

    Raises
    ------
    WellError
        For a file that cannot be read, has no column for the well, or names a place that is none.
    """
    lines = _lines(file)
    if _is_a_plate(lines):
        yield from _of_a_plate(lines, file)
        return
    header = [name.strip() for name in lines[0]]
    simple = [re.sub(r"[^a-z]", "", name.casefold()) for name in header]
    well, row, column = (
        next((simple.index(name) for name in kind if name in simple), None) for kind in (_WELL, _ROW, _COLUMN)
    )
    if well is None and (row is None or column is None):
        raise WellError(
            f"{file.name} does not say which well each row is of. It has the columns {names.listed(header, 12)}; expected is "
            "a column well (B03), or the two columns row and column."
        )
    for number, values in enumerate(lines[1:], start=2):
        values = [*values, *[""] * (len(header) - len(values))]
        place = values[well] if well is not None else f"{_letter(values[row or 0])}{values[column or 0].strip()}"
        told = {name: values[place] for place, name in enumerate(header) if name and place not in (well, row, column)}
        yield number, position_of(place, f"Row {number} of {file.name}"), told


def typed(told: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Condition]]:
    """Texts made numbers in the columns that hold nothing else; None for what is not said."""
    columns = dict.fromkeys(name for values in told.values() for name in values)
    numeric = {
        name: all(_number(values[name]) is not None for values in told.values() if is_said(values.get(name, "")))
        for name in columns
    }
    return {
        position: {
            name: (_number(values[name]) if numeric[name] else values[name].strip())
            if is_said(values.get(name, ""))
            else None
            for name in columns
        }
        for position, values in told.items()
    }


def _lines(file: Path) -> list[list[str]]:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise WellError(f"The conditions cannot be read from {file}: {error.strerror or error}.") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # spreadsheets write µ so
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    lines = [
        line for line in csv.reader(text.splitlines(), delimiter=delimiter) if any(value.strip() for value in line)
    ]
    if not lines:
        raise WellError(f"{file.name} is empty; expected is a table with a row a well.")
    return lines


def _is_a_plate(lines: Sequence[Sequence[str]]) -> bool:
    columns = [value.strip() for value in lines[0][1:] if value.strip()]
    rows = [line[0].strip() for line in lines[1:]]
    return (
        bool(columns and rows)
        and all(map(str.isdigit, columns))
        and all(re.fullmatch("[A-Za-z]{1,2}", row) for row in rows)
    )


def _of_a_plate(lines: Sequence[Sequence[str]], file: Path) -> Iterator[tuple[int, str, dict[str, str]]]:
    name = lines[0][0].strip() or file.stem
    for number, line in enumerate(lines[1:], start=2):
        for column, value in zip(lines[0][1:], line[1:], strict=False):
            if column.strip() and is_said(value):
                yield number, position_of(line[0] + column, file.name), {name: value}


def position_of(text: str, where: str) -> str:
    """A place on a plate as people write it ("b3", "B-03") in one way: "B03".

    Raises
    ------
    WellError
        Which begins with `where`, for what is none.
    """
    parts = re.fullmatch(r"([A-Za-z]{1,2})[-_ ]?(\d{1,2})", text.strip())
    if parts is None or not int(parts[2]):
        raise WellError(
            f"{where}: {text.strip()!r} is no place on a plate; expected are letters and a number, such as B03."
        )
    return names.position(parts[1], parts[2])


def _letter(row: str) -> str:
    """A row by its letter, whichever way it is given."""
    row = row.strip()
    return names.position(row, 1)[:-2] if row.isdigit() and int(row) else row


def is_said(text: str) -> bool:
    """Whether a cell of a table says anything."""
    return text.strip().casefold() not in _NOTHING


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
