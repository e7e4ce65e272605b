"""A training from the dock: which plates, which labels; its progress; how it is stopped, goes on, and what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from napari_attribution.desktop import sample
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.jobs import Failure, Jobs, Post, Report
from napari_attribution.desktop.torch_import import import_torch
from napari_attribution.desktop.train import wanted as kept
from napari_attribution.desktop.train import words
from napari_attribution.desktop.train.course import Course
from napari_attribution.desktop.train.looking import Seen, labels_of, likely_labels, look
from napari_attribution.desktop.train.outcome import Outcome
from napari_attribution.desktop.train.state import TrainState
from napari_attribution.desktop.train.wanted import READING, Wanted
from napari_attribution.errors import OutputError

if TYPE_CHECKING:
    from napari_attribution.training.answers.answer import TrainedClassifier
    from napari_attribution.training.labelling.preview import Preview
    from napari_attribution.training.network.moment import Moment

TRAIN, LOOK, COUNT = "train", "look at plate", "count classes"
"""Kinds of jobs."""

QUICK = {"size": 128, "seeds": 1, "epochs": 16}
"""What of the recipe is another for the sample: its answer is there within about a minute."""


class Training:
    """Trains classifiers, one at a time, while the window stays free.

    Parameters
    ----------
    controller : Controller
        Whose dock explains with what was trained.
    post : callable
        See `Jobs`.
    changed : callable
        Called after every change of `state`.
    opened : callable
        Called when a classifier was handed over to be explained with.
    """

    def __init__(
        self, controller: Controller, post: Post, changed: Callable[[], None], opened: Callable[[], None]
    ) -> None:
        self.controller = controller
        self.state = TrainState(earlier=kept.unfinished())
        # Another worker than that of the wells: these are looked at meanwhile.
        self.jobs = Jobs(post)
        self._changed = changed
        outcome = Outcome(controller, self.state, self.jobs, changed, self._failed, opened)
        self.save, self.explain = outcome.save, outcome.explain

    def close(self) -> None:
        """Stop; what is done can go on later."""
        self.jobs.close()

    # ---------------------------------------------------------------------------------------------------- choose

    def want(self, **values: Any) -> None:
        """Change what is to be trained."""
        state = self.state
        for name, value in values.items():
            setattr(state.wanted, name, value)
        if not state.wanted.plate and state.wanted.more:
            state.wanted.plate, *more = state.wanted.more
            state.wanted.more = tuple(more)
        state.failure, state.said, state.earlier = None, "", None
        if any(name in READING for name in values):
            state.answer, state.saved, state.course = None, None, Course()
            self._look()
        elif "labels" in values or "recipe" in values:
            self._count()
        self._changed()

    def want_sample(self) -> None:
        """The sample plate with its labels, and a recipe that does not take long."""
        try:
            plate = sample.plate()
        except OutputError as error:
            self.state.failure = Failure(str(error), error)
            self._changed()
            return
        told = str(sample.plate_conditions())
        self.state.wanted = Wanted(str(plate), conditions=told, labels="treatment", recipe=dict(QUICK))
        self.want(plate=str(plate))

    def obstacle(self) -> str:
        """What is missing before it can be trained; empty where nothing is."""
        state = self.state
        if not state.wanted.plate:
            return "Choose a plate: its folder, or the address of an OME-Zarr plate."
        if state.looking:
            return f"Looking at the {state.looking} ..."
        if not state.plates:
            return state.failure.sentence if state.failure else "Choose a plate that can be read."
        if not state.columns:
            return words.nobody_said(len(state.plates))
        if not state.wanted.labels:
            return "Choose the condition that is the class."
        if state.counts is None:
            return state.failure.sentence if state.failure else "Choose labels that can be read."
        return ""

    def _look(self) -> None:
        """Find out what the plates are, and what is known of their wells."""
        state = self.state
        wanted = state.wanted
        state.plates, state.preview, state.columns, state.counts, state.looking = (), "", (), None, ""
        self.jobs.cancel(LOOK, COUNT)
        if not wanted.plate:
            return
        asked = replace(wanted)

        def work(_report: Report) -> Seen:
            return look(asked)

        def done(found: Seen) -> None:
            state.plates, state.preview, state.columns = found.plates, found.told, tuple(found.columns)
            state.looking = ""
            if wanted.labels not in state.columns:
                wanted.labels = likely_labels(found.columns)
            self._count()
            self._changed()

        state.looking = "plates" if wanted.more else "plate"
        self.jobs.start(LOOK, work, done, self._failed)

    def _count(self) -> None:
        """Count the classes."""
        state = self.state
        plates, wanted = state.plates, replace(state.wanted)
        state.counts, state.begun = None, kept.begun(state.wanted)
        self.jobs.cancel(COUNT)
        if not plates or not wanted.labels:
            return

        def work(_report: Report) -> Preview:
            from napari_attribution.training.labelling.preview import classes_and_counts
            from napari_attribution.training.recipe import Recipe

            labels, column = labels_of(wanted)
            return classes_and_counts(plates, labels, column=column, split_by=Recipe(**wanted.recipe).split_by)

        def done(found: Preview) -> None:
            state.counts, state.looking = found, ""
            self._changed()

        state.looking = "labels"
        self.jobs.start(COUNT, work, done, self._failed)

    def _failed(self, failure: Failure) -> None:
        state = self.state
        state.looking, state.running, state.keeping, state.failure = "", False, False, failure
        self._changed()

    # ------------------------------------------------------------------------------------------------------- run

    def run(self, anew: bool = False) -> None:
        """Train what is wanted; where the same was stopped, go on, unless it is to begin anew."""
        state, plates = self.state, self.state.plates
        if self.obstacle():
            self._changed()
            return
        wanted, device = replace(state.wanted), self.controller.state.device
        moments: SimpleQueue[Moment] = SimpleQueue()
        course = Course()

        def work(report: Report) -> TrainedClassifier:
            import_torch()
            from napari_attribution.training.recipe import Recipe
            from napari_attribution.training.train import train_dcmix

            if anew:
                kept.forget(wanted)

            def tell(moment: Moment) -> None:
                moments.put(moment)
                report(moment.done, moment.total)

            labels, column = labels_of(wanted)
            return train_dcmix(
                plates,
                labels,
                column=column,
                recipe=Recipe(**wanted.recipe),
                device=device,
                folder=kept.begin(wanted),
                tell=tell,
            )

        def heard(_done: int = 0, _total: int = 0) -> None:
            while not moments.empty():
                course.add(moments.get(), time.monotonic())
            state.begun = True
            self._changed()

        def done(answer: TrainedClassifier) -> None:
            state.running, state.answer, state.trained, state.saved = False, answer, wanted, None
            course.recall(answer)
            heard()

        def failed(failure: Failure) -> None:
            heard()
            self._failed(failure)

        state.running, state.failure, state.said, state.earlier = True, None, "", None
        state.course, state.answer, state.saved = course, None, None
        self.jobs.start(TRAIN, work, done, failed, heard)
        self._changed()

    def go_on_with_earlier(self) -> None:
        """Choose what was begun in an earlier session; it goes on where it was."""
        if self.state.earlier is not None:
            self.state.wanted = self.state.earlier
            self.want(plate=self.state.wanted.plate)

    def cancel(self) -> None:
        """Stop; what is done is kept, and the training can go on."""
        self.jobs.cancel(TRAIN)
        state = self.state
        state.running, state.begun = False, kept.begun(state.wanted)
        state.said = "Stopped. What is done is kept: it can go on from there, also after napari was closed."
        self._changed()
