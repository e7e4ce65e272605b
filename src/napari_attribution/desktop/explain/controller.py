"""What the dock does: no widget, so that it runs on a `ViewerModel` in a test as it does in the window."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.layers import Labels, Layer, Points

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.desktop import layers as shown
from napari_attribution.desktop import sample
from napari_attribution.desktop.explain.answering import Answering
from napari_attribution.desktop.explain.checking import Checking
from napari_attribution.desktop.explain.loading import Loading
from napari_attribution.desktop.explain.question import Question
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.explain.status import Status, status
from napari_attribution.desktop.explain.wells import Wells
from napari_attribution.desktop.jobs import Failure, Jobs, Post
from napari_attribution.desktop.layers.bars import bar_hex
from napari_attribution.desktop.layers.maps import recolor, relimit
from napari_attribution.desktop.preferences import on_change, preferences, within
from napari_attribution.desktop.turns import take_turns
from napari_attribution.desktop.warm_up import warm_up
from napari_attribution.errors import AttributionError, DeviceError, OutputError

if TYPE_CHECKING:
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
        self.closed = False
        self._post = post
        self._checking = checking = Checking(self.state, self.jobs, self.changed)
        self.map_stain, self.choose_cells, self.check = checking.map_stain, checking.choose_cells, checking.check
        self.loading = Loading(self.state, self.jobs, self.changed, checking.settle)
        answering = Answering(viewer, self.state, self.jobs, self.changed, self._in_steps)
        self.answered, self.ask, self.show = answering.answered, answering.ask, answering.show
        self.cancel = answering.cancel
        self._wells = wells = Wells(
            viewer, self.state, self.jobs, self.changed, checking.settle, checking.check, post, self._in_steps
        )
        self.scan, self.choose_well, self.open_well = wells.scan, wells.choose, wells.read
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
        self._wells.close()
        self._indifferent()
        self.watchers.clear()
        self.answered.clear()
        self.jobs.close()

    def _prefers(self, name: str) -> None:
        """The user prefers other colours or limits."""
        {"palette": recolor, "percentile": relimit}[name](self.viewer)
        self.changed()

    # ------------------------------------------------------------------------------------------------------ well

    def try_sample(self) -> None:
        """Open the sample well, its cells and its classifier."""
        try:
            well, weights = sample.first_well(), sample.classifier()
        except OutputError as error:
            self.state.open_error = str(error)
            self.changed()
            return
        self._wells.open(well.name, lambda: sample.with_cells(well))
        self.open_classifier(weights)

    def show_well(self, name: str, tuples: list[Any]) -> None:
        """Show the layers of a well that has been read already, and choose it."""
        self._wells.open(name, lambda: tuples)

    def cell_layers(self) -> list[Layer]:
        """The layers that could mark the cells."""
        return [layer for layer in self.viewer.layers if isinstance(layer, Labels | Points) and not shown.ours(layer)]

    def stain_colors(self) -> dict[str, str]:
        """The colours in which the well's stains are shown, as "#rrggbb"."""
        well = self.state.well
        if well is None:
            return {}
        return bar_hex(well.stains, well.layers)

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

    # -------------------------------------------------------------------------------------------------- patience

    def stop_waiting(self) -> None:
        """Stop loading or looking, whichever it is."""
        if self.state.loading:
            self.loading.cancel()
        elif self.state.checking:
            self._checking.cancel()

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
            cells=self._checking.cells(),
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

    def _in_steps(self, steps: list[Callable[[], Any]], finally_: Callable[[], None]) -> None:
        """Take the steps one at a time, so that the window can answer in between."""
        take_turns(self._post, [*steps, finally_], lambda: self.closed)
