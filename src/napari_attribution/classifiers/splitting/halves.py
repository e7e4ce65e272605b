"""Halves: features(x) and head(activation) at one cut, whatever technique parts the network there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.splitting.crossing import Crossing, carry_all
from napari_attribution.classifiers.splitting.cuts import Cut
from napari_attribution.classifiers.splitting.techniques.technique import Parts
from napari_attribution.errors import LayerError


@dataclass(frozen=True)
class Carried:
    """What crosses a cut beside the map of locations: the other tokens, the carried values, of so many inputs, and how the
    activation was quantised, if it was."""

    rest: Tensor
    values: tuple[Any, ...]
    inputs: int
    quantised: tuple[float, int, torch.dtype] | None = None


class Halves:
    """features(x) and head(activation) at one cut, maps of locations between them.

    Parameters
    ----------
    parts : Parts
    cut : Cut
    """

    def __init__(self, parts: Parts, cut: Cut) -> None:
        self._parts = parts
        self._cut = cut
        self.gradients = parts.gradients
        """Whether the head gives gradients by the activation."""

    def features(self, x: Tensor) -> tuple[Tensor, Carried]:
        """(N, C, h, w) inputs to their (N, n, h', w') maps, and what else crosses the cut."""
        value, carried = self._parts.first(x)
        quantised = None
        if value.is_quantized:
            quantised = value.q_scale(), value.q_zero_point(), value.dtype
            value = value.dequantize()
        maps, rest = self._cut.layout.to_map(value)
        if len(maps) != len(x) or maps.shape[1] != self._cut.shape[0]:
            raise LayerError(f"At {self._cut.name} the network made {tuple(maps.shape)} of {len(x)} inputs.")
        return maps, Carried(rest, carried, len(x), quantised)

    def head(self, maps: Tensor, carried: Carried) -> Any:
        """(N, n, h', w') maps to what the network returns for them; what one input left behind serves for all."""
        return self._parts.second(*self.crossing(maps, carried))

    def crossing(self, maps: Tensor, carried: Carried) -> Crossing:
        """(N, n, h', w') maps as the network itself holds them at the cut."""
        count = len(maps)
        rest = carried.rest.expand(count, *carried.rest.shape[1:])
        beside = carry_all(carried.values, self._cut, carried.inputs, count)
        value = self._cut.layout.to_value(maps, rest).clone()
        if carried.quantised is not None:
            value = torch.quantize_per_tensor(value, *carried.quantised)
        return value, beside
