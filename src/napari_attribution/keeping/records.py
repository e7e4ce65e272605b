"""Records: found in a file or handed over, and looked through before anything in them is believed.

A record may come from anyone. It is JSON (nothing is unpickled), read only up to a size, and only what `Recorded` names is
taken from it, each with its type; what a method, a card or a place makes of its part is checked where they are made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_attribution.errors import RecordError
from napari_attribution.keeping import ome_tiff, ome_zarr

LARGEST = 256 * 2**20
"""Bytes of JSON that are read: the cells of a whole plate's well fit many times."""

ENDINGS = (".json", ".ome.tiff", ".ome.tif", ".tiff", ".tif", ".zarr")
"""Where a record may be found."""

Name = Annotated[str, Field(max_length=10_000)]


class _Part(BaseModel):
    """What is named is checked; what is not is let be."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Reading(_Part):
    """How the well was read."""

    path: Name | list[Name]
    stains: list[Name] | None = None
    project: Name | None = None
    pattern: Name | None = None
    found: list[Name] = []


class RecordedWell(_Part):
    """The well."""

    name: Name = "the well"
    source: list[Name] = []
    stains: list[Name] = Field(min_length=1)
    shape: list[int] = Field(min_length=3, max_length=3)
    reading: Reading | None = None
    sha256_of_planes: dict[Name, Name] = {}


class RecordedClassifier(_Part):
    """The classifier."""

    file: Name | None = None
    sha256: Name = ""
    card: dict[str, Any]


class RecordedScore(_Part):
    """What was explained."""

    kind: Name
    target: Name
    against: Name | None = None


class RecordedWork(_Part):
    """Where it was computed."""

    device: Name = "cpu"
    threads: int | None = Field(default=None, ge=1, le=4096)


class RecordedResult(_Part):
    """What came of it."""

    score: float | None = None
    sha256_of_map: Name | None = None


class Recorded(_Part):
    """A record, looked through.

    Parameters
    ----------
    record_version : int
        Of its form.
    versions : mapping of what to its version
    well, classifier, score, work, result
    stain_map : mapping of card stain to well stain
    method, parameters
    cells : (n, 2) list or None
    place : mapping or None
        As `Place.record` gives it.
    accept_flaws : bool
    faithfulness : mapping or None
        None where it was not asked for.
    """

    record_version: int = 1
    versions: dict[Name, Name] = {}
    well: RecordedWell
    classifier: RecordedClassifier
    stain_map: dict[Name, Name]
    score: RecordedScore
    method: Name
    parameters: dict[Name, Any]
    cells: list[Annotated[list[float], Field(min_length=2, max_length=2)]] | None = None
    place: dict[str, Any] | None = None
    accept_flaws: bool = False
    faithfulness: dict[str, Any] | None = None
    work: RecordedWork = RecordedWork()
    result: RecordedResult = RecordedResult()


def checked_record(record: Any, origin: str = "This") -> Recorded:
    """A record, or a summary that holds one, looked through.

    Raises
    ------
    RecordError
        For what is none, lacks something, or is of a form that this version does not know.
    """
    if isinstance(record, Mapping) and isinstance(record.get("record"), Mapping):
        record = record["record"]
    if not isinstance(record, Mapping) or "method" not in record:
        raise RecordError(
            f"{origin} is not a record of napari-attribution. Choose the JSON file, or the map, that an export wrote."
        )
    try:
        found = Recorded.model_validate(dict(record))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the record"
        raise RecordError(
            f"{origin} is a damaged record, or one of an older version: {where}: {first['msg']}. Export the answer anew."
        ) from None
    except RecursionError:
        raise RecordError(f"{origin} is nested too deeply to be a record.") from None
    from napari_attribution.methods.answers.record import VERSION

    if found.record_version > VERSION:
        raise RecordError(
            f"{origin} was written by a newer version of napari-attribution "
            f"({found.versions.get('napari-attribution', 'unknown')}). Update this one, then repeat."
        )
    return found


def read_record(path: str | Path) -> Recorded:
    """The record in a file: JSON, or a map of ours (OME-TIFF, OME-Zarr) with the record inside.

    Raises
    ------
    RecordError
        Where there is none, or it cannot be used.
    """
    path = Path(path)
    return checked_record(_parsed(_text(path), path.name), path.name)


def _text(path: Path) -> str:
    name = path.name.lower()
    try:
        if path.is_dir():
            return ome_zarr.text_inside(path)
        if not path.is_file():
            raise RecordError(f"There is no file {path}. Choose a record, or a map with a record inside.")
        if name.endswith((".tif", ".tiff")):
            return ome_tiff.text_inside(path)
        if path.stat().st_size > LARGEST:
            raise RecordError(f"{path.name} is larger than any record ({path.stat().st_size / 2**20:.0f} MB).")
        return path.read_text("utf-8")
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({error.strerror or error}).") from None
    except UnicodeDecodeError:
        raise RecordError(f"{path.name} is not JSON text. Choose a record, or a map with a record inside.") from None


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RecordError(f"{name} is damaged: no JSON ({why}). Copy it again, or export the answer anew.") from None
