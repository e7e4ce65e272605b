"""Which layers are ours, what each is to us, and where a layer of ours must lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.transforms import Affine

from napari_attribution.methods.attribution import Attribution

RECORD = "napari-attribution"
"""Key of a layer's metadata under which the record of the run stands."""

ROLE = "napari-attribution role"
"""Key of a layer's metadata that says what the layer is to us: "stain", "map", "map of <stain>", "importance"."""

TITLE = "napari-attribution title"


def ours(layer: Layer) -> bool:
    """Whether a layer is an answer of ours (and so no stain to ask about)."""
    return layer.metadata.get(ROLE, "stain") != "stain"


def of_an_answer(layer: Layer) -> bool:
    """Whether a layer goes with the answer that it shows; others of ours (what was removed, a kept map) outlive it."""
    role = str(layer.metadata.get(ROLE, ""))
    return role in ("map", "importance") or role.startswith("map of ")


@dataclass(frozen=True)
class Placement:
    """Where the well lies in the world: what its maps and its bars must share with it."""

    shape: tuple[int, int]
    keywords: Mapping[str, Any]

    @classmethod
    def of(cls, references: Sequence[Layer], attribution: Attribution) -> Placement:
        shape = attribution.map.shape
        if not references:
            size = attribution.pixel_size
            units = ("um", "um") if size else ("pixel", "pixel")
            return cls(shape, {"scale": size or (1.0, 1.0), "units": units, "axis_labels": ("y", "x")})
        layer = references[0]
        keywords: dict[str, Any] = {
            "scale": tuple(layer.scale[-2:]),
            "translate": tuple(layer.translate[-2:]),
            "rotate": np.asarray(layer.rotate)[-2:, -2:],
            "shear": layer.shear if layer.ndim == 2 else [0.0],
            "affine": layer.affine.set_slice([-2, -1]) if layer.ndim > 2 else layer.affine,
            "units": tuple(layer.units[-2:]),
            "axis_labels": tuple(layer.axis_labels[-2:]),
        }
        return cls(shape, keywords)

    def put(self, layer: Layer) -> None:
        """Move an existing layer here."""
        for key, value in self.keywords.items():
            # Each of these makes napari draw anew, so those that are right already are left alone.
            if not _same(getattr(layer, key), value):
                setattr(layer, key, value)

    @property
    def scale(self) -> tuple[float, float]:
        """Height and width of a pixel."""
        return self.keywords["scale"]


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Affine):
        a, b = a.affine_matrix, Affine(affine_matrix=b).affine_matrix if isinstance(b, np.ndarray) else b.affine_matrix
    if isinstance(a, tuple) and a and not isinstance(a[0], float | int | np.number):
        return tuple(map(str, a)) == tuple(map(str, b))
    return np.shape(a) == np.shape(b) and bool(np.allclose(a, b))


def find(viewer: ViewerModel, role: str) -> Layer | None:
    return next((layer for layer in viewer.layers if layer.metadata.get(ROLE) == role), None)


def layer_metadata(role: str, title: str, attribution: Attribution) -> dict[str, Any]:
    return {ROLE: role, RECORD: dict(attribution.record), TITLE: title}


def rename(layer: Layer, title: str) -> None:
    """A new title, unless the user gave the layer a name of their own."""
    if layer.name == layer.metadata.get(TITLE):
        layer.name = title
