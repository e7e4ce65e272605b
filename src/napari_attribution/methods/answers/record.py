"""The record: what a run was made of, enough to repeat it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.preparation.prepare import Prepared, describe
from napari_attribution.methods.choice.catalogue import Method
from napari_attribution.methods.choice.parameters import Parameters
from napari_attribution.methods.question.score import Score
from napari_attribution.wells import Well

VERSION = 1
"""Of the record's form; raised when an older program could misread it."""


def sha256_of(array: npt.NDArray[Any]) -> str:
    """Tells whether an array's numbers are the same, bit for bit."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


@cache
def _own_version() -> str:
    return version("napari-attribution")


@dataclass(frozen=True)
class Hashes:
    """SHA-256 of a well's pixels, and of each stain's plane."""

    pixels: str
    planes: dict[str, str]


def hashes_of(well: Well) -> Hashes:
    """Tell whether two wells have the same pixels, bit for bit."""
    pixels = np.ascontiguousarray(well.pixels)
    planes = zip(well.stains, pixels, strict=True)
    return Hashes(sha256_of(pixels), {stain: sha256_of(plane) for stain, plane in planes})


def make_record(
    classifier: Classifier,
    well: Well,
    prepared: Prepared,
    method: Method,
    parameters: Parameters,
    score: Score,
    extras: list[dict[str, object]],
    asked: Mapping[str, Any],
    hashes: Hashes | None = None,
) -> dict[str, Any]:
    """The record of a run as plain data, ready for JSON; `asked` is what of the question stands nowhere else, and `hashes`
    are the well's, where they are known already.
    """
    hashed = hashes or hashes_of(well)
    return {
        "record_version": VERSION,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "napari-attribution": _own_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "system": platform.platform(terse=True),
        },
        "well": {
            "name": well.name,
            "source": list(well.source),
            "position": well.position,
            "field": well.field,
            "stains": list(well.stains),
            "shape": list(well.pixels.shape),
            "dtype": str(well.pixels.dtype),
            "pixel_size_um": list(well.pixel_size) if well.pixel_size else None,
            "reading": None if well.reading is None else dict(well.reading),
            "sha256_of_pixels": hashed.pixels,
            "sha256_of_planes": hashed.planes,
        },
        "classifier": {
            "file": str(classifier.path.absolute()) if classifier.path else None,
            "sha256": classifier.sha256,
            "card": classifier.card.model_dump(mode="json"),
        },
        "stain_map": dict(prepared.stains),
        "preparation": describe(prepared, classifier.card),
        "score": {"kind": score.kind, "target": classifier.classes[score.target]}
        | ({"against": classifier.classes[score.against]} if score.against is not None else {}),
        "asked": dict(asked),
        "method": method.name,
        "parameters": parameters.model_dump(mode="json"),
        "found": extras[0] if len(extras) == 1 else {"inputs": extras},
        "seed": 0,
    }
