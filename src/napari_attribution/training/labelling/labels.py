"""Labels: which class a well is of, from a table (CSV), a condition of the plate, or a mapping."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from napari_attribution.errors import LabelError
from napari_attribution.wells import Plate
from napari_attribution.wells.readers import names
from napari_attribution.wells.readers.plates import conditions

Key = tuple[str, str]
"""A plate's name, or "" for any plate, and a well's position, or the name of a well that has none."""

_PLATE = ("plate", "platename", "plateid", "platebarcode", "barcode", "metadataplate")
_LABEL = ("label", "class", "classlabel", "classname", "target")


@dataclass(frozen=True)
class Labels:
    """The classes of wells, as they were given.

    Parameters
    ----------
    of : mapping of Key to str
    source : str
        Where they come from, for people and the record: "the column treatment of wells.csv".
    notes : tuple of str
        What a person should know, in sentences.
    """

    of: Mapping[Key, str]
    source: str
    notes: tuple[str, ...] = ()

    def find(self, plate: str, well: str) -> Key | None:
        """The entry of a well: that of its plate, else that of any plate; None where it has no label."""
        return next((key for key in ((plate.casefold(), well), ("", well)) if key in self.of), None)


def read_labels(
    given: str | PathLike[str] | Mapping[Any, Any], column: str | None = None, plates: Mapping[str, Plate] | None = None
) -> Labels:
    """Labels from wherever they are.

    Parameters
    ----------
    given : path, str or mapping
        A CSV with a column `well`, or `row` and `column`, perhaps `plate`, and the label; the name of a condition of the plates;
        or a mapping of "B03", "plate/B03" or ("plate", "B03") to the class.
    column : str, optional
        Which column of the CSV is the label; else `label` or `class`, or the only one that is left.
    plates : mapping of name to Plate, optional
        Where a condition is looked for.

    Raises
    ------
    LabelError
        For a column or condition that is not there, a well with two classes, and no label at all.
    WellError
        For a table that cannot be read.
    """
    plates = plates or {}
    if isinstance(given, Mapping):
        told = [("The labels", *_key(key), _text(value)) for key, value in given.items()]
        return _once(told, "a mapping")
    path = Path(given)
    known = dict.fromkeys(name for plate in plates.values() for name in plate.columns)
    if not path.is_file():
        condition = next((name for name in known if name.casefold() == str(given).strip().casefold()), None)
        if condition is not None:
            return _of_a_condition(condition, plates)
        have = f"The conditions of the plate are {names.listed(list(known), 12)}." if known else "The plate has none."
        raise LabelError(
            f"{str(given)!r} is neither a file nor a condition of the plate. {have} Give a CSV with the columns well and label."
        )
    return _of_a_table(path, column)


def columns_of(path: str | PathLike[str]) -> dict[str, int]:
    """The columns of a table that may be the label, and how many different values each has.

    Raises
    ------
    WellError
        For a table that cannot be read.
    """
    found: dict[str, set[str]] = {}
    for _, _, values in conditions.rows(Path(path)):
        for name, value in values.items():
            found.setdefault(name, set()).update([text] if (text := _text(value)) else [])
    plate = _plate_column(found)
    return {name: len(values) for name, values in found.items() if name != plate}


def in_order(classes: Iterable[str]) -> tuple[str, ...]:
    """Names of classes, each once: numbers by their size, words by the alphabet."""
    found = set(classes)
    numbers = {name: _number(name) for name in found}
    if all(value is not None for value in numbers.values()):
        return tuple(sorted(found, key=lambda name: (numbers[name] or 0.0, name)))
    return tuple(sorted(found, key=lambda name: (name.casefold(), name)))


def counted(number: int, thing: str) -> str:
    """ "1 well", "2 wells"."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def _of_a_condition(condition: str, plates: Mapping[str, Plate]) -> Labels:
    told = [
        (
            f"The condition {condition}",
            name.casefold() if len(plates) > 1 else "",
            position,
            _text(values.get(condition)),
        )
        for name, plate in plates.items()
        for position, values in plate.conditions.items()
    ]
    return _once(told, f"the condition {condition} of the plate{'s' * (len(plates) > 1)}")


