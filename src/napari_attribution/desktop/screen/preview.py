"""How the files of a plate map to wells, in words: seen before anything is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_attribution.wells.plate import Field, Plate

FIRST = 3
"""Fields that are named."""


def look(path: str, pattern: str | None, conditions: str | None) -> tuple[Plate, str]:
    """The plate, and what there is of it; runs in the worker.

    Raises
    ------
    WellError
        Where there is no plate, or it cannot be read.
    """
    from napari_attribution.wells import read_plate

    plate = read_plate(path, pattern=pattern, conditions=conditions)
    return plate, told(plate)


def told(plate: Plate) -> str:
    """What there is of a plate, how its first files are understood, and what is missing."""
    rows, columns = plate.layout
    filled = len(plate.fields) - len(plate.empty)
    lines = [
        f"{plate.format}: {filled} of {rows * columns} wells, {len(plate)} fields; stains {', '.join(plate.stains)}"
        f"{'' if plate.named else ' (nobody named them)'}."
    ]
    if plate.columns:
        lines.append(f"Known of the wells: {', '.join(plate.columns)}.")
    for at, field in enumerate(plate):
        if at == FIRST:
            break
        lines.append(f"{field.name}  ←  {_files(field)}")
    lines += [f"! {note}" for note in plate.notes]
    return "\n".join(lines)


def _files(field: Field) -> str:
    path = field.reading.get("path", "nothing")
    names = [str(one).replace("\\", "/").rstrip("/") for one in (path if isinstance(path, list | tuple) else [path])]
    # A name by itself says little where folders have the names of wells.
    short = ["/".join(name.rsplit("/", 4)[-4:]) if ".zarr" in name else name.rsplit("/", 1)[-1] for name in names]
    return ", ".join(short)
