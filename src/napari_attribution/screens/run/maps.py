"""The maps as an OME-Zarr plate (0.4): one image a field, one channel a map, the very numbers in float32, at one level.

An image is written under another name and then takes its own; the plate's own description is written when all are there.
Written with zarr itself: ngio, which the tests read it with, takes ten times as long an image.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import OutputError
from napari_attribution.keeping.files import written_whole
from napari_attribution.screens.results.folder import MAPS, PARTS, image_of
from napari_attribution.wells.plate import Field, row_and_column

if TYPE_CHECKING:
    from napari_attribution.methods.attribution import Attribution

VERSION = "0.4"
CHUNK = 1024
"""Rows and columns of a chunk, at most."""
COLOURS = ("B300B3", "00B34D", "B36B00", "0073B3", "B3002D", "5C5C5C")
"""Of the channels in viewers that go by them, in turn."""


def channels_of(attributions: Sequence[Attribution], stains: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
    """The (H, W) maps of a field by the names of their channels: the method's, or the method's and the stain's."""
    found = {}
    for one in attributions:
        if one.values.ndim == 2:
            found[one.method] = one.values
        else:
            found |= {f"{one.method}: {stain}": plane for stain, plane in zip(stains, one.values, strict=True)}
    return found


def write_maps(
    out: Path,
    field: Field,
    channels: dict[str, npt.NDArray[np.float32]],
    pixel_size: tuple[float, float] | None,
) -> None:
    """Write a field's maps; those that were there before make way.

    Raises
    ------
    OutputError
        Where they cannot be written.
    """
    import zarr
    from numcodecs import Blosc  # type: ignore[import-untyped]

    path = out / MAPS / image_of(field)
    pixels = np.stack(list(channels.values()))
    try:
        with tempfile.TemporaryDirectory(dir=out / PARTS, prefix="maps-", ignore_cleanup_errors=True) as folder:
            made = Path(folder, "made")
            group = zarr.create_group(str(made), zarr_format=2, attributes=_described(field, channels, pixel_size))
            image = group.create_array(
                "0",
                shape=pixels.shape,
                dtype=pixels.dtype,
                chunks=(1, min(CHUNK, pixels.shape[1]), min(CHUNK, pixels.shape[2])),
                compressors=Blosc(cname="lz4", clevel=5, shuffle=1),
                chunk_key_encoding={"name": "v2", "separator": "/"},
            )
            image[:] = pixels
            _take(made, path, Path(folder, "former"))
    except OSError as error:
        raise OutputError(
            f"The maps of {field.name} cannot be written to {path} ({error.strerror or error}). Make room on the disk, or see "
            "that the folder can be written to; the same command then goes on."
        ) from None


def _take(made: Path, path: Path, former: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        path.rename(former)
    made.rename(path)


def _described(
    field: Field, channels: dict[str, npt.NDArray[np.float32]], pixel_size: tuple[float, float] | None
) -> dict[str, Any]:
    """The attributes of an image."""
    space = {"type": "space"} | ({"unit": "micrometer"} if pixel_size else {})
    axes = [{"name": "c", "type": "channel"}, {"name": "y"} | space, {"name": "x"} | space]
    scale = [{"type": "scale", "scale": [1.0, *(pixel_size or (1.0, 1.0))]}]
    shown = []
    for number, (name, plane) in enumerate(channels.items()):
        most = float(np.abs(plane).max()) or 1.0
        window = {"min": -most, "max": most, "start": 0.0, "end": most}
        shown.append({"label": name, "color": COLOURS[number % len(COLOURS)], "active": number == 0, "window": window})
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    return {
        "multiscales": [{"version": VERSION, "name": field.name, "axes": axes, "datasets": datasets}],
        "omero": {"version": VERSION, "name": field.name, "channels": shown},
    }


def describe_plate(out: Path, name: str, fields: Iterable[Field]) -> None:
    """Write the plate's own description: its rows and columns, its wells, and the images of each; nothing where there are none.

    Parameters
    ----------
    out : Path
        The folder of results.
    name : str
    fields : iterable of Field
        Those that have maps, the fields of a well one after another.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    root = out / MAPS
    places: dict[Path, tuple[int, int]] = {}
    letters: set[Path] = set()
    most = 0
    for well, some in groupby(fields, lambda field: image_of(field).parent):
        if well.parent not in letters:
            _write_group(root / well.parent, None)
            letters.add(well.parent)
        told = []
        for field in some:
            told.append({"path": str(field.number), "acquisition": 0})
            places[well] = row_and_column(field.position)
        _write_group(root / well, {"well": {"version": VERSION, "images": told}})
        most = max(most, len(told))
    if not places:
        return
    rows = {row: well.parts[0] for well, (row, _) in places.items()}
    columns = {column: well.parts[1] for well, (_, column) in places.items()}
    row_at, column_at = ({key: at for at, key in enumerate(sorted(names))} for names in (rows, columns))
    wells = [
        {"path": well.as_posix(), "rowIndex": row_at[row], "columnIndex": column_at[column]}
        for well, (row, column) in places.items()
    ]
    plate = {
        "version": VERSION,
        "name": name,
        "rows": [{"name": rows[key]} for key in sorted(rows)],
        "columns": [{"name": columns[key]} for key in sorted(columns)],
        "wells": wells,
        "acquisitions": [{"id": 0, "name": "maps"}],
        "field_count": most,
    }
    _write_group(root, {"plate": plate})


def _write_group(folder: Path, attributes: dict[str, Any] | None) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made ({error.strerror or error}). Make room on the disk, or see that the folder can be written "
            "to; the same command then goes on."
        ) from None
    if attributes is not None:
        with written_whole(folder / ".zattrs") as temporary:
            temporary.write_text(json.dumps(attributes, indent=1), "utf-8")
    with written_whole(folder / ".zgroup") as temporary:
        temporary.write_text(json.dumps({"zarr_format": 2}), "utf-8")
