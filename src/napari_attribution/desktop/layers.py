"""The only place that makes or updates napari layers.

A run's result is a fixed set of layers: the map, one map a stain where they are asked for, and the importance bars.
Running again changes these layers in place, so that a viewer holds one answer however often it is asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer, Shapes
from napari.utils.colormaps import Colormap
from napari.utils.theme import get_theme
from napari.utils.transforms import Affine
from pint import get_application_registry

from napari_attribution.methods.attribution import Attribution
from napari_attribution.methods.catalogue import METHODS
from napari_attribution.wells.well import Well

RECORD = "napari-attribution"
"""Key of a layer's metadata under which the record of the run stands."""

ROLE = "napari-attribution role"
"""Key of a layer's metadata that says what the layer is to us: "stain", "map", "map of <stain>", "importance"."""

_TITLE = "napari-attribution title"
_BARS = "channel importance"

# Blue, cyan-green, yellow, orange and magenta are told apart by people with the common colour deficiencies too: they
# differ in lightness as well as in hue, and no pair is red against green.
_PALETTE = ("#4f8cff", "#26d6a9", "#ffe14d", "#ff8f33", "#ff4fd2", "#c8c8c8", "#8fd0ff", "#b58cff")
_KNOWN = {
    "#4f8cff": ("dna", "hoechst", "dapi", "nucle", "draq"),
    "#26d6a9": ("er", "cona", "concanavalin", "gfp", "fitc", "488"),
    "#ffe14d": ("rna", "syto", "yfp"),
    "#ff8f33": ("agp", "actin", "phalloidin", "wga", "golgi", "568", "tritc"),
    "#ff4fd2": ("mito", "cy5", "641", "647", "rfp", "mcherry"),
    "#c8c8c8": ("bright", "bf", "phase", "dic"),
}


def _diverging() -> Colormap:
    """Green against, purple for, nothing at zero: readable without telling red from green, and over any stain."""
    against, weak_against = (0.10, 0.86, 0.38), (0.35, 0.80, 0.50)
    weak_for, speaks_for = (0.66, 0.45, 0.95), (0.76, 0.36, 1.00)
    return Colormap(
        [(*against, 1.0), (*weak_against, 0.5), (0.6, 0.65, 0.7, 0.0), (*weak_for, 0.5), (*speaks_for, 1.0)],
        controls=[0.0, 0.25, 0.5, 0.75, 1.0],
        name="evidence",
    )


# --------------------------------------------------------------------------------------------------------- wells


def stain_colors(stains: Sequence[str]) -> tuple[str, ...]:
    """A colour for each stain: the customary one where the name is known, else one that no other stain has."""
    chosen: dict[int, str] = {}
    for index, stain in enumerate(stains):
        name = stain.casefold()
        for color, words in _KNOWN.items():
            if color not in chosen.values() and any(_speaks_of(name, word) for word in words):
                chosen[index] = color
                break
    spare = [color for color in _PALETTE if color not in chosen.values()]
    for index in range(len(stains)):
        if index not in chosen:
            chosen[index] = spare.pop(0) if spare else _PALETTE[index % len(_PALETTE)]
    return tuple(chosen[index] for index in range(len(stains)))


def _speaks_of(name: str, word: str) -> bool:
    """Short words must stand alone: "ER" is no part of "tubulin marker"."""
    if len(word) > 3:
        return word in name
    return word in "".join(letter if letter.isalnum() else " " for letter in name).split()


