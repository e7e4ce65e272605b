"""What the dock does: no widget, so that it runs on a `ViewerModel` in a test as it does in the window."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Points

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.desktop import layers as shown
from napari_attribution.desktop import sample
from napari_attribution.desktop.explain.answering import Answering
from napari_attribution.desktop.explain.loading import Loading
from napari_attribution.desktop.explain.question import FrozenCells, Look, Question
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.explain.status import Status, status
from napari_attribution.desktop.jobs import Failure, Jobs, Post, Report
from napari_attribution.desktop.layers.bars import bar_hex
from napari_attribution.desktop.layers.known import of_an_answer
from napari_attribution.desktop.layers.maps import recolor, relimit
from napari_attribution.desktop.preferences import on_change, preferences, within
from napari_attribution.desktop.warm_up import warm_up
from napari_attribution.desktop.wells_from_layers import OpenWell, find_wells
from napari_attribution.errors import AttributionError, DeviceError, OutputError
from napari_attribution.wells.well import Well

if TYPE_CHECKING:
    from napari_attribution.classifiers.preflight import Preflight
    from napari_attribution.wells.place import Place


class Controller:
    """The dock's state and what changes it.

    Parameters
    ----------
    viewer : ViewerModel
    post : callable
        Runs a call on the thread of the window, soon (see `Jobs`).

    Attributes
    ----------
    watchers : list of callables
        Called after every change of `state`.
    answered : list of callables
        Called with every new answer (`Explained`), as soon as its layers are there.
    """

    def __init__(self, viewer: ViewerModel, post: Post) -> None:
        self.viewer = viewer
        wanted = preferences()
        self.state = State(device=wanted.device, parameters=within(wanted.memory))
        self.jobs = Jobs(post)
        self.watchers: list[Callable[[], None]] = []
        self.loading = Loading(self.state, self.jobs, self.changed, self._settle)
        answering = Answering(viewer, self.state, self.jobs, self.changed, self._later)
        self.answered, self.ask, self.show = answering.answered, answering.ask, answering.show
        self.cancel = answering.cancel
        self._post = post
        self._scan_pending = False
        self._watched: WeakSet[Layer] = WeakSet()
        self.closed = False
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.reordered):
            event.connect(self._rescan)
        self._indifferent = on_change(self._prefers)
        self.scan()
        # Should it fail, napari imports these itself, later.
        self.jobs.start("warm up", lambda _progress: warm_up(), lambda _done: None, lambda _failure: None)

    @property
    def status(self) -> Status:
        return status(self.state)

    def changed(self) -> None:
        """Tell all who watch."""
        for watcher in tuple(self.watchers):
            watcher()

    def close(self) -> None:
        """Let go of the viewer, stop all work."""
        if self.closed:
            return
        self.closed = True
        events = self.viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.disconnect(self._rescan)
        for layer in self.viewer.layers:
            if layer in self._watched:
                layer.events.name.disconnect(self._rescan)
                layer.events.data.disconnect(self._data_changed)
        self._indifferent()
        self.watchers.clear()
        self.answered.clear()
        self.jobs.close()

    def _prefers(self, name: str) -> None:
        """The user prefers other colours or limits."""
        {"palette": recolor, "percentile": relimit}[name](self.viewer)
        self.changed()

    # ------------------------------------------------------------------------------------------------------ well

    def _rescan(self, _event: object = None) -> None:
        """Look at the layers once the burst of changes is over: a reader adds a well's layers one by one."""
        if not self._scan_pending and not self.closed:
            self._scan_pending = True
            self._post(self.scan)

    def scan(self) -> None:
        """Find the wells among the viewer's layers."""
        self._scan_pending = False
        if self.closed:
            return
        for layer in self.viewer.layers:
            if isinstance(layer, Image) and layer not in self._watched and not of_an_answer(layer):
                layer.events.name.connect(self._rescan)
                layer.events.data.connect(self._data_changed)
                self._watched.add(layer)
        wells = find_wells(self.viewer.layers)
        state, before = self.state, self.state.well
        state.wells = wells
        keys = {well.key: well for well in wells}
        if before is not None and before.key in keys:
            chosen: OpenWell | None = keys[before.key]
        else:
            # A well that has gained or lost a layer is still that well; else take the newest that can be explained.
            same = [well for well in wells if before is not None and set(well.key) & set(before.key)]
            chosen = next(iter(same), None) or next(
                (w for w in reversed(wells) if not w.problem), wells[-1] if wells else None
            )
        if state.cells is not None and state.cells not in self.viewer.layers:
            state.cells = None
        if _differs(before, chosen):
            self.choose_well(chosen)
        else:
            state.well = chosen
            self.changed()

    def _data_changed(self, event: Any) -> None:
        """Look again at a well whose pixels were exchanged."""
        well = self.state.well
        if well is not None and any(layer is event.source for layer in well.layers) and not self.closed:
            self._post(self.scan)
            self._post(self.check)

    def choose_well(self, well: OpenWell | None) -> None:
        self.state.well = well
        if well is not None:
            self.state.open_error = ""
        self._propose()
        self.check()

    def open_well(self, path: Path) -> None:
        """Read a well from a file and show it."""
        self._open(path.name, lambda: shown.well_layer_tuples(_read(path)))

    def try_sample(self) -> None:
        """Open the sample well, its cells and its classifier."""
        try:
            well, weights = sample.first_well(), sample.classifier()
        except OutputError as error:
            self.state.open_error = str(error)
            self.changed()
            return
        self._open(well.name, lambda: sample.with_cells(well))
        self.open_classifier(weights)

    def show_well(self, name: str, tuples: list[Any]) -> None:
        """Show the layers of a well that has been read already, and choose it."""
        self._open(name, lambda: tuples)

    def _open(self, name: str, layers: Callable[[], list[Any]]) -> None:
        def work(_report: Report) -> list[Any]:
            return layers()

        def done(tuples: list[Any]) -> None:
            add = {"image": self.viewer.add_image, "labels": partial(shown.show_cells, self.viewer)}
            self._later([partial(add[kind], data, **keywords) for data, keywords, kind in tuples], opened)

        def opened() -> None:
            self.state.opening = ""
            self.viewer.fit_to_view()
            newest = find_wells(self.viewer.layers)
            self.scan()
            if newest:
                self.choose_well(next((well for well in reversed(newest) if not well.problem), newest[-1]))

        def failed(failure: Failure) -> None:
            self.state.opening, self.state.open_error = "", failure.sentence
            self.changed()

        self.state.opening, self.state.open_error = name, ""
        self.jobs.start("open", work, done, failed)
        self.changed()

    # ------------------------------------------------------------------------------------------------ classifier

    def open_classifier(self, path: Path, card: ClassifierCard | None = None, asked: bool = False) -> None:
        """Load a classifier from its file; `asked` where the card was asked for, and can be put right by who gave it."""
        self.loading.open(path, card, asked)

    def use_card(self, card: ClassifierCard, save: bool) -> None:
        """Load the classifier with this card; keep the card beside the file where that is wanted."""
        if self.state.path is not None:
            self.loading.open(self.state.path, card, asked=True, save=save)

    def choose_device(self, device: str) -> None:
        """Move to another device: the classifier is loaded anew."""
        if device == self.state.device:
            return
        state, refused = self.state, self.state.classifier_error
        if state.path is not None and state.classifier is not None:
            self.loading.open(state.path, state.classifier.card, device=device)
        elif state.path is not None and refused is not None and isinstance(refused.error, DeviceError):
            self.loading.open(state.path, device=device)
        else:
            self.state.device = device
            self.changed()

    def unload(self) -> None:
        """Let go of the classifier, and give its memory back."""
        self.loading.unload()

    def refresh_devices(self) -> None:
        """Look anew what is free on the devices."""
        self.loading.refresh_devices()

    def _settle(self) -> None:
        self._propose()
        self.check()

    # ---------------------------------------------------------------------------------------------------- stains

    def map_stain(self, card_stain: str, well_stain: str | None) -> None:
        """Say which of the well's stains is the classifier's."""
        self.state.stain_map = {**self.state.stain_map, card_stain: well_stain}
        self.check()

    def choose_cells(self, layer: Layer | None) -> None:
        """The layer that marks the cells, for a classifier of single cells."""
        self.state.cells = layer
        self.check()

    def cell_layers(self) -> list[Layer]:
        """The layers that could mark the cells."""
        return [layer for layer in self.viewer.layers if isinstance(layer, Labels | Points) and not shown.ours(layer)]

    def stain_colors(self) -> dict[str, str]:
        """The colours in which the well's stains are shown, as "#rrggbb"."""
        well = self.state.well
        if well is None:
            return {}
        return bar_hex(well.stains, well.layers)

    def _propose(self) -> None:
        state = self.state
        if state.classifier is None or state.well is None:
            state.stain_map = {}
            return
        from napari_attribution.classifiers.preparation.stains import propose_stains

        proposed = propose_stains(state.classifier.card.stains, state.well.stains)
        kept = {card: own for card, own in state.stain_map.items() if card in proposed and own in state.well.stains}
        state.stain_map = {card: own or kept.get(card) for card, own in proposed.items()}

    def _cells(self) -> FrozenCells | None:
        state = self.state
        if (
            state.classifier is None
            or state.classifier.card.mode != "cells"
            or state.cells is None
            or state.well is None
        ):
            return None
        return FrozenCells.of(state.cells, state.well)

    def check(self) -> None:
        """Look at the well with the classifier, as soon as there are both."""
        state = self.state
        state.checked = state.check_error = state.run_error = None
        state.checking = state.check_cancelled = False
        self.jobs.cancel("check")
        now = status(state)
        fits = state.well is not None and now.well.level == "ok" and now.stains.level == "ok"
        if state.classifier is None or not fits or now.check.level == "todo":
            self.changed()
            return
        look = Look(state.well.freeze(), state.classifier, dict(state.stain_map), self._cells())

        def done(found: Preflight) -> None:
            state.checked, state.checking = found, False
            self.changed()

        def failed(failure: Failure) -> None:
            state.check_error, state.checking = failure, False
            self.changed()

        state.checking = True
        state.begin()
        self.jobs.start("check", look.answer, done, failed)
        self.changed()

    # -------------------------------------------------------------------------------------------------- patience

    def stop_waiting(self) -> None:
        """Stop loading or looking, whichever it is."""
        if self.state.loading:
            self.loading.cancel()
        elif self.state.checking:
            self.jobs.cancel("check")
            self.state.checking, self.state.check_cancelled = False, True
            self.changed()

    def tick(self) -> None:
        """Say how long it has been; to be called now and then while something is under way."""
        if self.state.loading or self.state.checking or self.state.explaining:
            self.state.waited = time.monotonic() - self.state.since
            self.changed()

    # --------------------------------------------------------------------------------------------------- explain

    def set(self, **values: Any) -> None:
        """Change what is asked for: method, target, against, score, per_stain, accept_flaws."""
        for name, value in values.items():
            setattr(self.state, name, value)
        self.state.run_error = None
        self.changed()

    def set_parameters(self, values: Mapping[str, Any]) -> None:
        """The parameters of the chosen method."""
        self.set(parameters={**self.state.parameters, self.state.method: dict(values)})

    def question(self, place: Place | None = None) -> Question:
        """What would be asked now, of the whole well or of a place in it, frozen."""
        state = self.state
        assert state.well is not None
        assert state.classifier is not None
        return Question(
            well=state.well.freeze(),
            classifier=state.classifier,
            method=state.method,
            target=state.target,
            score="contrast" if state.against else state.score,
            against=state.against,
            stain_map={card: own for card, own in state.stain_map.items() if own},
            cells=self._cells(),
            accept_flaws=state.accept_flaws,
            parameters=dict(state.parameters.get(state.method, {})),
            place=place,
        )

    def explain(self, place: Place | None = None) -> None:
        """Ask, of the whole well or of a place in it; the answer's layers appear when it is there."""
        state = self.state
        if not self.status.ready:
            self.changed()
            return
        try:
            question = self.question(place)
        except AttributionError as error:
            state.run_error = Failure(str(error), error)
            self.changed()
            return
        self.ask(question)

    def later(self, call: Callable[[], None]) -> None:
        """Make a call soon, on the thread of the window."""
        self._post(call)

    def _later(self, steps: list[Callable[[], Any]], finally_: Callable[[], None]) -> None:
        """Take the steps one at a time, so that the window can answer in between."""

        # Qt lets go of a call some time after it was made: what is done by then must not live on in it.
        left = deque([*steps, finally_])

        def take() -> None:
            if self.closed or not left:
                return
            left.popleft()()
            if left:
                self._post(take)

        self._post(take)


def _read(path: Path) -> Well:
    from napari_attribution.wells import read_well

    return read_well(path)


def _differs(a: OpenWell | None, b: OpenWell | None) -> bool:
    if a is None or b is None:
        return a is not b
    return (a.key, a.stains, a.problem) != (b.key, b.stains, b.problem)
