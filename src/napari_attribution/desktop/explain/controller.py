"""What the dock does: no widget, so that it runs on a `ViewerModel` in a test as it does in the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Points

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.desktop import layers as shown
from napari_attribution.desktop import sample
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.explain.status import Status, status
from napari_attribution.desktop.jobs import Failure, Jobs, Post, Progress
from napari_attribution.desktop.torch_import import collector_waits, import_torch
from napari_attribution.desktop.warm_up import warm_up
from napari_attribution.desktop.wells_from_layers import FrozenWell, OpenWell, find_wells
from napari_attribution.errors import AttributionError, CardError, ClassifierError, OutputError, WellError
from napari_attribution.wells.well import Well

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.classifiers.devices import Device
    from napari_attribution.classifiers.preflight import Preflight
    from napari_attribution.methods.attribution import Attribution


@dataclass(frozen=True, eq=False)
class Question:
    """A frozen request to explain: nothing in it changes while the worker is at it."""

    well: FrozenWell
    classifier: Classifier
    method: str
    target: str | None
    score: str
    against: str | None
    stain_map: Mapping[str, str]
    cells: FrozenCells | None
    accept_flaws: bool
    parameters: Mapping[str, Any]

    def answer(self, progress: Progress) -> Attribution:
        """Compute; runs in the worker."""
        import_torch()
        from napari_attribution.methods.explain import explain

        progress(0, 0)
        return explain(
            self.classifier,
            self.well.read(),
            self.method,
            self.target,
            self.score,
            against=self.against,
            stain_map=self.stain_map,
            cells=self.cells.centres() if self.cells else None,
            accept_flaws=self.accept_flaws,
            progress=progress,
            **self.parameters,
        )


@dataclass(frozen=True, eq=False)
class FrozenCells:
    """Where the cells are: points in pixels of the well, or the label image whose regions they are."""

    data: Any
    labels: bool

    @classmethod
    def of(cls, layer: Layer, well: OpenWell) -> FrozenCells:
        if isinstance(layer, Labels):
            return cls(layer.data[0] if layer.multiscale else layer.data, True)
        reference = well.layers[0]
        to_world, to_pixels = layer._data_to_world, reference._data_to_world.set_slice([-2, -1]).inverse
        world = np.array([to_world(point)[-2:] for point in layer.data]).reshape(-1, 2)
        return cls(np.array([to_pixels(point) for point in world]).reshape(-1, 2), False)

    def centres(self) -> np.ndarray:
        """(n, 2) rows and columns; runs in the worker."""
        if not self.labels:
            return self.data
        from skimage.measure import regionprops

        image = np.squeeze(np.asarray(self.data))
        if image.ndim != 2:
            raise WellError(f"The layer of the cells has {image.ndim} axes; it must lie over the well, with two.")
        return np.array([region.centroid for region in regionprops(image)]).reshape(-1, 2)


class Controller:
    """The dock's state and what changes it.

    Parameters
    ----------
    viewer : ViewerModel
    post : callable
        Runs a call on the thread of the window, soon (see `Jobs`).
    changed : callable
        Called after every change of `state`.
    """

    def __init__(self, viewer: ViewerModel, post: Post, changed: Callable[[], None] = lambda: None) -> None:
        self.viewer = viewer
        self.state = State()
        self.jobs = Jobs(post)
        self.changed = changed
        self._post = post
        self._scan_pending = False
        self._watched: WeakSet[Layer] = WeakSet()
        self._closed = False
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.reordered):
            event.connect(self._rescan)
        self.scan()
        # Should it fail, napari imports these itself, later.
        self.jobs.start("warm up", lambda _progress: warm_up(), lambda _done: None, lambda _failure: None)

    @property
    def status(self) -> Status:
        return status(self.state)

    def close(self) -> None:
        """Let go of the viewer, stop all work."""
        if self._closed:
            return
        self._closed = True
        events = self.viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.disconnect(self._rescan)
        for layer in self.viewer.layers:
            if layer in self._watched:
                layer.events.name.disconnect(self._rescan)
                layer.events.data.disconnect(self._data_changed)
        self.changed = lambda: None
        self.jobs.close()

    # ------------------------------------------------------------------------------------------------------ well

    def _rescan(self, _event: object = None) -> None:
        """Look at the layers once the burst of changes is over: a reader adds a well's layers one by one."""
        if not self._scan_pending and not self._closed:
            self._scan_pending = True
            self._post(self.scan)

    def scan(self) -> None:
        """Find the wells among the viewer's layers."""
        self._scan_pending = False
        if self._closed:
            return
        for layer in self.viewer.layers:
            if isinstance(layer, Image) and layer not in self._watched:
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
        if well is not None and any(layer is event.source for layer in well.layers) and not self._closed:
            self._post(self.scan)
            self._post(self._check)

    def choose_well(self, well: OpenWell | None) -> None:
        self.state.well = well
        if well is not None:
            self.state.open_error = ""
        self._propose()
        self._check()

    def open_well(self, path: Path) -> None:
        """Read a well from a file and show it."""
        self._open(path.name, lambda: _read(path))

    def try_sample(self) -> None:
        """Open the sample well and its classifier."""
        try:
            well, weights = sample.first_well(), sample.classifier()
        except OutputError as error:
            self.state.open_error = str(error)
            self.changed()
            return
        self.open_well(well)
        self.open_classifier(weights)

    def _open(self, name: str, read: Callable[[], Well]) -> None:
        def work(_progress: Progress) -> list[Any]:
            return shown.well_layer_tuples(read())

        def done(tuples: list[Any]) -> None:
            self._later([partial(self.viewer.add_image, data, **keywords) for data, keywords, _ in tuples], opened)

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
        state = self.state
        if path != state.path:
            state.target = state.against = None
        state.path, state.classifier, state.classifier_error, state.needs_card = path, None, None, False
        state.checked = state.check_error = state.run_error = None
        state.saved_card = ""
        state.loading = True
        self.jobs.cancel("check", "explain")
        state.checking = state.explaining = False
        device = state.device

        def work(_progress: Progress) -> tuple[Classifier, tuple[Device, ...]]:
            import_torch()
            # The first look into a network brings in more of torch; the bars will want pandas, for napari's tables.
            with collector_waits():
                import_module("pandas")
                from napari_attribution.classifiers.devices import list_devices
                from napari_attribution.classifiers.files.loading import load_classifier

                return load_classifier(path, device=device, card=card), list_devices()

        def done(loaded: tuple[Classifier, tuple[Device, ...]]) -> None:
            state.classifier, state.devices = loaded
            state.loading = False
            if state.target not in state.classifier.classes:
                state.target = None
            if state.against not in state.classifier.classes:
                state.against = None
            self._propose()
            self._check()

        def failed(failure: Failure) -> None:
            state.loading = False
            missing = isinstance(failure.error, CardError) and card is None and not _has_card(path)
            state.needs_card = missing or asked
            state.classifier_error = None if missing else failure
            self.changed()

        self.jobs.start("load", work, done, failed)
        self.changed()

    def use_card(self, card: ClassifierCard, save: bool) -> None:
        """Load the classifier with this card; keep the card beside the file where that is wanted."""
        path = self.state.path
        if path is None:
            return
        self.open_classifier(path, card, asked=True)
        if save:

            def work(_progress: Progress) -> Path:
                import_torch()
                from napari_attribution.classifiers.cards.io import write_card

                return write_card(card, weights=path)

            def done(where: Path) -> None:
                self.state.saved_card = f"The card was saved: {where.name}."
                self.changed()

            def failed(failure: Failure) -> None:
                if not isinstance(failure.error, ClassifierError):
                    self.state.saved_card = f"The card is in use, but was not saved. {failure.sentence}"
                self.changed()

            self.jobs.start("save card", work, done, failed)

    def choose_device(self, device: str) -> None:
        """Move to another device: the classifier is loaded anew."""
        if device == self.state.device:
            return
        self.state.device = device
        if self.state.path is not None and self.state.classifier is not None:
            self.open_classifier(self.state.path, self.state.classifier.card)
        else:
            self.changed()

    # ---------------------------------------------------------------------------------------------------- stains

    def map_stain(self, card_stain: str, well_stain: str | None) -> None:
        """Say which of the well's stains is the classifier's."""
        self.state.stain_map = {**self.state.stain_map, card_stain: well_stain}
        self._check()

    def choose_cells(self, layer: Layer | None) -> None:
        """The layer that marks the cells, for a classifier of single cells."""
        self.state.cells = layer
        self._check()

    def cell_layers(self) -> list[Layer]:
        """The layers that could mark the cells."""
        return [layer for layer in self.viewer.layers if isinstance(layer, Labels | Points)]

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

    def _check(self) -> None:
        """Look at the well with the classifier, as soon as there are both."""
        state = self.state
        state.checked = state.check_error = state.run_error = None
        state.checking = False
        self.jobs.cancel("check")
        now = status(state)
        fits = state.well is not None and now.well.level == "ok" and now.stains.level == "ok"
        classifier = state.classifier
        if classifier is None or not fits or now.check.level == "todo":
            self.changed()
            return
        well, mapping, cells = state.well.freeze(), dict(state.stain_map), self._cells()

        def work(_progress: Progress) -> Preflight:
            import_torch()
            from napari_attribution.classifiers.preflight import preflight

            return preflight(classifier, well.read(), mapping, cells.centres() if cells else None)

        def done(found: Preflight) -> None:
            state.checked, state.checking = found, False
            self.changed()

        def failed(failure: Failure) -> None:
            state.check_error, state.checking = failure, False
            self.changed()

        state.checking = True
        self.jobs.start("check", work, done, failed)
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
        self.state.parameters[self.state.method] = dict(values)

    def question(self) -> Question:
        """What would be asked now, frozen."""
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
        )

    def explain(self) -> None:
        """Ask; the answer's layers appear when it is there."""
        state = self.state
        if not self.status.ready:
            self.changed()
            return
        try:
            question = self.question()
        except AttributionError as error:
            state.run_error = Failure(str(error), error)
            self.changed()
            return
        references, per_stain = state.well.layers, state.per_stain

        def progressed(done: int, total: int) -> None:
            state.progress = (done, total)
            self.changed()

        def done(answer: Attribution) -> None:
            steps = shown.attribution_steps(self.viewer, answer, references, per_stain)
            self._later(steps, lambda: finished(answer))

        def finished(answer: Attribution) -> None:
            state.answer, state.explaining = answer, False
            self.changed()

        def failed(failure: Failure) -> None:
            state.run_error, state.explaining = failure, False
            self.changed()

        state.run_error, state.explaining, state.progress = None, True, (0, 0)
        self.jobs.start("explain", question.answer, done, failed, progressed)
        self.changed()

    def cancel(self) -> None:
        """Stop the explanation; layers and answer stay as they were."""
        if self.jobs.busy("explain"):
            self.jobs.cancel("explain")
            self.state.explaining = False
            self.changed()

    def _later(self, steps: list[Callable[[], Any]], finally_: Callable[[], None]) -> None:
        """Take the steps one at a time, so that the window can answer in between."""

        def take(index: int) -> None:
            if self._closed:
                return
            if index == len(steps):
                finally_()
                return
            steps[index]()
            self._post(lambda: take(index + 1))

        self._post(lambda: take(0))


def _read(path: Path) -> Well:
    from napari_attribution.wells import read_well

    return read_well(path)


def _differs(a: OpenWell | None, b: OpenWell | None) -> bool:
    if a is None or b is None:
        return a is not b
    return (a.key, a.stains, a.problem) != (b.key, b.stains, b.problem)


def _has_card(path: Path) -> bool:
    """Whether a card is there (and so must be the one that is wrong)."""
    from napari_attribution.classifiers.cards.io import find_card

    try:
        return find_card(path) is not None
    except CardError:
        return True