def contrast_limits(plane: np.ndarray, low: float = 1.0, high: float = 99.95) -> tuple[float, float]:
    """Percentiles of a plane, from at most some 65,000 of its pixels: the viewer must not wait for them."""
    step = max(1, math.isqrt(plane.size // 65_536))
    bottom, top = (float(value) for value in np.percentile(plane[..., ::step, ::step], (low, high)))
    return (bottom, top) if top > bottom else (bottom, bottom + 1.0)


def _dimmed(limits: tuple[float, float], stains: int) -> tuple[float, float]:
    """Wider limits where several additive stains lie over one another, or every cell would end in white."""
    bottom, top = limits
    return bottom, bottom + (top - bottom) * (1 + 0.12 * (stains - 1))


def well_layer_tuples(well: Well) -> list[tuple[np.ndarray, dict[str, Any], str]]:
    """The layers of a well as napari's readers and samples return them: one additive image a stain."""
    group = uuid4().hex
    size = well.pixel_size
    if size:
        # The first unit takes napari's library for units 0.3 s: in the worker that made these layers, not in the window.
        get_application_registry().parse_units("um")
    tuples = []
    for index, (stain, color) in enumerate(zip(well.stains, stain_colors(well.stains), strict=True)):
        plane = well.pixels[index]
        keywords: dict[str, Any] = {
            "name": stain,
            "colormap": Colormap([(0, 0, 0, 1), color], name=f"{stain} {color}"),
            "contrast_limits": _dimmed(contrast_limits(plane), len(well.stains)),
            "blending": "additive",
            "scale": size or (1.0, 1.0),
            "units": ("um", "um") if size else ("pixel", "pixel"),
            "axis_labels": ("y", "x"),
            "metadata": {
                ROLE: "stain",
                "stain": stain,
                "well": well.name,
                "group": group,
                "source": list(well.source),
                "named": well.named,
                "position": well.position,
                "field": well.field,
            },
        }
        tuples.append((plane, keywords, "image"))
    return tuples


def show_well(viewer: ViewerModel, well: Well) -> list[Image]:
    """One additive layer a stain, in um where the well knows its pixel size; the first in the list is the first stain."""
    return [viewer.add_image(plane, **keywords) for plane, keywords, _ in well_layer_tuples(well)]


# ------------------------------------------------------------------------------------------------------- answers


def ours(layer: Layer) -> bool:
    """Whether a layer is an answer of ours (and so no stain to ask about)."""
    return layer.metadata.get(ROLE, "stain") != "stain"


def show_attribution(
    viewer: ViewerModel, attribution: Attribution, references: Sequence[Layer] = (), per_stain: bool = False
) -> list[Layer]:
    """Show an answer beside the well it is about; the layers of an earlier answer are changed, not added to.

    Parameters
    ----------
    viewer : ViewerModel
    attribution : Attribution
    references : sequence of Layer
        The well's layers: where the map is laid, and the colours of the bars. Those that have been removed meanwhile
        still say where the well was.
    per_stain : bool
        Also one map a stain, where the method resolves stains.

    Returns
    -------
    list of Layer
        The map, the maps by stain, the bars.
    """
    for step in attribution_steps(viewer, attribution, references, per_stain):
        step()
    roles = ["map", *(f"map of {stain}" for stain in attribution.stains), "importance"]
    return [layer for role in roles if (layer := _find(viewer, role)) is not None]


def attribution_steps(
    viewer: ViewerModel, attribution: Attribution, references: Sequence[Layer] = (), per_stain: bool = False
) -> list[Any]:
    """`show_attribution` as calls that each take a few hundredths of a second, so that the window keeps answering."""
    placement = Placement.of(references, attribution)
    method = METHODS[attribution.method].title if attribution.method in METHODS else attribution.method
    maps = attribution.per_stain if per_stain else {}
    wanted = {"map", "importance", *(f"map of {stain}" for stain in maps)}
    for layer in [layer for layer in viewer.layers if ours(layer) and layer.metadata[ROLE] not in wanted]:
        viewer.layers.remove(layer)

    # The maps by stain share one scale: they are there to be compared.
    shared = robust_limit(maps.values()) if maps else 0.0
    steps = [
        lambda stain=stain, values=values: _show_map(
            viewer,
            f"map of {stain}",
            f"why {attribution.target} - {stain}",
            values,
            shared,
            placement,
            attribution,
            visible=False,
        )
        for stain, values in maps.items()
    ]
    steps.append(
        lambda: _show_map(
            viewer,
            "map",
            f"why {attribution.target} - {method}",
            attribution.map,
            robust_limit([attribution.map]),
            placement,
            attribution,
        )
    )
    steps += [
        lambda role=role: _show_color_bar(viewer, role)
        for role in ("map", *(f"map of {stain}" for stain in maps))
        if _find(viewer, role) is None
    ]
    steps.append(lambda: _show_bars(viewer, attribution, references, placement))
    steps.append(lambda: _label_bars(viewer))
    if any(_find(viewer, role) is None for role in wanted):
        steps.append(lambda: _arrange(viewer))
    return steps


def _arrange(viewer: ViewerModel) -> Layer:
    """New layers: the bars on top, under them the map, then the maps by stain; the map chosen, all of it in view."""
    top, bars = _find(viewer, "map"), _find(viewer, "importance")
    assert top is not None
    assert bars is not None
    for layer in (top, bars):
        viewer.layers.move(viewer.layers.index(layer), len(viewer.layers))
    if not viewer_shows(viewer, bars):
        viewer.fit_to_view()
    viewer.layers.selection.active = top
    return top


def robust_limit(maps: Iterable[np.ndarray], percentile: float = 99.5) -> float:
    """The value that only the strongest half per cent exceed: one hot pixel does not darken the map."""
    magnitudes = np.concatenate([np.abs(values).ravel() for values in maps])
    magnitudes = magnitudes[np.isfinite(magnitudes)]
    if not magnitudes.size or not magnitudes.any():
        return 1.0
    # A sparse map (a few cells in a wide field) has a percentile of zero; its own non-zero values then say what is much.
    limit = float(np.percentile(magnitudes, percentile))
    return _rounded_up(limit or float(np.percentile(magnitudes[magnitudes > 0], percentile)))


def _rounded_up(limit: float) -> float:
    """The next round number, at which the colour bar can write its ends."""
    power = 10.0 ** math.floor(math.log10(limit))
    return next(
        float(f"{step * power:.3g}") for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= limit * 0.999
    )


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


def _find(viewer: ViewerModel, role: str) -> Layer | None:
    return next((layer for layer in viewer.layers if layer.metadata.get(ROLE) == role), None)


def _metadata(role: str, title: str, attribution: Attribution) -> dict[str, Any]:
    return {ROLE: role, RECORD: dict(attribution.record), _TITLE: title}


def _rename(layer: Layer, title: str) -> None:
    """A new title, unless the user gave the layer a name of their own."""
    if layer.name == layer.metadata.get(_TITLE):
        layer.name = title


def _show_map(
    viewer: ViewerModel,
    role: str,
    title: str,
    values: np.ndarray,
    limit: float,
    placement: Placement,
    attribution: Attribution,
    visible: bool = True,
) -> Image:
    limits = (-limit, limit)
    layer = _find(viewer, role)
    if layer is None:
        layer = viewer.add_image(
            values,
            name=title,
            colormap=_diverging(),
            contrast_limits=limits,
            interpolation2d="nearest",
            blending="translucent_no_depth",
            opacity=0.85,
            visible=visible,
            metadata=_metadata(role, title, attribution),
            **placement.keywords,
        )
        layer.colorbar.position = "bottom_right"
    else:
        layer.data = values
        placement.put(layer)
        layer.contrast_limits_range = (min(limits[0], float(values.min())), max(limits[1], float(values.max())))
        layer.contrast_limits = limits
        _rename(layer, title)
    layer.metadata = {**layer.metadata, **_metadata(role, layer.name, attribution), "units": attribution.units}
    layer.metadata[_TITLE] = title
    return layer


def _show_color_bar(viewer: ViewerModel, role: str) -> None:
    """A new map's colour bar: a step of its own, because napari takes a tenth of a second to make one."""
    if (layer := _find(viewer, role)) is not None:
        layer.colorbar.visible = True


# ---------------------------------------------------------------------------------------------------------- bars


def layer_color(layer: Layer) -> np.ndarray:
    """The colour in which a layer shows its brightest pixels, (4,)."""
    return np.asarray(layer.colormap.colors[-1], dtype=float)


def bar_colors(stains: Sequence[str], references: Sequence[Layer]) -> np.ndarray:
    """A colour a stain, (C, 4): its layer's own, or the customary one where the well is a single layer."""
    default = Colormap([*stain_colors(stains), "black"]).colors[: len(stains)]
    own = {str(layer.metadata.get("stain", layer.name)).casefold(): layer for layer in references}
    own.update({layer.name.casefold(): layer for layer in references})
    return np.array(
        [
            layer_color(own[stain.casefold()]) if stain.casefold() in own else color
            for stain, color in zip(stains, default, strict=True)
        ]
    )


def bar_label(stain: str, importance: float, spread: float | None) -> str:
    """ "Mito  71 % ± 3": whole per cents, with a minus sign that is one."""
    share = f"{100 * importance:.0f}".replace("-", "−")
    share = "0" if share == "−0" else share
    return f"{stain}  {share} %" + (f" ± {100 * spread:.0f}" if spread is not None and math.isfinite(spread) else "")


PITCH = 1.0
"""Height of a row of the bars, in the bars' own coordinates; a row is its label and, under it, its bar."""

BAR_TOP, BAR_BOTTOM = 0.56, 0.90
LENGTH = 4.0
"""Length of a bar of 100 %."""

LINE = 0.04
"""Thickness of the line that continues a bar to 100 %."""

LEAST_PITCH_PX = 34.0
"""Below this height of a row on the screen neighbouring labels would touch; the bars are then drawn larger."""


def bar_shapes(importances: Sequence[float]) -> list[np.ndarray]:
    """One polygon a stain: the bar, left of zero where it speaks against, and under it a thin line to 100 %.

    The line says what the bar is a share of, and gives every polygon the room that its label needs.
    """
    polygons = []
    for row, importance in enumerate(importances):
        value = float(importance) if math.isfinite(importance) else 0.0
        # A bar of no length would be a polygon without an inside.
        end = LENGTH * (value if abs(value) >= 0.004 else 0.004)
        left, right = min(0.0, end), max(0.0, end)
        top, bottom = row * PITCH + BAR_TOP, row * PITCH + BAR_BOTTOM
        line = bottom - LINE
        if right < LENGTH:
            corners = [(top, left), (top, right), (line, right), (line, LENGTH), (bottom, LENGTH), (bottom, left)]
        else:
            corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
        polygons.append(np.array(corners))
    return polygons


def _show_bars(
    viewer: ViewerModel, attribution: Attribution, references: Sequence[Layer], placement: Placement
) -> Shapes:
    importance = dict(attribution.channel_importance)
    stains = sorted(importance, key=lambda stain: -importance[stain] if math.isfinite(importance[stain]) else math.inf)
    spread = [attribution.channel_spread.get(stain) for stain in stains]
    features = {
        "stain": stains,
        "importance": [importance[stain] for stain in stains],
        "spread": [math.nan if value is None else value for value in spread],
        "label": [bar_label(stain, importance[stain], value) for stain, value in zip(stains, spread, strict=True)],
    }
    polygons = bar_shapes(features["importance"])
    colors = bar_colors(stains, references)
    layer = _find(viewer, "importance")
    if layer is None:
        layer = viewer.add_shapes(
            polygons,
            shape_type="polygon",
            name=_BARS,
            features=features,
            face_color=colors,
            edge_color="#80808080",
            edge_width=0.0,
            text={
                "string": "{label}",
                "anchor": "upper_left",
                "translation": [-0.06, 0],
                "size": 12,
                "visible": False,
            },
            opacity=1.0,
            blending="translucent_no_depth",
            units=placement.keywords["units"],
            axis_labels=placement.keywords["axis_labels"],
        )
        layer.editable = False
    else:
        # napari draws texts as soon as the data change: they must have their features by then.
        layer.text.visible = False
        layer.data = [(polygon, "polygon") for polygon in polygons]
        layer.features = features
        layer.face_color = colors
        layer.edge_color = "#80808080"
        layer.edge_width = [0.0] * len(polygons)
        layer.units, layer.axis_labels = placement.keywords["units"], placement.keywords["axis_labels"]
        layer.text.refresh(layer.features)
        _rename(layer, _BARS)
    layer.metadata = {
        **layer.metadata,
        **_metadata("importance", _BARS, attribution),
        "meaning": attribution.importance_meaning,
    }
    LegibleBars.keep(viewer, layer).place(references, placement, len(stains))
    return layer


def _label_bars(viewer: ViewerModel) -> None:
    """Show the labels: a step of its own, because drawing the first letters takes napari a tenth of a second."""
    if (layer := _find(viewer, "importance")) is not None:
        layer.text.visible = True


def viewer_shows(viewer: ViewerModel, layer: Layer) -> bool:
    """Whether all of a layer lies within the canvas."""
    extent = layer.extent.world[:, -2:]
    height, width = viewer.canvas.size
    half = np.array([height, width]) / max(viewer.scene.camera.zoom, 1e-9) / 2
    center = np.asarray(viewer.scene.camera.center[-2:])
    return bool((extent[0] >= center - half).all() and (extent[1] <= center + half).all())


class LegibleBars:
    """Keeps the bars readable at every zoom.

    Labels have a size on the screen, bars one in the world; far out, the labels of neighbouring bars would run into
    each other. So the bars grow against the zoom as soon as a row would be lower than its label needs, and the labels
    grow with the rows (up to a point) where there is room.
    """

    def __init__(self, viewer: ViewerModel, layer: Shapes) -> None:
        self.viewer, self.layer = viewer, layer
        self._anchor = np.zeros(2)
        self._pitch = 1.0
        self._left = 0.0
        self.awake = True
        viewer.scene.camera.events.zoom.connect(self.update)
        viewer.events.theme.connect(self._ink)
        viewer.layers.events.removed.connect(self._removed)

    @classmethod
    def keep(cls, viewer: ViewerModel, layer: Shapes) -> LegibleBars:
        """The keeper of this layer; one, however often it is asked for."""
        # The layer owns its keeper: they go together, and napari's events hold on to neither.
        keeper = getattr(layer, "_napari_attribution_keeper", None)
        if keeper is None or not keeper.awake or keeper.viewer is not viewer:
            keeper = layer._napari_attribution_keeper = cls(viewer, layer)
        return keeper

    def place(self, references: Sequence[Layer], placement: Placement, rows: int) -> None:
        """Beside the right edge of the well, its top row at the well's top."""
        height, width = (side * scale for side, scale in zip(placement.shape, placement.scale, strict=True))
        corner = np.asarray(placement.keywords.get("translate", (0.0, 0.0)), dtype=float)
        if references:
            box = references[0].extent.world[:, -2:]
            corner = box[0]
            height, width = box[1] - box[0]
        self._pitch = height / max(rows, 7)
        self._anchor = corner + np.array([0.0, width])
        self._left = min(0.0, float(min(polygon[:, 1].min() for polygon in bar_shapes(self._importances))))
        self._ink()
        self.update()

    @property
    def _importances(self) -> list[float]:
        return self.layer.features["importance"].tolist() or [0.0]

    def update(self, _event: object = None) -> None:
        """Fit the size of the rows and of the labels to the zoom."""
        zoom = max(float(self.viewer.scene.camera.zoom), 1e-9)
        pitch = max(self._pitch, LEAST_PITCH_PX / zoom)
        size = float(np.clip(0.2 * pitch * zoom, 9.0, 13.0))
        gap = max(0.5 * self._pitch, 14.0 / zoom)
        if not np.allclose(self.layer.scale, pitch):
            self.layer.scale = (pitch, pitch)
        translate = self._anchor + np.array([0.0, gap - self._left * pitch])
        if not np.allclose(self.layer.translate, translate):
            self.layer.translate = translate
        if abs(self.layer.text.size - size) > 0.25:
            self.layer.text.size = size

    def _ink(self, _event: object = None) -> None:
        """Labels in black or white, whichever the canvas is not."""
        try:
            red, green, blue = get_theme(self.viewer.theme).canvas.as_rgb_tuple()[:3]
        except (KeyError, ValueError):
            red = green = blue = 0
        self.layer.text.color = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 127 else "white"

    def _removed(self, event: Any) -> None:
        if event.value is not self.layer:
            return
        self.viewer.scene.camera.events.zoom.disconnect(self.update)
        self.viewer.events.theme.disconnect(self._ink)
        self.viewer.layers.events.removed.disconnect(self._removed)
        self.awake = False
