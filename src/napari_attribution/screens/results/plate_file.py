"""plate.parquet: how every field of the plate is read, so that its pixels are found again from the results alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from napari_attribution.errors import RecordError
from napari_attribution.keeping.files import written_whole
from napari_attribution.screens.results.folder import PLATE
from napari_attribution.wells.plate import Field

ROWS = 4096
"""Fields that are in memory at once."""


def _told(field: Field) -> dict[str, Any]:
    """A field as a row of text and numbers."""
    size = field.pixel_size or (None, None)
    return {
        "well": field.position,
        "field": field.number,
        "reading": json.dumps(dict(field.reading), sort_keys=True, default=str),
        "missing": json.dumps(list(field.missing)),
        "stains": json.dumps(list(field.stains)),
        "pixel_height": size[0],
        "pixel_width": size[1],
    }


def _understood(row: dict[str, Any]) -> Field:
    height, width = row["pixel_height"], row["pixel_width"]
    return Field(
        position=row["well"],
        number=row["field"],
        reading=json.loads(row["reading"]),
        missing=tuple(json.loads(row["missing"])),
        pixel_size=None if height is None else (height, width),
        stains=tuple(json.loads(row["stains"])),
    )


def sha256_of_fields(fields: Iterable[Field]) -> str:
    """Tells whether two plates have the same fields, read in the same way."""
    digest = hashlib.sha256()
    for field in fields:
        digest.update(json.dumps(_told(field), sort_keys=True).encode())
    return digest.hexdigest()


def write_plate(folder: Path, fields: Iterable[Field]) -> None:
    """Write how the fields are read.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    texts = {name: pa.string() for name in ("reading", "missing", "stains")}
    sizes = {"pixel_height": pa.float64(), "pixel_width": pa.float64()}
    schema = pa.schema({"well": pa.string(), "field": pa.int32()} | texts | sizes)
    rows = map(_told, fields)
    with (
        written_whole(folder / PLATE) as temporary,
        temporary.open("wb") as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        while some := list(islice(rows, ROWS)):
            writer.write_table(pa.Table.from_pylist(some, schema))


def read_fields(folder: Path, well: str | None = None) -> Iterator[Field]:
    """The fields of the plate in its order, or those of one well.

    Raises
    ------
    RecordError
        Where they are not there, or cannot be read.
    """
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.dataset as ds  # type: ignore[import-untyped]

    wanted = None if well is None else ds.field("well") == well
    try:
        for batch in ds.dataset(folder / PLATE).to_batches(filter=wanted):
            for row in batch.to_pylist():
                yield _understood(row)
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise RecordError(
            f"How the fields of these results were read is not known: {folder / PLATE} cannot be read ({error})."
        ) from None