def _of_a_table(path: Path, column: str | None) -> Labels:
    rows = list(conditions.rows(path))
    if not rows:
        raise LabelError(f"{path.name} says nothing of any well: there is no row below its header.")
    header = list(dict.fromkeys(name for _, _, values in rows for name in values))
    plate = _plate_column(name for name in header if name != column)
    chosen = _column(path, [name for name in header if name != plate], column)
    told = [
        (
            f"Row {number} of {path.name}",
            values.get(plate, "").strip().casefold() if plate else "",
            position,
            _text(values.get(chosen)),
        )
        for number, position, values in rows
    ]
    return _once(told, f"the column {chosen} of {path.name}")


def _plate_column(header: Iterable[str]) -> str | None:
    return next((name for name in header if _simple(name) in _PLATE), None)


def _column(path: Path, header: Sequence[str], wanted: str | None) -> str:
    """Which of the columns is the label."""
    if wanted is not None:
        found = next((name for name in header if name.casefold() == wanted.strip().casefold()), None)
        if found is None:
            raise LabelError(
                f"{path.name} has no column {wanted!r}. It has {names.listed(header, 12) or 'none but the well'}."
            )
        return found
    found = next((name for kind in _LABEL for name in header if _simple(name) == kind), None)
    if found is not None or len(header) == 1:
        return found or header[0]
    if not header:
        raise LabelError(
            f"{path.name} has no column beside the well. Expected is one that says the class, such as label."
        )
    raise LabelError(
        f"Which column of {path.name} is the label? It has {names.listed(header, 12)}. Name one of them as the column, or call "
        "it label."
    )


def _once(told: Iterable[tuple[str, str, str, str]], source: str) -> Labels:
    """(where, plate, well, class) as labels, one a well; an empty class says nothing."""
    found: dict[Key, str] = {}
    first: dict[Key, str] = {}
    again = []
    for where, plate, well, name in told:
        key = (plate, well)
        if not name:
            continue
        if found.setdefault(key, name) != name:
            of = f"{plate}/{well}" if plate else well
            several = "" if plate else "; where the table is of several plates, it needs a column plate"
            raise LabelError(
                f"{where} calls the well {of} {name!r}, but {first[key][0].lower() + first[key][1:]} calls it {found[key]!r}. "
                f"Keep one label a well{several}."
            )
        if key in first:
            again.append(well)
        first.setdefault(key, where)
    if not found:
        raise LabelError(f"There is no label in {source}: no well is said to be of any class.")
    cases = {name.casefold(): name for name in found.values()}
    other = next((name for name in found.values() if cases[name.casefold()] != name), None)
    if other is not None:
        raise LabelError(
            f"The labels {other!r} and {cases[other.casefold()]!r} differ in upper and lower case only. Write the class in one way."
        )
    are = "is" if len(again) == 1 else "are"
    notes = [f"{counted(len(again), 'well')} {are} labelled more than once, each time the same: {names.listed(again)}."]
    return Labels(found, source, tuple(notes if again else ()))


def _key(given: Any) -> Key:
    """A mapping's key: "B03", "plate/B03", ("plate", "B03"), or a well's name."""
    plate, well = given if isinstance(given, tuple) else ("", str(given))
    if not plate and "/" in well:
        plate, _, well = well.rpartition("/")
    parts = re.fullmatch(r"([A-Za-z]{1,2})[-_ ]?(\d{1,2})", well.strip())
    return str(plate).strip().casefold(), names.position(*parts.groups()) if parts else well.strip()


def _text(value: Any) -> str:
    """A class's name; empty where nothing is said. 10.0 and 10 are one dose."""
    text = "" if value is None else str(value).strip()
    number = _number(text)
    return "" if not conditions.is_said(text) else text if number is None else f"{number:.12g}"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _simple(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.casefold())
