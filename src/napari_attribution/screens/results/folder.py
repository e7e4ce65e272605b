"""What stands where in a folder of results."""

from __future__ import annotations

from pathlib import Path

from napari_attribution.wells.plate import Field

TABLE = "fields.parquet"
"""One row a field; there only when the run is finished."""

PLATE = "plate.parquet"
"""How every field is read, in the order of the plate."""

MAPS = "maps.zarr"
"""The maps, an OME-Zarr plate."""

RECORD = "record.json"
LOCK = ".lock"

PARTS = "parts"
"""Finished chunks, and maps in the making, while the run is under way."""


def image_of(field: Field) -> Path:
    """Where a field's maps lie in the plate of maps: row, column, field."""
    letters = field.position.rstrip("0123456789")
    return Path(letters, field.position[len(letters) :], str(field.number))
