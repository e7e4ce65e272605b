"""Whole plates, one module a format: `ome_zarr`, `harmony`, `imagexpress`, and `file_names` for any folder of TIFFs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from napari_attribution.errors import WellError
from napari_attribution.wells.plate import Plate, row_and_column, smallest_layout
from napari_attribution.wells.readers.locations import is_url, is_zarr
from napari_attribution.wells.readers.plates import conditions as told_conditions
from napari_attribution.wells.readers.plates import file_names, harmony, imagexpress, ome_zarr
from napari_attribution.wells.readers.plates.assembling import assembled
from napari_attribution.wells.readers.plates.survey import Survey
from napari_attribution.wells.readers.stack import checked_projection

__all__ = ["Preview", "preview", "read_plate"]

ALL_STAINS = "all stains"


def read_plate(
    path: str | PathLike[str],
    *,
    stains: Sequence[str] | None = None,
    project: str | None = None,
    pattern: str | None = None,
    conditions: str | PathLike[str] | Mapping[str, Mapping[str, Any]] | None = None,
    layout: tuple[int, int] | None = None,
) -> Plate:
    r"""Find the wells and fields of a plate, and what of them is missing. No pixels are read, but of a field or two.

    Parameters
    ----------
    path : path
        An OME-Zarr plate (0.4 or 0.5) in a folder or by its address (URL); a Harmony export (the folder that holds
        ``Index.idx.xml`` or ``Images``); an ImageXpress export (the folder of the ``.HTD``, or that file); or a folder of TIFFs
        whose names say the well, with one file a stain or one file a field.
    stains : sequence of C str, optional
        The names of the stains, in the order of the channels; they replace those that the plate gives.
    project : {"max", "mean", "middle"}, optional
        How focal planes become one. Without it a field of several planes is refused when it is read.
    pattern : str, optional
        A regular expression that says how the files are named, see `read_well`; the well must be among its groups. Without the
        groups `stain` and `channel`, each file holds all stains. It is used in place of any index.
    conditions : path, or mapping of position to mapping, optional
        What was done to the wells: a CSV with a column `well`, or `row` and `column`, whose other columns are the conditions, or
        one in the shape of the plate; in place of what the format itself says.
    layout : (int, int), optional
        Rows and columns of the plate, where the format does not know them.

    Returns
    -------
    Plate
        A well, field or stain that is missing is known as missing; `notes` says what, in sentences.

    Raises
    ------
    WellError
        For a plate that cannot be read or has 0 wells, files of several plates or time points, and conditions that do not fit.
    StainError
        For more or fewer stain names than there are stains.
    """
    checked_projection(project)
    if stains is not None:
        stains = [name.strip() for name in (stains.split(",") if isinstance(stains, str) else stains)]
    surveyed = _surveyed(path, pattern)
    plate = (
        ome_zarr.read(surveyed, stains, project) if isinstance(surveyed, str) else assembled(surveyed, stains, project)
    )
    told = plate.conditions if conditions is None else told_conditions.conditions_of(conditions)
    known = layout or (plate.layout if isinstance(surveyed, str) or surveyed.layout else None)
    if known is None:
        # Only the files speak of the size of the plate, and they may be of a part of it.
        known = smallest_layout([*plate.fields, *told])
    _within(plate, known)
    return replace(plate, layout=known, conditions=told_conditions.checked_within(told, known))


@dataclass(frozen=True)
class Preview:
    """How the files of a plate map to wells, before anything is read.

    Parameters
    ----------
    format : str
        As in `Plate`.
    rows : tuple of (file, well, field, stain)
        The first of them.
    count : int
        How many there are.
    unmatched : tuple of str
        The files that belong nowhere.
    """

    format: str
    rows: tuple[tuple[str, str, int, str], ...]
    count: int
    unmatched: tuple[str, ...] = ()


def preview(path: str | PathLike[str], *, pattern: str | None = None, most: int = 12) -> Preview:
    """How the files of a plate map to wells, fields and stains: the first `most` of them.

    Raises
    ------
    WellError
        As `read_plate`.
    """
    surveyed = _surveyed(path, pattern)
    if isinstance(surveyed, str):
        plate = ome_zarr.read(surveyed, None, None)
        there = [one for one in plate if one.reading]
        rows = [
            (one.reading["path"].removeprefix(plate.source + "/"), one.position, one.number, ALL_STAINS)
            for one in there[:most]
        ]
        return Preview(plate.format, tuple(rows), len(there))
    ordered = sorted(
        surveyed.images,
        key=lambda one: (row_and_column(one.position), one.field, list(surveyed.channels).index(one.channel)),
    )
    return Preview(
        surveyed.format,
        tuple(
            (
                Path(one.file).relative_to(surveyed.source).as_posix(),
                one.position,
                one.field,
                ALL_STAINS if surveyed.whole else surveyed.channels[one.channel] or f"channel {one.channel}",
            )
            for one in ordered[:most]
        ),
        len(ordered),
        surveyed.unmatched,
    )


def _surveyed(path: str | PathLike[str], pattern: str | None) -> Survey | str:
    """What is known of a plate of files; of an OME-Zarr plate, where it is."""
    if is_url(path):
        return fspath(path)
    path = Path(path).absolute()
    if not path.exists():
        raise WellError(f"There is no plate {path}. Check the name, and that its drive is connected.")
    try:
        if is_zarr(path):
            return str(path)
        if pattern is None and (index := harmony.index_of(path)):
            return harmony.survey(index)
        if pattern is None and (description := imagexpress.description_of(path)):
            return imagexpress.survey(description)
        if path.is_file():
            raise WellError(
                f"{path.name} is no plate. Give a folder of images, an OME-Zarr plate, Harmony's Index.idx.xml or ImageXpress's "
                ".HTD."
            )
        return file_names.survey(path, pattern)
    except OSError as error:
        raise WellError(f"{error.filename or path} cannot be read: {error.strerror or error}.") from None


def _within(plate: Plate, layout: tuple[int, int]) -> None:
    outside = [one for one in plate.fields if any(a >= b for a, b in zip(row_and_column(one), layout, strict=True))]
    if outside:
        raise WellError(
            f"A plate of {layout[0]} x {layout[1]} wells has no {', '.join(outside[:3])}, of which there are images. Give another "
            "layout (rows, columns)."
        )
