"""Picking: from a click to an answer about one cell. No widget, so that it runs on a `ViewerModel` in a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Layer

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.offering import on_offer
from napari_attribution.desktop.explain.question import Question
from napari_attribution.desktop.jobs import Report
from napari_attribution.desktop.layers.bars import drop_faint_bars
from napari_attribution.desktop.layers.picks import picks_layer, put_pick, select_pick, show_outline
from napari_attribution.desktop.picks import cells, outlines
from napari_attribution.desktop.picks.asking import Desk, PickQuestion, ValuesQuestion
from napari_attribution.desktop.picks.spots import FrozenLabels, Spot
from napari_attribution.desktop.picks.table import row_of, same_pick, spot_of
from napari_attribution.desktop.wells_from_layers import OpenWell, pixel_size
from napari_attribution.errors import AttributionError, WellError

if TYPE_CHECKING:
    from napari_attribution.methods.explain import Explained

FIELD_SHARE = 8
"""Of a whole field, a square about the pointer is this part of its longer side."""

OUTSIDE = "The pointer is not over the well. Click on a cell in the image."
NO_CELLS: Any = "none"
"""Chosen instead of a layer: a square about the pointer."""


@dataclass
class PickState:
    """What the bar shows.

    Parameters
    ----------
    on : bool
        Whether every click picks; Shift+click always does.
    layers : tuple of Labels
        Those that lie over the well.
    chosen : Labels, `NO_CELLS` or None
        What the user chose; None for nothing.
    cells : Labels, optional
        The layer in use.
    side : float, optional
        Of the square, in um or pixels, where the user gave one.
    shown : int, optional
        The number of the pick that is shown.
    said : str
        What went wrong last, or is to be known.
    """

    on: bool = False
    layers: tuple[Labels, ...] = ()
    chosen: Any = None
    cells: Labels | None = None
    side: float | None = None
    shown: int | None = None
    said: str = ""


class Picks:
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
        shape = _shape(state.well) if state.well is not None and not state.well.problem else (0, 0)
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

    def pixel_at(self, position: Sequence[float]) -> tuple[float, float]:
        """Where in the well a point of the world lies.

        Raises
        ------
        WellError
            Where it does not, or the view does not show the well's plane.
        """
        well = self.controller.state.well
        assert well is not None
        if self.viewer.dims.ndisplay != 2:
            raise WellError(
                "Picking needs the flat view. Turn the three-dimensional view off (the button with the cube)."
            )
        if tuple(self.viewer.dims.displayed) != tuple(range(self.viewer.dims.ndim))[-2:]:
            raise WellError(
                "The view is turned, so that it does not show the well's plane. Set the order of the axes back, then pick."
            )
        row, column = (float(x) for x in well.layers[0].world_to_data(np.asarray(position, dtype=float))[-2:])
        height, width = _shape(well)
        if not (-0.5 <= row < height - 0.5 and -0.5 <= column < width - 0.5):
            raise WellError(OUTSIDE)
        return row, column

    def pick(self, position: Sequence[float]) -> None:
        """Explain what lies at a point of the world."""

        def spot() -> Spot:
            row, column = self.pixel_at(position)
            return Spot(row, column, self.side)

        self._begin(spot)

    def pick_region(self, start: Sequence[float], end: Sequence[float]) -> None:
        """Explain the rectangle between two points of the world."""

        def spot() -> Spot:
            well = self.controller.state.well
            assert well is not None
            try:
                self.pixel_at(start)
            except WellError as error:
                if str(error) != OUTSIDE:
                    raise
            turned = [well.layers[0].world_to_data(corner)[-2:] for corner in rectangle(start, end)]
            corners = tuple((float(row), float(column)) for row, column in turned)
            row, column = np.mean(corners, axis=0)
            return Spot(float(row), float(column), corners=corners)

        self._begin(spot)

    def _begin(self, make: Callable[[], Spot], target: str | None = None, index: int | None = None) -> None:
        """Ask about a spot; `index` is the row of the table that it is in already."""
        if missing := self.missing():
            self.say(missing)
            return
        try:
            spot = make()
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
        overtaken = self._overtaken(well, labels)
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
            self.controller.changed()

    def _refine(self, serial: int, spot: Spot, labels: FrozenLabels | None, target: str, index: int) -> None:
        """The same again by the method that the dock has chosen, unless something else was asked meanwhile."""
        overtaken = serial != self._serial or self.controller.jobs.busy("explain")
        if self.closed or self.controller.closed or overtaken or self.missing():
            return
        plain = self.controller.question()
        self._ask(self._question(plain, spot, labels, target, coarse=False), labels, index)

    def _overtaken(self, well: OpenWell, labels: FrozenLabels | None) -> Callable[[], str]:
        """Says, when an answer comes, whether well and cells are still where and what they were."""
        layers = list(well.layers)
        if labels is not None:
            layers += [layer for layer in self.state.layers if layer.name == labels.name]
        before = [(layer, layer.data, _matrix(layer)) for layer in layers]

        def changed() -> str:
            now = self.controller.state.well
            if now is None or now.key != well.key or any(layer not in self.viewer.layers for layer, _, _ in before):
                return "The well was closed, or another one chosen, before the answer came. Pick again."
            for layer, data, matrix in before:
                if layer.data is not data or not np.array_equal(_matrix(layer), matrix):
                    return f"The layer {layer.name} was changed or moved before the answer came. Pick again."
            return ""

        return changed

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
        assert attribution.place is not None
        show_outline(
            self.viewer, reference, outlines.in_world(attribution.place, attribution.record["pick"]["kind"], reference)
        )
        self._watch_selection()
        return index

    def _answered(self, found: Explained) -> None:
        """An answer about the whole well takes the outline away."""
        if found.attribution.place is None:
            self.state.shown = None
            well = self.controller.state.well
            if well is not None:
                show_outline(self.viewer, well.layers[0], ())

    # ------------------------------------------------------------------------------------------------ going round

    def _row(self, index: int) -> dict[str, Any]:
        layer = picks_layer(self.viewer)
        assert layer is not None
        return layer.features.iloc[index].to_dict()

    def _select(self, index: int) -> None:
        self._selecting = True
        select_pick(self.viewer, index)
        self._selecting = False

    def _watch_selection(self) -> None:
        layer = picks_layer(self.viewer)
        if layer is not None:
            # Connecting again what is connected already changes nothing.
            layer.selected_data.events.items_changed.connect(self._selected)

    def _selected(self, _event: object = None) -> None:
        """A point that the user selects is shown again."""
        layer = picks_layer(self.viewer)
        if layer is not None and not self._selecting and not self.closed and len(layer.selected_data) == 1:
            self.show(next(iter(layer.selected_data)))

    def show(self, index: int) -> None:
        """Show a pick again: the same cell, the same class."""
        row = self._row(index)
        spot, well = spot_of(row), self.controller.state.well
        if spot is None:
            self.say("This point was not picked: the table does not say which place it stands for.")
            return
        if well is not None and row["well"] != well.name:
            self.say(f"Pick {row['pick']} lies in the well {row['well']}. Choose that well above to see it again.")
            return
        classifier = self.controller.state.classifier
        target = str(row["class"])
        if classifier is not None and target not in classifier.classes:
            self.say(f"Pick {row['pick']} is about {target}, which this classifier does not know.")
            return
        self._begin(lambda: spot, target, index)

    @property
    def count(self) -> int:
        """How many picks there are."""
        layer = picks_layer(self.viewer)
        return 0 if layer is None else len(layer.data)

    def step(self, by: int) -> None:
        """Show the next pick, or the one before; round and round."""
        layer = picks_layer(self.viewer)
        rows = [] if layer is None else [i for i, row in enumerate(layer.features.to_dict("records")) if spot_of(row)]
        if not rows:
            self.say("Nothing was picked yet. Shift+click on a cell.")
            return
        numbers = [int(self._row(index)["pick"]) for index in rows]
        if self.state.shown in numbers:
            following = (numbers.index(self.state.shown) + by) % len(rows)
        else:
            following = 0 if by > 0 else len(rows) - 1
        self._select(rows[following])
        self.show(rows[following])

    def next_method(self) -> None:
        """Choose the next method on offer; a pick that is shown is explained by it."""
        state = self.controller.state
        names = [one.method.name for one in on_offer(state) if one.possible]
        if not names:
            return
        following = names[(names.index(state.method) + 1) % len(names)] if state.method in names else names[0]
        self.controller.set(method=following)
        layer = picks_layer(self.viewer)
        if self.state.shown is None or layer is None:
            return
        numbers = list(layer.features["pick"])
        if self.state.shown in numbers:
            self.show(numbers.index(self.state.shown))

    @property
    def away(self) -> bool:
        """Whether something else than the whole well is shown."""
        answer = self.controller.state.answer
        return answer is not None and answer.place is not None

    def back(self) -> None:
        """To the whole well: its last answer where there is one, else a new one."""
        state = self.controller.state
        self._serial += 1
        self.controller.cancel()
        known, well = state.whole, state.well
        if known is not None and well is not None and not self.missing():
            found, question = known
            plain = self.controller.question()
            same = question.classifier is plain.classifier and question.target == plain.target
            same = same and all(a is b for a, b in zip(question.well.planes, plain.well.planes, strict=False))
            if same and len(question.well.planes) == len(plain.well.planes):
                self.controller.show(found, question, well.layers)
                return
        self.controller.explain()


def rectangle(start: Sequence[float], end: Sequence[float]) -> np.ndarray:
    """The four corners of a rectangle in the plane that is seen, each a point of the world."""
    (a, b), (c, d) = np.asarray(start, dtype=float)[-2:], np.asarray(end, dtype=float)[-2:]
    before = np.asarray(start, dtype=float)[:-2]
    return np.array([[*before, *corner] for corner in ((a, b), (a, d), (c, d), (c, b))])


def _shape(well: OpenWell) -> tuple[int, int]:
    layer = well.layers[0]
    data = layer.data[0] if layer.multiscale else layer.data
    return int(data.shape[-2]), int(data.shape[-1])


def _matrix(layer: Layer) -> np.ndarray:
    return np.asarray(layer._data_to_world.affine_matrix)
