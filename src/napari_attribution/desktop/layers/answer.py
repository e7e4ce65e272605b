"""An answer as a fixed set of layers: the map, one map a stain and the importance bars where they are asked for.

Asking again changes these layers in place, so that a viewer holds one answer however often it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_attribution.desktop.explain.words import why
from napari_attribution.desktop.layers.bars import bar_steps, fade_bars, label_bars, viewer_shows
from napari_attribution.desktop.layers.known import ROLE, Placement, find, of_an_answer
from napari_attribution.desktop.layers.maps import robust_limit, show_color_bar, show_map
from napari_attribution.methods.attribution import Attribution
from napari_attribution.methods.choice.catalogue import ALL


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
        The map, the maps by stain, the bars; without bars where the stains' values were not asked for.
    """
    for step in attribution_steps(viewer, attribution, references, per_stain):
        step()
    roles = ["map", *(f"map of {stain}" for stain in attribution.stains), "importance"]
    return [layer for role in roles if (layer := find(viewer, role)) is not None]


def attribution_steps(
    viewer: ViewerModel,
    attribution: Attribution,
    references: Sequence[Layer] = (),
    per_stain: bool = False,
    pending: bool = False,
) -> list[Any]:
    """`show_attribution` as calls that each take a few hundredths of a second, so that the window keeps answering.

    `pending` says that the stains' values are still to come: bars that are there wait for them, faintly.
    """
    placement = Placement.of(references, attribution)
    method = ALL[attribution.method].title if attribution.method in ALL else attribution.method
    maps = attribution.per_stain if per_stain else {}
    # Five bars of 0 % would look like an answer where none was asked for.
    valued = any(attribution.channel_importance.values())
    wanted = {"map", *(["importance"] if valued or pending else []), *(f"map of {stain}" for stain in maps)}
    for layer in [layer for layer in viewer.layers if of_an_answer(layer) and layer.metadata[ROLE] not in wanted]:
        viewer.layers.remove(layer)

    # The maps by stain share one scale: they are there to be compared.
    shared = robust_limit(maps.values()) if maps else 0.0
    steps = [
        lambda stain=stain, values=values: show_map(
            viewer,
            f"map of {stain}",
            f"{why(attribution)} - {stain}",
            values,
            shared,
            placement,
            attribution,
            visible=False,
        )
        for stain, values in maps.items()
    ]
    steps.append(
        lambda: show_map(
            viewer,
            "map",
            f"{why(attribution)} - {method}",
            attribution.map,
            robust_limit([attribution.map]),
            placement,
            attribution,
        )
    )
    steps += [
        lambda role=role: show_color_bar(viewer, role)
        for role in ("map", *(f"map of {stain}" for stain in maps))
        if find(viewer, role) is None
    ]
    if pending and not valued:
        wanted.discard("importance")
        steps.append(lambda: fade_bars(viewer))
    if valued:
        steps += bar_steps(viewer, attribution, references, placement)
        steps.append(lambda: label_bars(viewer))
    if any(find(viewer, role) is None for role in wanted):
        steps.append(lambda: _arrange(viewer))
    return steps


def _arrange(viewer: ViewerModel) -> None:
    """New layers: the bars on top, under them the map, then the maps by stain; the map chosen, all of it in view."""
    top, bars = find(viewer, "map"), find(viewer, "importance")
    if top is None:
        # Deleted by the user between two steps.
        return
    for layer in (top, bars):
        if layer is not None:
            viewer.layers.move(viewer.layers.index(layer), len(viewer.layers))
    if bars is not None and not viewer_shows(viewer, bars):
        viewer.fit_to_view()
    viewer.layers.selection.active = top
