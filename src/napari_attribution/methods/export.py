"""Keep an attribution: the map as float OME-TIFF, the record as JSON."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile

from napari_attribution.errors import OutputError
from napari_attribution.methods.attribution import Attribution


@dataclass(frozen=True)
class Written:
    """Where the map and the record are."""

    map: Path
    record: Path


def check_folder(folder: Path) -> Path:
    """Make the folder if need be, and see that it can be written to, before any work is done.

    Raises
    ------
    OutputError
        Where it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"Nothing can be written to {folder} ({error.strerror or error}). Choose another folder."
        ) from None
    return folder


def write_attribution(attribution: Attribution, folder: str | Path, stem: str) -> Written:
    """Write `<stem>.ome.tiff` (float32, the well's pixels and pixel size) and `<stem>.json`.

    Both are written under another name first, so that a crash leaves no half of a file.

    Raises
    ------
    OutputError
        Where they cannot be written.
    """
    folder = check_folder(Path(folder))
    written = Written(folder / f"{stem}.ome.tiff", folder / f"{stem}.json")
    per_stain = attribution.values.ndim == 3
    names = (
        [f"why {attribution.target}: {stain}" for stain in attribution.stains]
        if per_stain
        else [f"why {attribution.target}"]
    )
    metadata: dict[str, Any] = {"axes": "CYX" if per_stain else "YX", "Channel": {"Name": names}}
    if attribution.pixel_size:
        y, x = attribution.pixel_size
        metadata |= {"PhysicalSizeY": y, "PhysicalSizeX": x, "PhysicalSizeYUnit": "µm", "PhysicalSizeXUnit": "µm"}
    try:
        temporary = folder / f".{stem}.{os.getpid()}.writing.ome.tiff"
        tifffile.imwrite(
            temporary, attribution.values, ome=True, photometric="minisblack", compression="zlib", metadata=metadata
        )
        temporary.replace(written.map)
        temporary = folder / f".{stem}.{os.getpid()}.writing.json"
        temporary.write_text(json.dumps(summary(attribution), indent=2, ensure_ascii=False), "utf-8")
        temporary.replace(written.record)
    except OSError as error:
        raise OutputError(f"The results cannot be written to {folder} ({error.strerror or error}).") from None
    return written


def summary(attribution: Attribution) -> dict[str, Any]:
    """The answer and the record as plain data."""
    return {
        "class": attribution.target,
        "predicted": attribution.predicted,
        "probabilities": dict(attribution.probabilities),
        "score": {"kind": attribution.score_name, "value": attribution.score},
        "method": attribution.method,
        "units": attribution.units,
        "channel_importance": dict(attribution.channel_importance),
        "channel_spread": dict(attribution.channel_spread),
        "importance_meaning": attribution.importance_meaning,
        "record": dict(attribution.record),
    }
