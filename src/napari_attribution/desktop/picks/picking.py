"""Picking: from a click to an answer about one cell. No widget, so that it runs on a `ViewerModel` in a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Layer

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.question import Question
from napari_attribution.desktop.jobs import Report
from napari_attribution.desktop.layers.bars import drop_faint_bars
from napari_attribution.desktop.layers.picks import picks_layer, put_pick, show_outline
from napari_attribution.desktop.picks import aim, cells, outlines
from napari_attribution.desktop.picks.asking import Desk, PickQuestion, ValuesQuestion
from napari_attribution.desktop.picks.rounds import GoingRound
from napari_attribution.desktop.picks.spots import FrozenLabels, Spot
from napari_attribution.desktop.picks.state import NO_CELLS, PickState
from napari_attribution.desktop.picks.table import row_of, same_pick, spot_of
from napari_attribution.desktop.wells_from_layers import OpenWell, pixel_size
from napari_attribution.errors import AttributionError, WellError

if TYPE_CHECKING:
    from napari_attribution.methods.answers.explained import Explained

FIELD_SHARE = 8
"""Of a whole field, a square about the pointer is this part of its longer side."""


class Picks(GoingRound):
    """All that picking does.

    Parameters
    ----------
    controller : Controller
    idle : callable, optional
        Makes a call once nobody has clicked for a moment; soon, where none is given.
    """

    def __init__(self, controller: Controller, idle: Callable[[Callable[[], None]], None] | None = None) -> None:
        self.controller, self.viewer = controller, controller.viewer
        self.state = PickState()
        self.desk = Desk()
        self.closed = False
        self._objects: dict[int, int] = {}
        self._counted: list[tuple[Labels, Any]] = []
        self._numbers = self._serial = 0
        self.idle = idle or controller.later
        self._selecting = False
        controller.answered.append(self._answered)

    def close(self) -> None:
        """Let go of the viewer; what is under way is dropped."""
        self.closed = True
        self.desk.clear()
        if self._answered in self.controller.answered:
            self.controller.answered.remove(self._answered)

    def say(self, sentence: str) -> None:
        """A sentence in the bar; empty to take it away."""
        if sentence != self.state.said:
            self.state.said = sentence
            self.controller.changed()

    # ----------------------------------------------------------------------------------------------------- cells

    def look_around(self) -> None:
        """Find the layers that mark cells; to be called whenever anything may have changed. Counts objects in the worker."""
        state, well = self.state, self.controller.state.well
        if not self.controller.state.explaining:
            drop_faint_bars(self.viewer)
        if self.controller.state.classifier is None or well is None:
            self.desk.clear()
        state.layers = () if well is None or well.problem else tuple(cells.cell_layers(self.viewer, well.layers[0]))
        if state.chosen is not NO_CELLS and state.chosen not in state.layers:
            state.chosen = None
        known = [(layer, cells.full(layer)) for layer in state.layers]
        if [(id(a), id(b)) for a, b in known] != [(id(a), id(b)) for a, b in self._counted]:
            self._counted = known
            self._count(known)
        if state.chosen is NO_CELLS:
            state.cells = None
        else:
            state.cells = state.chosen or cells.preferred(state.layers, self._objects)

    def _count(self, known: Sequence[tuple[Labels, Any]]) -> None:
        images = [(id(layer), data) for layer, data in known]

        def work(_report: Report) -> dict[int, int]:
            return {key: cells.count_objects(data) for key, data in images}

        def done(found: dict[int, int]) -> None:
            self._objects = found
            self.controller.changed()

        self._objects = {}
        if images:
            self.controller.jobs.start("count cells", work, done, lambda _failure: None)

    def choose_cells(self, layer: Any) -> None:
        """A Labels layer, or `NO_CELLS`."""
        self.state.chosen = layer
        self.look_around()
        self.controller.changed()

    # ---------------------------------------------------------------------------------------------------- squares

    @property
    def unit(self) -> tuple[str, float]:
        """The unit of the square's side, and the height of a pixel in it."""
        well = self.controller.state.well
        size = pixel_size(well.layers[0]) if well is not None and not well.problem else None
        return ("µm", float(np.sqrt(size[0] * size[1]))) if size else ("px", 1.0)

    @property
    def usual_side(self) -> int:
        """In pixels of the well: what the classifier looks at at once, of a whole field an eighth."""
        state = self.controller.state
        card = state.classifier.card if state.classifier is not None else None
        if card is not None and card.mode in ("tiles", "cells") and card.size is not None:
            return max(card.size)
        shape = aim.shape_of(state.well) if state.well is not None and not state.well.problem else (0, 0)
        return max(1, round(max(shape) / FIELD_SHARE))

    @property
    def side(self) -> int:
        """Of a square, in pixels of the well."""
        given = self.state.side
        return self.usual_side if given is None else max(1, round(given / self.unit[1]))

    def choose_side(self, side: float | None) -> None:
        """Of a square, in the unit of the bar; None for the usual one."""
        self.state.side = side
        self.controller.changed()

    # ----------------------------------------------------------------------------------------------------- asking

    def missing(self) -> str:
        """What has to be put right before anything can be picked; empty where nothing has."""
        now = self.controller.status
        parts = (now.well, now.classifier, now.stains, now.check, now.method)
        blocking = [part for part in parts if part.level in ("wrong", "todo", "busy")]
        if not blocking:
            return ""
        return next((part.sentence for part in blocking if part.sentence), "") or "Wait until the well was looked at."

    def pick(self, position: Sequence[float]) -> None:
        """Explain what lies at a point of the world."""

        def spot(well: OpenWell) -> Spot:
            row, column = aim.pixel_at(self.viewer, well, position)
            return Spot(row, column, self.side)

        self._begin(spot)

    def pick_region(self, start: Sequence[float], end: Sequence[float]) -> None:
        """Explain the rectangle between two points of the world."""

        def spot(well: OpenWell) -> Spot:
            corners = aim.corners_of(self.viewer, well, start, end)
            row, column = np.mean(corners, axis=0)
            return Spot(float(row), float(column), corners=corners)

        self._begin(spot)

    def _begin(self, make: Callable[[OpenWell], Spot], target: str | None = None, index: int | None = None) -> None:
        """Ask about a spot; `index` is the row of the table that it is in already."""
        if missing := self.missing():
            self.say(missing)
            return
        well = self.controller.state.well
        assert well is not None
        try:
            spot = make(well)
            labels = self._labels(spot, index)
            plain = self.controller.question()
        except AttributionError as error:
            self.say(str(error))
            return
        self._ask(self._question(plain, spot, labels, target, coarse=True), labels, index)

    def _labels(self, spot: Spot, index: int | None) -> FrozenLabels | None:
        """The label image to look the spot up in: for one that was picked before, the one of then."""
        well, layer = self.controller.state.well, self.state.cells
        assert well is not None
        if index is not None and spot.label is not None:
            name = str(self._row(index)["cells"])
            layer = next((one for one in self.state.layers if one.name == name), None)
            if layer is None:
                raise WellError(
                    f"The layer {name}, in which cell {spot.label} was picked, is not over this well any more. Open it again, or "
                    "pick the cell anew."
                )
        return cells.freeze(self.viewer, layer, well.layers[0]) if layer is not None else None

    def _question(
        self, plain: Question, spot: Spot, labels: FrozenLabels | None, target: str | None, coarse: bool
    ) -> PickQuestion:
        state = self.controller.state
        own_class = plain.classifier.card.mode == "cells"
        predicted = state.checked.predicted if state.checked is not None and not own_class else None
        asked = {one.name: getattr(plain, one.name) for one in fields(Question)}
        # The place says where the cell is; the other cells are not asked about.
        asked |= {"cells": None, "target": target or plain.target or predicted}
        return PickQuestion(**asked, spot=spot, labels=labels, desk=self.desk, coarse=coarse)

    def _ask(self, question: PickQuestion, labels: FrozenLabels | None, index: int | None) -> None:
        """First the map, then what the stains count for in it, then both by the method that the dock has chosen."""
        controller, well = self.controller, self.controller.state.well
        assert well is not None
        cells_now = [layer for layer in self.state.layers if labels is not None and layer.name == labels.name]
        overtaken = aim.overtaken(controller, well, cells_now)
        spot, coarse = question.spot, question.coarse

        def noted(found: Explained) -> None:
            nonlocal index
            if not self.closed:
                index = self._note(found, well, index)

        def mapped(found: Explained) -> None:
            if any(found.attribution.channel_importance.values()):
                valued(found)
                return
            plain = question.settled(found)
            if controller.jobs.busy("explain") or self.closed:
                return
            own = {one.name: getattr(plain, one.name) for one in fields(Question)}
            controller.ask(ValuesQuestion(**own, given=found), overtaken, valued, brief=True)

        def valued(found: Explained) -> None:
            noted(found)
            if not controller.jobs.busy("explain"):
                refine(found)

        def refine(found: Explained) -> None:
            assert index is not None
            self._serial += 1
            self.idle(partial(self._refine, self._serial, spot, labels, found.attribution.target, index))

        self._serial += 1
        self.state.said = ""
        controller.ask(question, overtaken, mapped if coarse else noted, brief=coarse)
        if coarse:
            self.idle(partial(self._waiting, self._serial))

    def _waiting(self, serial: int) -> None:
        """Say that something is under way, where it takes longer than it should."""
        if serial == self._serial and self.controller.state.explaining and not self.controller.closed:
            self.controller.state.brief = False
            self.controller.changed()

    def _refine(self, serial: int, spot: Spot, labels: FrozenLabels | None, target: str, index: int) -> None:
        """The same again by the method that the dock has chosen, unless something else was asked meanwhile."""
        overtaken = serial != self._serial or self.controller.jobs.busy("explain")
        if self.closed or self.controller.closed or overtaken or self.missing():
            return
        plain = self.controller.question()
        self._ask(self._question(plain, spot, labels, target, coarse=False), labels, index)

    # ---------------------------------------------------------------------------------------------------- answers

    def _note(self, found: Explained, well: OpenWell, index: int | None) -> int:
        """Keep an answered pick in the table; returns its row there."""
        attribution, reference = found.attribution, well.layers[0]
        layer = picks_layer(self.viewer)
        number = self._numbers + 1
        row = row_of(attribution, well.name, number)
        rows = [] if layer is None else layer.features.to_dict("records")
        if index is None:
            index = next((i for i, other in enumerate(rows) if spot_of(other) and same_pick(row, other)), None)
        if index is not None and index < len(rows) and rows[index].get("pick"):
            row["pick"] = number = int(rows[index]["pick"])
        at = reference._data_to_world.set_slice([-2, -1])((row["row"], row["column"]))
        index = put_pick(self.viewer, reference, np.asarray(at), row, index)
        self._numbers, self.state.shown = max(self._numbers, number), number
        self._select(index)
        self._watch_selection()
        # A turn of its own, after that of the dock: all at once would keep the window from answering.
        self.controller.later(partial(self.controller.later, partial(self._outline, found, reference)))
        return index

    def _outline(self, found: Explained, reference: Layer) -> None:
        """Outline the place that an answer is about, while it is shown."""
        attribution = found.attribution
        if self.closed or self.controller.state.answer is not attribution:
            return
        assert attribution.place is not None
        corners = outlines.in_world(attribution.place, attribution.record["pick"]["kind"], reference)
        show_outline(self.viewer, reference, corners)

    def _answered(self, found: Explained) -> None:
        """An answer about the whole well takes the outline away."""
        if found.attribution.place is None:
            self.state.shown = None
            well = self.controller.state.well
            if well is not None:
                show_outline(self.viewer, well.layers[0], ())
