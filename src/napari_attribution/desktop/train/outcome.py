"""What becomes of a trained classifier: it is saved, and explained with."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.jobs import Failure, Jobs, Report
from napari_attribution.desktop.layers.wells import well_layer_tuples
from napari_attribution.desktop.train import wanted as kept
from napari_attribution.desktop.train.state import TrainState
from napari_attribution.errors import WellError
from napari_attribution.wells.plate import Plate

KEEP = "keep"
"""The kind of its jobs."""


class Outcome:
    """Saves the answer of a training, and hands its classifier over.

    Parameters
    ----------
    controller : Controller
        Whose dock explains with what was trained.
    state : TrainState
    jobs : Jobs
    changed : callable
        Called after every change of `state`.
    failed : callable
        Takes the `Failure` of a job.
    opened : callable
        Called when a classifier was handed over.
    """

    def __init__(
        self,
        controller: Controller,
        state: TrainState,
        jobs: Jobs,
        changed: Callable[[], None],
        failed: Callable[[Failure], None],
        opened: Callable[[], None],
    ) -> None:
        self._controller, self._state, self._jobs = controller, state, jobs
        self._changed, self._failed, self._opened = changed, failed, opened

    def save(self, path: Path) -> None:
        """Write the answer: the classifier in both forms, its card, and all that was found."""
        state, answer, trained = self._state, self._state.answer, self._state.trained
        if answer is None or trained is None:
            return

        def work(_report: Report) -> Path:
            where = answer.save(path)
            kept.finish(trained)
            return where

        def done(where: Path) -> None:
            state.keeping, state.saved, state.begun = False, where, kept.begun(state.wanted)
            self._changed()

        state.keeping, state.failure = True, None
        self._jobs.start(KEEP, work, done, self._failed)
        self._changed()

    def explain(self) -> None:
        """Hand the classifier over to the dock "Explain well", with a well of the plate where none is open."""
        state, answer, plates, controller = self._state, self._state.answer, self._state.plates, self._controller
        if answer is None:
            return
        saved, wants_well = state.saved, controller.state.well is None

        def work(_report: Report) -> tuple[Path, str, list[Any]]:
            path = saved
            if path is None:
                path = answer.save(Path(tempfile.mkdtemp(dir=unsaved())) / "trained.pt")
            name, tuples = a_well(plates) if wants_well else ("", [])
            return path, name, tuples

        def done(found: tuple[Path, str, list[Any]]) -> None:
            path, name, tuples = found
            state.keeping = False
            if tuples:
                controller.show_well(name, tuples)
            controller.open_classifier(path)
            self._opened()
            self._changed()

        state.keeping, state.failure = True, None
        self._jobs.start(KEEP, work, done, self._failed)
        self._changed()


@cache
def unsaved() -> Path:
    """A folder for classifiers that are explained with before they are saved.

    It is gone when napari is: until then other docks may still read what lies in it, whether or not this one is closed.
    """
    folder = Path(tempfile.mkdtemp(prefix="napari-attribution-trained-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def a_well(plates: Iterable[Plate]) -> tuple[str, list[Any]]:
    """The first field that can be read, as layers are made of it; nothing where none can."""
    for field in chain.from_iterable(plates):
        try:
            return field.name, well_layer_tuples(field.read())
        except WellError:
            continue
    return "", []
