"""The record of a training: what it was made of, enough to repeat it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from napari_attribution.training.labelling.labelled import Labelled
from napari_attribution.training.labelling.splitting import Split
from napari_attribution.training.recipe import Recipe

VERSION = 1


def record_of(
    found: Labelled, recipe: Recipe, splits: Mapping[int, Split], pixels: str, device: str, seconds: float
) -> dict[str, Any]:
    """All of it as plain data, ready for JSON.

    Parameters
    ----------
    found : Labelled
        The wells that were read.
    recipe : Recipe
    splits : mapping of seed to Split
    pixels : str
        A hash of the fields' means and standard deviations, which tells whether they are the same.
    device : str
    seconds : float
    """
    return {
        "record_version": VERSION,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "napari-attribution": version("napari-attribution"),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "system": platform.platform(terse=True),
        },
        "method": "DCMIX, implemented from the published description (Siegismund et al., GCPR 2023, arXiv 2308.16637)",
        "recipe": recipe.model_dump(mode="json"),
        "labels": {"source": found.source, "of": {well.name: well.label for well in found.wells}},
        "sources": {well.name: [_source(field) for field in well.fields] for well in found.wells},
        "stains": list(found.stains),
        "classes": list(found.classes),
        "splits": {
            str(seed): {
                side: [found.wells[number].name for number in getattr(one, side)]
                for side in ("training", "validation", "held_out")
            }
            for seed, one in splits.items()
        },
        "sha256_of_measures": pixels,
        "notes": list(found.notes),
        "device": device,
        "seconds": round(seconds, 1),
    }


def _source(field: Any) -> Any:
    """What is to be read again: the question to `read_well`, where there was one."""
    reading = field.reading
    return field.name if reading is None else {name: _text(value) for name, value in reading.items()}


def _text(value: Any) -> Any:
    plain = isinstance(value, str | int | float | bool | None)
    return value if plain else [_text(one) for one in value] if isinstance(value, list | tuple) else str(value)
