"""The layers' own colours and limits, frozen on the window's thread for a figure that is drawn in the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_attribution.desktop.layers.known import find
from napari_attribution.desktop.wells_from_layers import FrozenWell, OpenWell
from napari_attribution.keeping.figure import Look, default_look
from napari_attribution.keeping.figure.looks import LEVELS
from napari_attribution.methods.attribution import Attribution
from napari_attribution.wells.well import Well


@dataclass(frozen=True, eq=False)
class FrozenLook:
    """A well among the layers, and what it and the map look like; what the layers do not say is left out."""

    well: FrozenWell
    shape: tuple[int, int]
    said: Mapping[str, Any]

    @classmethod
    def of(cls, well: OpenWell, viewer: ViewerModel) -> FrozenLook:
        """Freeze.

        Raises
        ------
        WellError
            Where the layers are no well.
        """
        said: dict[str, Any] = {}
        if well.channel_axis is None:
            named = dict(zip(well.stains, well.layers, strict=True))
            said["colours"] = {stain: _colours(layer)[:, :3] * layer.opacity for stain, layer in named.items()}
            said["limits"] = {stain: _limits(layer) for stain, layer in named.items()}
            hidden = frozenset(stain for stain, layer in named.items() if not layer.visible)
            # A well whose layers are all hidden was hidden to look at the map alone.
            said["hidden"] = hidden if len(hidden) < len(named) else frozenset()
        evidence = find(viewer, "map")
        if isinstance(evidence, Image):
            said |= {
                "evidence": _colours(evidence),
                "evidence_limits": _limits(evidence),
                "opacity": float(evidence.opacity),
            }
        data = well.layers[0].data[0] if well.layers[0].multiscale else well.layers[0].data
        return cls(well.freeze(), tuple(data.shape[-2:]), said)

    def look(self, well: Well, attribution: Attribution) -> Look:
        """Colours and limits, the usual ones where the layers say nothing."""
        return replace(default_look(well, attribution), **self.said)


def _colours(layer: Layer) -> np.ndarray:
    """(n, 4) colours from the lower limit to the upper."""
    return np.asarray(layer.colormap.map(np.linspace(0, 1, LEVELS) ** layer.gamma), dtype=np.float32)


def _limits(layer: Layer) -> tuple[float, float]:
    low, high = layer.contrast_limits
    return float(low), float(high)
