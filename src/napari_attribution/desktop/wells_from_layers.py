"""The layers open in napari, whichever reader brought them, as a well.

Finding and freezing happen on the window's thread and touch no pixels; `FrozenWell.read` fetches them (and computes
lazy arrays) in the worker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image, Layer

from napari_attribution.desktop.layers import ours
from napari_attribution.errors import WellError
from napari_attribution.wells.well import Well

_CHANNEL = {"c", "ch", "channel", "channels", "stain", "stains"}
_STACK = {
    "z": "focal planes",
    "t": "time points",
    "time": "time points",
    "depth": "focal planes",
    "plane": "focal planes",
}

MOST_CHANNELS = 16
"""An unnamed axis that is longer than this is taken for a stack, not for stains."""


@dataclass(frozen=True, eq=False)
class FrozenWell:
    """What the worker needs to read a well: references to the arrays, and what to take of them.

    Parameters
    ----------
    planes : tuple of arrays
        One (H, W) array a stain, or a single one with a channel axis; axes of length 1 besides are dropped.
    channel_axis : int or None
        Of the single array.
    """

    planes: tuple[Any, ...]
    channel_axis: int | None
    stains: tuple[str, ...]
    pixel_size: tuple[float, float] | None
    named: bool
    source: tuple[str, ...]
    position: str | None = None
    field: int | None = None
    reading: Mapping[str, Any] | None = None

    def read(self) -> Well:
        """Fetch the pixels.

        Raises
        ------
        WellError
            Where they are not those of a well, or cannot be fetched.
        """
        try:
            arrays = [np.asarray(plane) for plane in self.planes]
        except (OSError, ValueError, RuntimeError) as error:
            raise WellError(
                f"The pixels of {self.source[0] if self.source else 'the well'} cannot be read: {error}."
            ) from error
        if self.channel_axis is not None:
            pixels = np.moveaxis(arrays[0], self.channel_axis, 0)
            pixels = pixels.reshape(pixels.shape[0], *pixels.shape[-2:])
        else:
            kinds = {array.dtype for array in arrays}
            if len(kinds) > 1:
                which = ", ".join(f"{stain} {array.dtype}" for stain, array in zip(self.stains, arrays, strict=True))
                raise WellError(f"The stains have pixels of different types ({which}). Convert them to one type first.")
            pixels = np.stack([array.reshape(array.shape[-2:]) for array in arrays])
        return Well(
            pixels, self.stains, self.pixel_size, self.named, self.position, self.field, self.source, self.reading
        )


@dataclass(frozen=True, eq=False)
class OpenWell:
    """A well among the viewer's layers, or layers that look like one and why they are none.

    Parameters
    ----------
    name : str
        What to call it in a list.
    layers : tuple of Layer
    stains : tuple of str
    named : bool
        False where the stains are placeholders for the places along an axis.
    problem : str
        Why the layers are no well, with what to do; empty where they are one.
    """

    name: str
    layers: tuple[Layer, ...]
    stains: tuple[str, ...]
    named: bool = True
    problem: str = ""
    channel_axis: int | None = None

    @property
    def key(self) -> tuple[int, ...]:
        """Tells whether two findings are of the same layers."""
        return tuple(id(layer) for layer in self.layers)

    def freeze(self) -> FrozenWell:
        """The request to read it.

        Raises
        ------
        WellError
            With `problem`, where the layers are no well.
        """
        if self.problem:
            raise WellError(self.problem)
        first = self.layers[0]
        notes = first.metadata
        source = tuple(dict.fromkeys(str(s) for layer in self.layers for s in _source(layer)))
        return FrozenWell(
            tuple(_full_resolution(layer) for layer in self.layers),
            self.channel_axis,
            self.stains,
            pixel_size(first),
            self.named,
            source or tuple(f"layer {layer.name}" for layer in self.layers),
            notes.get("position"),
            notes.get("field"),
            _reading(self.layers, self.stains),
        )


def find_wells(layers: Iterable[Layer]) -> tuple[OpenWell, ...]:
    """The wells among the layers, in the order of their first layers; our own answers are none."""
    images = [layer for layer in layers if isinstance(layer, Image) and not ours(layer)]
    found: list[OpenWell] = []
    flat: list[Image] = []
    for layer in images:
        if layer.rgb:
            found.append(_refused(layer, f"The layer {layer.name} is a colour picture (RGB). Open the stains as separate "
                                         "channels, in the microscope's own pixel values."))  # fmt: skip
        elif max(_extra_lengths(layer), default=1) == 1:
            flat.append(layer)
        else:
            found.append(_from_axes(layer))
    groups: dict[Any, list[Image]] = {}
    for layer in flat:
        groups.setdefault(_group(layer, flat), []).append(layer)
    found += [_from_group(group) for group in groups.values()]
    order = {id(layer): index for index, layer in enumerate(images)}
    return tuple(sorted(found, key=lambda well: order[id(well.layers[0])]))


def pixel_size(layer: Layer) -> tuple[float, float] | None:
    """Height and width of a pixel in um; None where the layer's units are not lengths."""
    try:
        factors = [(1 * unit).to("micrometer").magnitude for unit in layer.units[-2:]]
    except Exception:  # pint's errors for units that are no lengths share no useful base
        return None
    height, width = (abs(float(scale)) * float(factor) for scale, factor in zip(layer.scale[-2:], factors, strict=True))
    return height, width


