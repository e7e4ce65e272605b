"""The well's part of the controller: find those among the viewer's layers, choose one, open another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_attribution.desktop import layers as shown
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.jobs import Failure, Jobs, Post, Report
from napari_attribution.desktop.layers.known import of_an_answer
from napari_attribution.desktop.wells_from_layers import OpenWell, find_wells
from napari_attribution.wells.well import Well


class Wells:
    """Finds wells and opens them.

    Parameters
    ----------
    viewer : ViewerModel
    state : State
    jobs : Jobs
    changed : callable
        Called after every change of the state.
    settled : callable
        Called instead, where the well is another one.
    look_again : callable
        Called where the well's pixels were exchanged.
    post : callable
        Runs a call on the thread of the window, soon.
    in_steps : callable
        Takes calls to make one at a time, and one for the end.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        state: State,
        jobs: Jobs,
        changed: Callable[[], None],
        settled: Callable[[], None],
        look_again: Callable[[], None],
        post: Post,
        in_steps: Callable[[list[Callable[[], Any]], Callable[[], None]], None],
    ) -> None:
        self._viewer, self._state, self._jobs = viewer, state, jobs
        self._changed, self._settled, self._look_again = changed, settled, look_again
        self._post, self._in_steps = post, in_steps
        self._scan_pending = False
        self._watched: WeakSet[Layer] = WeakSet()
        self._closed = False
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.reordered):
            event.connect(self._rescan)

    def close(self) -> None:
        """Let go of the viewer."""
        self._closed = True
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.disconnect(self._rescan)
        for layer in self._viewer.layers:
            if layer in self._watched:
                layer.events.name.disconnect(self._rescan)
                layer.events.data.disconnect(self._data_changed)

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
        for layer in self._viewer.layers:
            if isinstance(layer, Image) and layer not in self._watched and not of_an_answer(layer):
                layer.events.name.connect(self._rescan)
                layer.events.data.connect(self._data_changed)
                self._watched.add(layer)
        wells = find_wells(self._viewer.layers)
        state, before = self._state, self._state.well
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
        if state.cells is not None and state.cells not in self._viewer.layers:
            state.cells = None
        if _differs(before, chosen):
            self.choose(chosen)
        else:
            state.well = chosen
            self._changed()

    def _data_changed(self, event: Any) -> None:
        """Look again at a well whose pixels were exchanged."""
        well = self._state.well
        if well is not None and any(layer is event.source for layer in well.layers) and not self._closed:
            self._post(self.scan)
            self._post(self._look_again)

    def choose(self, well: OpenWell | None) -> None:
        """Take this well."""
        self._state.well = well
        if well is not None:
            self._state.open_error = ""
        self._settled()

    def read(self, path: Path) -> None:
        """Read a well from a file and show it."""
        self.open(path.name, lambda: shown.well_layer_tuples(_read(path)))

    def open(self, name: str, layers: Callable[[], list[Any]]) -> None:
        """Show the layers of a well, and choose it.

        Parameters
        ----------
        name : str
            What is opened.
        layers : callable
            Gives the layers' data, keywords and kinds; runs in a worker.
        """

        def work(_report: Report) -> list[Any]:
            return layers()

        def done(tuples: list[Any]) -> None:
            add = {"image": self._viewer.add_image, "labels": partial(shown.show_cells, self._viewer)}
            self._in_steps([partial(add[kind], data, **keywords) for data, keywords, kind in tuples], opened)

        def opened() -> None:
            self._state.opening = ""
            self._viewer.fit_to_view()
            newest = find_wells(self._viewer.layers)
            self.scan()
            if newest:
                self.choose(next((well for well in reversed(newest) if not well.problem), newest[-1]))

        def failed(failure: Failure) -> None:
            self._state.opening, self._state.open_error = "", failure.sentence
            self._changed()

        self._state.opening, self._state.open_error = name, ""
        self._jobs.start("open", work, done, failed)
        self._changed()


def _read(path: Path) -> Well:
    from napari_attribution.wells import read_well

    return read_well(path)


def _differs(a: OpenWell | None, b: OpenWell | None) -> bool:
    if a is None or b is None:
        return a is not b
    return (a.key, a.stains, a.problem) != (b.key, b.stains, b.problem)
