"""Harmony (Operetta, Opera Phenix): the index lists every image with its well, field, plane and channel.

Harmony 4 and 5 (Index.idx.xml) say in each image what its channel is called and how large a pixel is, Harmony 6 and 7
(Index.xml) say it once a channel. A file that is listed and not on the disk is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from napari_attribution.errors import WellError
from napari_attribution.wells.plate import Condition
from napari_attribution.wells.readers import names, units
from napari_attribution.wells.readers.plates import conditions
from napari_attribution.wells.readers.plates.survey import Image, Survey

INDEX = ("index.idx.xml", "index.xml")


def index_of(path: Path) -> Path | None:
    """The index that a path is, or that lies in a folder or in its folder Images."""
    if path.is_file():
        return path if path.name.casefold() in INDEX else None
    for folder in (path, path / "Images"):
        if folder.is_dir():
            for file in sorted(folder.iterdir()):
                if file.name.casefold() in INDEX:
                    return file
    return None


@dataclass
class _Index:
    """What an index says."""

    name: str = ""
    rows: int = 0
    columns: int = 0
    wells: set[str] = field(default_factory=set)
    images: list[Mapping[str, str]] = field(default_factory=list)
    channels: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, float | None] = field(default_factory=dict)


def survey(index: Path) -> Survey:
    """Where the images of a Harmony export belong.

    Raises
    ------
    WellError
        For an index that is damaged, or of several plates or time points.
    """
    told = _parsed(index)
    times = {image.get("TimepointID", "") for image in told.images}
    if len(times) > 1:
        raise WellError(
            f"{index} lists {len(times)} time points, but a field is one moment. Choose one with a pattern that matches its "
            r"files only, for instance r(?P<row>\d+)c(?P<col>\d+)f(?P<field>\d+)p(?P<z>\d+)-ch(?P<channel>\d+)sk1."
        )
    there = {
        file.name: str(file)
        for folder in (index.parent / "Images", index.parent)
        if folder.is_dir()
        for file in folder.iterdir()
    }
    images, fields = [], set()
    for image in told.images:
        try:
            position, number = names.position(image["Row"], image["Col"]), int(image["FieldID"])
            plane = int(image.get("PlaneID", "0"))
        except (KeyError, ValueError):
            raise WellError(
                f"{index} is damaged: it lists an image without its well or field. Export it again."
            ) from None
        fields.add((position, number))
        file = there.get(re.split(r"[\\/]", image.get("URL", ""))[-1])
        if file is not None:
            images.append(Image(file, position, number, image.get("ChannelID", "1"), plane))
    numbers = sorted({image.get("ChannelID", "1") for image in told.images}, key=lambda one: (len(one), one))
    stains, named = names.stain_names([told.channels.get(number) for number in numbers], len(numbers))
    folder = index.parent.parent if index.parent.name.casefold() == "images" else index.parent
    own, note = _own_conditions(folder)
    return Survey(
        told.name or folder.name,
        str(index.parent),
        "Harmony",
        images,
        dict(zip(numbers, stains if named else [None] * len(numbers), strict=True)),
        layout=(told.rows, told.columns) if told.rows and told.columns else None,
        wells=told.wells,
        fields=fields,
        conditions=own,
        pixel_size=units.pixel_size(told.sizes.get("Y"), told.sizes.get("X")),
        notes=note,
    )


def _parsed(index: Path) -> _Index:
    """The index, element by element: that of a large plate has hundreds of megabytes."""
    told = _Index()
    try:
        for _, element in ElementTree.iterparse(index):
            kind = element.tag = element.tag.rpartition("}")[2]
            if kind in ("Image", "Entry"):
                texts = {child.tag: (child.text or "").strip() for child in element}
                channel = texts.get("ChannelID") or element.get("ChannelID") or "1"
                _note(told, channel, texts, element)
                if kind == "Image" and "URL" in texts:
                    told.images.append({key: text for key, text in texts.items() if key in _OF_AN_IMAGE})
                element.clear()
            elif kind == "PlateRows":
                told.rows = int(element.text or 0)
            elif kind == "PlateColumns":
                told.columns = int(element.text or 0)
            elif kind in ("Name", "PlateID") and element.text:
                told.name = element.text.strip()
            elif kind == "Well":
                row, column = element.findtext("Row"), element.findtext("Col")
                known = element.get("id", "")
                if row and column:
                    told.wells.add(names.position(row, column))
                elif re.fullmatch(r"\d{4}", known):
                    told.wells.add(names.position(int(known[:2]), int(known[2:])))
                element.clear()
    except (ElementTree.ParseError, ValueError) as error:
        raise WellError(f"{index} is damaged ({error}). Copy it again from where it was acquired.") from None
    return told


_OF_AN_IMAGE = ("URL", "Row", "Col", "FieldID", "PlaneID", "TimepointID", "ChannelID")


def _note(told: _Index, channel: str, texts: Mapping[str, str], element: ElementTree.Element) -> None:
    """What an image or a channel's entry says of the stain and the size of a pixel."""
    if texts.get("ChannelName"):
        told.channels.setdefault(channel, texts["ChannelName"])
    for axis in "YX":
        if axis not in told.sizes and texts.get(f"ImageResolution{axis}"):
            resolution: Any = element.find(f"ImageResolution{axis}")
            told.sizes[axis] = units.in_um(float(resolution.text), resolution.get("Unit", "m"))


def _own_conditions(folder: Path) -> tuple[Mapping[str, Mapping[str, Condition]], tuple[str, ...]]:
    """The layout that lies in the plate's folder or beside it, and a sentence that says which, or why it could not be used."""
    tables = sorted(folder.glob("*[Ll]ayout*.csv")) or sorted(folder.parent.glob("drug_layout*.csv"))
    layouts = sorted((folder / "Assaylayout").glob("*.xml")) if (folder / "Assaylayout").is_dir() else []
    for read, file in [*((conditions.table, one) for one in tables), *((_assay_layout, one) for one in layouts)]:
        try:
            found = read(file)
        except (WellError, ElementTree.ParseError, ValueError) as error:
            return {}, (f"{file.name} was not used: {error}",)
        if found:
            return found, (f"The conditions are those of {file.name}.",)
    return {}, ()


def _assay_layout(file: Path) -> dict[str, dict[str, Condition]]:
    """Harmony's own layout: one layer a condition."""
    told: dict[str, dict[str, str]] = {}
    root = ElementTree.parse(file).getroot()
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    for layer in root.iterfind("Layer"):
        name = (layer.findtext("Name") or "condition").strip()
        for well in layer.iterfind("Well"):
            value = (well.findtext("Value") or "").strip()
            if value:
                position = names.position(well.findtext("Row") or "", well.findtext("Col") or "")
                told.setdefault(position, {})[name] = value
    return conditions.typed(told)
