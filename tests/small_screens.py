"""A plate of small fields in real files and a small classifier in another: a screen of them takes a second or two."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import networks
import numpy as np
import pyarrow.parquet as pq
import tifffile

from napari_attribution.classifiers.cards.io import write_card
from napari_attribution.errors import WellError
from napari_attribution.screens.results import Results
from napari_attribution.wells import Field, Plate, Well

STAINS = networks.STAINS
SHAPE = (40, 48)


@dataclass(frozen=True)
class Deadly(Field):
    """A field that takes the process with it that reads it, unless it is that of the tests."""

    def read(self) -> Well:
        if os.getpid() != int(os.environ["THE_TESTS"]):
            os.kill(os.getpid(), signal.SIGKILL)
        raise WellError("It is not read here.")


def position(number: int, columns: int = 6) -> str:
    """A01, A02, ..., B01, ..."""
    return f"{chr(ord('A') + number // columns)}{number % columns + 1:02}"


def write_field(path: Path, seed: int, shape: tuple[int, int] = SHAPE) -> Path:
    """An OME-TIFF of noise in three stains."""
    pixels = np.random.default_rng(seed).integers(80, 4000, (len(STAINS), *shape), dtype=np.uint16)
    channels = {"axes": "CYX", "Channel": {"Name": list(STAINS)}, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, pixels, metadata=channels, ome=True)
    return path


def make_plate(folder: Path, wells: int = 6, fields: int = 2, **changes: object) -> Plate:
    """So many wells of a 4 x 6 plate, every field in a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for number in range(wells):
        name = position(number)
        files = [
            write_field(folder / f"{name}-{index + 1}.ome.tiff", seed=10 * number + index) for index in range(fields)
        ]
        made[name] = tuple(Field(name, index + 1, {"path": str(file)}) for index, file in enumerate(files))
    conditions = {name: {"dose": float(number), "drug": "abc"[number % 3]} for number, name in enumerate(made)}
    told = {"layout": (4, 6), "stains": STAINS, "conditions": conditions} | changes
    return Plate(name="small", source=str(folder), format="by hand", fields=made, **told)


def make_classifier(folder: Path, kind: str = "gap", **changes: object) -> Path:
    """A TorchScript file with its card beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = networks.save(networks.make(kind), folder / f"{kind}.pt")
    scale = {"mean": [2000.0] * 3, "std": [1100.0] * 3, "background": [80.0] * 3}
    write_card(networks.card(**(scale | changes)), path)
    return path


def without_seconds(results: Results) -> bytes:
    """The table's very bytes, written anew without the one column that no run has twice."""
    import io

    table = pq.read_table(results.path / "fields.parquet").drop_columns(["seconds"])
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def maps_of(results: Results) -> dict[str, str]:
    """The hash of every file of the maps by its name."""
    root = results.path / "maps.zarr"
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def record_of(path: Path) -> dict[str, object]:
    return json.loads((path / "record.json").read_text("utf-8"))
