"""The importance bars: one Shapes layer beside the well, legible at any zoom."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer, Shapes
from napari.utils.colormaps import Colormap
from napari.utils.theme import get_theme

from napari_attribution.desktop.layers.known import ROLE, Placement, find, layer_metadata, rename
from napari_attribution.desktop.layers.wells import stain_colors
from napari_attribution.methods.attribution import Attribution

_BARS = "channel importance"


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


def as_hex(color: np.ndarray) -> str:
    """ "#rrggbb"."""
    return "#{:02x}{:02x}{:02x}".format(*(255 * color[:3]).round().astype(int))


def bar_hex(stains: Sequence[str], references: Sequence[Layer]) -> dict[str, str]:
    """The same as `bar_colors` by stain, as "#rrggbb"."""
    return {stain: as_hex(color) for stain, color in zip(stains, bar_colors(stains, references), strict=True)}


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


FAINT = 0.25
"""Opacity of bars that wait for their values."""

_WAITING = "waiting"
"""Key of the bars' metadata while they do."""


def show_bars(viewer: ViewerModel, attribution: Attribution, references: Sequence[Layer], placement: Placement) -> None:
    """Bars for the stains' importance, without their labels."""
    for step in bar_steps(viewer, attribution, references, placement):
        step()


def bar_steps(
    viewer: ViewerModel, attribution: Attribution, references: Sequence[Layer], placement: Placement
) -> tuple[Callable[[], None], Callable[[], None]]:
    """`show_bars` as two calls of some hundredths of a second each; between them the bars are faint."""
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

    def shape() -> None:
        layer = find(viewer, "importance")
        if layer is None:
            _add_bars(viewer, polygons, features, placement)
            return
        layer.opacity = FAINT
        # napari draws texts as soon as the data change: they must have their features by then.
        layer.text.visible = False
        layer.data = [(polygon, "polygon") for polygon in polygons]

    def dress() -> None:
        layer = find(viewer, "importance")
        if layer is None or len(layer.data) != len(polygons):
            # Deleted or changed by the user between the two.
            return
        layer.features = features
        layer.face_color = bar_colors(stains, references)
        layer.edge_color = "#80808080"
        layer.edge_width = [0.0] * len(polygons)
        layer.units, layer.axis_labels = placement.keywords["units"], placement.keywords["axis_labels"]
        layer.text.refresh(layer.features)
        if layer.opacity == FAINT:
            layer.opacity = 1.0
        rename(layer, _BARS)
        layer.metadata = {
            **layer.metadata,
            **layer_metadata("importance", _BARS, attribution),
            "meaning": attribution.importance_meaning,
            _WAITING: False,
        }
        LegibleBars.keep(viewer, layer).place(references, placement, len(stains))

    return shape, dress


def _add_bars(
    viewer: ViewerModel, polygons: Sequence[np.ndarray], features: dict[str, Any], placement: Placement
) -> None:
    layer = viewer.add_shapes(
        polygons,
        shape_type="polygon",
        name=_BARS,
        features=features,
        edge_width=0.0,
        text={
            "string": "{label}",
            "anchor": "upper_left",
            "translation": [-0.06, 0],
            "size": 12,
            "visible": False,
        },
        opacity=FAINT,
        blending="translucent_no_depth",
        units=placement.keywords["units"],
        axis_labels=placement.keywords["axis_labels"],
        metadata={ROLE: "importance"},
    )
    layer.editable = False


def fade_bars(viewer: ViewerModel) -> None:
    """The bars of an earlier answer, while those of this one are computed."""
    if (layer := find(viewer, "importance")) is not None and not layer.metadata.get(_WAITING):
        layer.metadata[_WAITING] = True
        layer.opacity = FAINT


def drop_faint_bars(viewer: ViewerModel) -> None:
    """Take bars away whose values never came."""
    if (layer := find(viewer, "importance")) is not None and layer.metadata.get(_WAITING):
        viewer.layers.remove(layer)


def label_bars(viewer: ViewerModel) -> None:
    """Show the labels: a step of its own, because drawing the first letters takes napari a tenth of a second."""
    if (layer := find(viewer, "importance")) is not None:
        layer.text.visible = True


def show_bars_again(viewer: ViewerModel, attribution: Attribution, references: Sequence[Layer]) -> None:
    """Show the bars, with the stains' importance of this answer; they are made where the user deleted them."""
    show_bars(viewer, attribution, references, Placement.of(references, attribution))
    if (layer := find(viewer, "importance")) is not None:
        layer.visible = True
    label_bars(viewer)


def renew_bars(viewer: ViewerModel, attribution: Attribution, references: Sequence[Layer]) -> None:
    """Bars that are there show the stains' importance of this answer, in the stains' colours of now."""
    if find(viewer, "importance") is not None:
        show_bars(viewer, attribution, references, Placement.of(references, attribution))
        label_bars(viewer)


def hide_bars(viewer: ViewerModel) -> None:
    """The bars stay among the layers, unseen."""
    if (layer := find(viewer, "importance")) is not None:
        layer.visible = False


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