def _full_resolution(layer: Layer) -> Any:
    return layer.data[0] if layer.multiscale else layer.data


def _shape(layer: Layer) -> tuple[int, ...]:
    return tuple(int(n) for n in _full_resolution(layer).shape)


def _extra_lengths(layer: Layer) -> tuple[int, ...]:
    return _shape(layer)[:-2]


def _source(layer: Layer) -> Sequence[str]:
    if layer.metadata.get("source"):
        return list(layer.metadata["source"])
    return [layer.source.path] if layer.source.path else []


def _reading(layers: Sequence[Layer], stains: Sequence[str]) -> Mapping[str, Any] | None:
    """How these stains can be read from their files again, under the names that they have here; None where they cannot."""
    first = layers[0].metadata.get("reading")
    if not first or any(layer.metadata.get("reading") != first for layer in layers):
        return None
    renamed = dict(zip((str(layer.metadata.get("stain")) for layer in layers), stains, strict=False))
    names = [renamed.get(name, name) for name in first["found"]]
    return first if names == list(first["found"]) else {**first, "stains": names, "found": names}


def _refused(layer: Layer, problem: str) -> OpenWell:
    return OpenWell(layer.name, (layer,), (), problem=problem)


def _from_axes(layer: Image) -> OpenWell:
    """A layer with more than two axes: one of them must be the stains."""
    shape = _shape(layer)
    labels = [str(label).casefold() for label in layer.axis_labels]
    long = [axis for axis in range(len(shape) - 2) if shape[axis] > 1]
    for axis in long:
        if labels[axis] in _STACK:
            return _refused(
                layer,
                f"The layer {layer.name} is a stack of {shape[axis]} {_STACK[labels[axis]]}. A well is one plane: choose one, "
                "or project the stack (right-click the layer > Projections), and ask again.",
            )
    if len(long) > 1:
        return _refused(
            layer,
            f"The layer {layer.name} has {len(long)} axes beside height and width ({' x '.join(str(shape[a]) for a in long)}). "
            "Take one time point and one focal plane, so that only the stains are left.",
        )
    axis = long[0]
    if labels[axis] not in _CHANNEL and shape[axis] > MOST_CHANNELS:
        return _refused(
            layer,
            f"The layer {layer.name} has {shape[axis]} planes, which looks like a stack, not like stains. Choose one plane, or "
            "name the axis 'c' if these are stains.",
        )
    given = layer.metadata.get("channel_names") or layer.metadata.get("stains") or ()
    named = len(given) == shape[axis]
    stains = tuple(map(str, given)) if named else tuple(f"channel {index + 1}" for index in range(shape[axis]))
    return OpenWell(layer.name, (layer,), stains, named, channel_axis=axis)


def _group(layer: Image, flat: Sequence[Image]) -> Any:
    """What the layers of one well share: our own mark, else their file, else their place and size."""
    if group := layer.metadata.get("group"):
        return group
    path = layer.source.path
    if path and sum(other.source.path == path for other in flat) > 1:
        return path
    return _place(layer)


def _place(layer: Layer) -> Any:
    matrix = tuple(np.round(layer._transforms[1:].simplified.set_slice([-2, -1]).affine_matrix, 6).ravel())
    return _shape(layer)[-2:], matrix, tuple(str(unit) for unit in layer.units[-2:])


def _from_group(group: Sequence[Image]) -> OpenWell:
    layers = tuple(group)
    stains = _stain_names(layers)
    notes = layers[0].metadata
    name = str(notes.get("well") or (layers[0].source.path or "").replace("\\", "/").rsplit("/", 1)[-1])
    if len(layers) > 1 and not notes.get("well") and len({layer.source.path for layer in layers}) > 1:
        name = ""
    name = name or (", ".join(stains) if len(layers) > 1 else layers[0].name)
    # Layers with our mark may have been moved or exchanged since they were opened.
    places = {_place(layer) for layer in layers}
    problem = ""
    if len(places) > 1:
        sizes = ", ".join(f"{layer.name} {'x'.join(map(str, _shape(layer)[-2:]))}" for layer in layers)
        problem = f"The stains of {name} do not lie over each other ({sizes}). Give them the same size and place."
    elif len({stain.casefold() for stain in stains}) < len(stains):
        problem = f"Two layers of {name} have the same name ({', '.join(stains)}). Rename them after their stains."
    return OpenWell(name, layers, stains, bool(notes.get("named", True)), problem)


def _stain_names(layers: Sequence[Layer]) -> tuple[str, ...]:
    """The layers' names, without the " [1]" that napari adds where a name is there already."""
    bare = [re.sub(r" \[\d+\]$", "", layer.name).strip() or "stain" for layer in layers]
    return tuple(bare) if len(set(map(str.casefold, bare))) == len(bare) else tuple(layer.name for layer in layers)
