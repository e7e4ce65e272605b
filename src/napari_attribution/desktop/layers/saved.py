"""Maps that napari itself saves and opens: the record stays with them, so that they can be repeated.

Only files that end in `.attribution.ome.tiff`: every other image is written and read as it was before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pint import get_application_registry

from napari_attribution.desktop.layers.known import RECORD, ROLE, TITLE
from napari_attribution.desktop.layers.maps import diverging, robust_limit
from napari_attribution.errors import OutputError
from napari_attribution.keeping.ome_tiff import read_tiff, write_tiff
from napari_attribution.keeping.records import checked_record
from napari_attribution.keeping.summary import as_json

ENDING = ".attribution.ome.tiff"


def write_map(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """napari's File > Save: a map of ours as float OME-TIFF, with its record inside.

    Raises
    ------
    OutputError
        For another image, or where nothing can be written.
    """
    notes = attributes.get("metadata") or {}
    if RECORD not in notes or not str(notes.get(ROLE, "")).startswith("map"):
        raise OutputError(
            f"{attributes.get('name', 'This layer')} is no attribution map. Save it as another kind of image (*.tif)."
        )
    title = str(attributes.get("name", "map"))
    told = {"record": notes[RECORD], "units": notes.get("units", ""), "title": title, "role": notes[ROLE]}
    write_tiff(Path(path), np.asarray(data, dtype=np.float32), [title], _pixel_size(attributes), as_json(told))
    return [path]


def map_reader(path: str | list[str]) -> Callable[[str | list[str]], list[Any]] | None:
    """napari's File > Open: a reader for maps of ours, None for other files."""
    paths = [path] if isinstance(path, str) else path
    return _read if paths and all(one.lower().endswith(ENDING) for one in paths) else None


def _read(path: str | list[str]) -> list[Any]:
    paths = [path] if isinstance(path, str) else path
    return [_layer_tuple(Path(one)) for one in paths]


def _layer_tuple(path: Path) -> tuple[np.ndarray, dict[str, Any], str]:
    """A map with its record.

    Raises
    ------
    RecordError
        For an image without one.
    """
    values, size, text = read_tiff(path)
    told = json.loads(text)
    recorded = checked_record(told, path.name)
    values = values if values.ndim == 2 else values.sum(axis=0)
    limit = robust_limit([values])
    title = str(told.get("title") or f"why {recorded.score.target}")
    keywords = {
        "name": title,
        "colormap": diverging(),
        "contrast_limits": (-limit, limit),
        "interpolation2d": "nearest",
        "blending": "translucent_no_depth",
        "opacity": 0.85,
        "scale": size or (1.0, 1.0),
        "units": ("um", "um") if size else ("pixel", "pixel"),
        "axis_labels": ("y", "x"),
        "metadata": {
            RECORD: told["record"],
            ROLE: str(told.get("role") or "map"),
            TITLE: title,
            "units": str(told.get("units", "")),
        },
    }
    return values, keywords, "image"


def _pixel_size(attributes: dict[str, Any]) -> tuple[float, float] | None:
    """In um, where the layer's units are lengths."""
    registry = get_application_registry()
    try:
        factors = [
            float((1 * registry.Unit(str(unit))).to("micrometer").magnitude) for unit in attributes["units"][-2:]
        ]
    except Exception:  # pint's errors for units that are no lengths share no useful base
        return None
    height, width = (abs(float(side)) * factor for side, factor in zip(attributes["scale"][-2:], factors, strict=True))
    return height, width
