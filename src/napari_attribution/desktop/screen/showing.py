"""The well that is open: read in the worker, shown in layers that stay from well to well; and the thumbnails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.jobs import Failure, Jobs, Report
from napari_attribution.desktop.layers.heat import place_heat
from napari_attribution.desktop.layers.known import find
from napari_attribution.desktop.layers.plate import (
    MONTAGE,
    field_layers,
    look_at,
    show_answer,
    show_field,
    show_montage,
)
from napari_attribution.desktop.layers.wells import well_layer_tuples
from napari_attribution.desktop.screen import montage
from napari_attribution.desktop.screen.state import State
from napari_attribution.desktop.torch_import import import_torch
from napari_attribution.desktop.wells_from_layers import find_wells
from napari_attribution.errors import AttributionError
from napari_attribution.methods.attribution import Attribution

if TYPE_CHECKING:
    from napari_attribution.screens.results import Results

SHOW, DRAW = "show field", "montage"
"""Kinds of jobs."""

IN_A_ROW = 4


@dataclass(frozen=True, eq=False)
class Seen:
    """What the worker found of a field.

    Parameters
    ----------
    tuples : list
        Its stains, as layers are made of them; empty where the pixels cannot be read.
    answer : Attribution, optional
        None where the field could not be explained.
    has_map : bool
    trouble : str
        What is not to be seen, and why.
    """

    tuples: list[Any]
    answer: Attribution | None
    has_map: bool
    trouble: str


class Showing:
    """Shows a field of the plate, or thumbnails of many.

    Parameters
    ----------
    controller : Controller
    state : State
    jobs : Jobs
    changed : callable
    """

    def __init__(self, controller: Controller, state: State, jobs: Jobs, changed: Callable[[], None]) -> None:
        self._controller, self._state, self._jobs, self._changed = controller, state, jobs, changed
        self._viewer = controller.viewer

    def forget(self) -> None:
        """What is shown is of other results."""
        self._state.loading, self._state.trouble, self._state.montage = False, "", None
        if (layer := find(self._viewer, MONTAGE)) is not None:
            self._viewer.layers.remove(layer)

    def choose_field(self, number: int) -> None:
        """Show another field of the well."""
        self.show(self._state.current, number)

    def choose_method(self, method: str) -> None:
        """Show another method's map."""
        self._state.method = method
        if self._state.current:
            self.show(self._state.current, self._state.field)

    def show(self, well: str, field: int) -> None:
        """Read this field and show it; one that is being read already is dropped."""
        state = self._state
        results, method = state.results, state.method
        if results is None:
            return
        state.current, state.field, state.loading, state.trouble = well, field, True, ""

        def work(_report: Report) -> Seen:
            return look(results, well, field, method)

        def done(seen: Seen) -> None:
            state.loading, state.trouble = False, seen.trouble
            self._put(seen)
            self._changed()

        def failed(failure: Failure) -> None:
            state.loading, state.failure = False, failure
            self._changed()

        self._jobs.start(SHOW, work, done, failed)
        self._changed()

    def _put(self, seen: Seen) -> None:
        """The layers, and for the other docks the answer that they show."""
        viewer, controller = self._viewer, self._controller
        before = [layer.extent.world[:, -2:] for layer in field_layers(viewer)[:1]]
        layers = show_field(viewer, seen.tuples, self._state.keep_limits)
        own = controller.state
        own.answer, own.explained, own.asked, own.whole, own.run_error = seen.answer, None, None, None, None
        if seen.answer is not None:
            show_answer(viewer, seen.answer, layers, seen.has_map, self._state.keep_limits)
        else:
            _clear_answer(viewer)
        place_heat(viewer)
        shown = layers or [layer for layer in (find(viewer, "map"),) if layer is not None]
        if shown and (not before or not np.allclose(before[0], shown[0].extent.world[:, -2:]) or self._away()):
            bars = find(viewer, "importance")
            look_at(viewer, [*shown, *([bars] if bars is not None and bars.visible else [])])
        if layers:
            well = next((well for well in find_wells(viewer.layers) if well.layers[0] in layers), None)
            if well is not None and (own.well is None or own.well.key != well.key):
                controller.choose_well(well)
        controller.changed()

    def _away(self) -> bool:
        """Whether the camera looks at the thumbnails."""
        layer = find(self._viewer, MONTAGE)
        if layer is None or not layer.visible:
            return False
        low, high = layer.extent.world[:, -2:]
        center = np.asarray(self._viewer.scene.camera.center[-2:])
        return bool((low <= center).all() and (center <= high).all())

    # -------------------------------------------------------------------------------------------------- montage

    def draw(self, each: int) -> None:
        """Show thumbnails of the highest and the lowest wells of those that pass the filter."""
        state = self._state
        results, wells, column, method = state.results, state.wells, state.column, state.method
        if results is None or wells is None:
            return
        ranked = tuple(state.ranked)
        if not ranked:
            return
        columns = min(IN_A_ROW, each)

        def work(report: Report) -> montage.Montage:
            return montage.make(results, wells, ranked, each, column, method, columns, report)

        def done(made: montage.Montage) -> None:
            state.drawing, state.montage = False, made
            layer = show_montage(self._viewer, montage.captioned(made), *made.field)
            look_at(self._viewer, [layer])
            self._changed()

        def failed(failure: Failure) -> None:
            state.drawing, state.failure = False, failure
            self._changed()

        def progressed(done: int, total: int) -> None:
            state.progress = (done, total)
            self._changed()

        state.drawing, state.failure, state.progress = True, None, (0, len(montage.ends(ranked, each)))
        self._jobs.start(DRAW, work, done, failed, progressed)
        self._changed()

    def stop_drawing(self) -> None:
        """Stop; the thumbnails of before stay."""
        self._jobs.cancel(DRAW)
        self._state.drawing = False
        self._changed()

    def well_at(self, position: Any) -> str:
        """The well whose thumbnail is at a point of the world; empty where there is none."""
        layer, made = find(self._viewer, MONTAGE), self._state.montage
        if layer is None or made is None or not layer.visible:
            return ""
        row, column = np.asarray(layer.world_to_data(position))[-2:]
        return made.well_at(row + 0.5, column + 0.5)


def look(results: Results, well: str, field: int, method: str) -> Seen:
    """In the worker: what there is to see of a field; what there is not is said."""
    # What the answer is made of brings torch in.
    import_torch()
    from napari_attribution.screens.report.answers import answer_of, map_of

    table = results.table
    row = table[(table["well"] == well) & (table["field"] == field)].iloc[0].to_dict()
    troubles: list[str] = []
    tuples: list[Any] = []
    pixels = values = None
    try:
        pixels = results.read_field(well, field)
        tuples = well_layer_tuples(pixels)
    except AttributionError as error:
        troubles.append(f"The pixels are not to be seen: {error}")
    if isinstance(row["error"], str) and row["error"]:
        return Seen(tuples, None, False, " ".join(troubles))
    try:
        values = map_of(results.field_map(well, field), method)
    except AttributionError as error:
        troubles.append(f"The map is not to be seen: {error}")
    shape = values.shape if values is not None else (pixels.shape if pixels is not None else (1, 1))
    answer = answer_of(results, row, method, values if values is not None else np.zeros(shape, np.float32), pixels)
    return Seen(tuples, answer, values is not None, " ".join(troubles))


def _clear_answer(viewer: Any) -> None:
    """Nothing of the well before may be seen over one that has no answer."""
    from napari_attribution.desktop.layers.known import of_an_answer

    for layer in [layer for layer in viewer.layers if of_an_answer(layer)]:
        viewer.layers.remove(layer)
