"""How the files of a plate map to wells, in words: seen before anything is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_attribution.wells.plate import Plate
    from napari_attribution.wells.readers.plates import Preview

FIRST = 4
"""Files that are named."""


def look(path: str, reading: Mapping[str, Any]) -> tuple[Plate, str]:
    """The plate, and what there is of it; runs in the worker. `reading` is what `read_plate` is asked.

    Raises
    ------
    WellError
        Where there is no plate, or it cannot be read.
    """
    from napari_attribution.wells import read_plate
    from napari_attribution.wells.readers.plates import preview

    plate = read_plate(path, **reading)
    return plate, told(plate, preview(path, pattern=reading.get("pattern"), most=FIRST))


def told(plate: Plate, files: Preview) -> str:
    """What there is of a plate, how its first files are understood, and what its reader found strange."""
    lines = [in_short(plate)]
    if plate.columns:
        lines.append(f"Known of the wells: {', '.join(plate.columns)}.")
    lines += [f"{well} field {field}, {stain}  ←  {file}" for file, well, field, stain in files.rows]
    if files.count > len(files.rows):
        lines.append(f"... and {files.count - len(files.rows)} more.")
    lines += [f"! {note}" for note in plate.notes]
    return "\n".join(lines)


def in_short(plate: Plate) -> str:
    """What there is of a plate, in one line."""
    rows, columns = plate.layout
    filled = len(plate.fields) - len(plate.empty)
    return (
        f"{plate.format}: {filled} of {rows * columns} wells, {len(plate)} fields; stains {', '.join(plate.stains)}"
        f"{'' if plate.named else ' (nobody named them)'}."
    )
