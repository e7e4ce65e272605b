"""Answering: the controller's part from a question to its answer's layers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_attribution.desktop import layers as shown
from napari_attribution.desktop.explain.loading import STAINS
from napari_attribution.desktop.explain.question import Question
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.jobs import Failure, Jobs
from napari_attribution.errors import WellError

if TYPE_CHECKING:
    from napari_attribution.methods.answers.explained import Explained

TOLD_EVERY = 0.25
"""Seconds between two looks at an explanation's progress."""

ONCE = 2
"""An answer without bars whose map is there already is shown in so many steps."""


class Answering:
    """Has questions answered, and shows the answers.

    Parameters
    ----------
    viewer : ViewerModel
    state : State
    jobs : Jobs
    changed : callable
        Called after every change of the state.
    in_steps : callable
        Takes calls to make one at a time, and one for the end.

    Attributes
    ----------
    answered : list of callables
        Called with every new answer, as soon as its layers are there.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        state: State,
        jobs: Jobs,
        changed: Callable[[], None],
        in_steps: Callable[[list[Callable[[], Any]], Callable[[], None]], None],
    ) -> None:
        self._viewer, self._state, self._jobs = viewer, state, jobs
        self._changed, self._in_steps = changed, in_steps
        self.answered: list[Callable[[Explained], None]] = []

    def ask(
        self,
        question: Question,
        overtaken: Callable[[], str] | None = None,
        then: Callable[[Explained], None] | None = None,
        brief: bool = False,
    ) -> None:
        """Have a question answered, and show the answer; an earlier one that is under way is dropped.

        Parameters
        ----------
        question : Question
        overtaken : callable, optional
            Says, once the answer is there, why it may not be shown any more; nothing where it may.
        then : callable, optional
            Called when this answer's layers are there, before all others are told.
        brief : bool
            For an answer that is expected within the blink of an eye, and the first of several: nothing is said of its
            progress until it takes longer, its layers are changed all at once, and where it has no values of the stains,
            `answered` is left for the one that brings them.
        """
        state = self._state
        references = state.well.layers if state.well else ()
        said = time.monotonic()

        def progressed(done: int, total: int) -> None:
            nonlocal said
            state.progress, state.brief = (done, total), brief and time.monotonic() - state.since < TOLD_EVERY
            # Each time, all of the window is drawn anew, with the same cores that the answer is computed with.
            if time.monotonic() - said >= TOLD_EVERY:
                said = time.monotonic()
                self._changed()

        def done(found: Explained) -> None:
            if overtaken and (why := overtaken()):
                failed(Failure(why, WellError(why)))
            else:
                self.show(found, question.settled(found), references, then, brief)

        def failed(failure: Failure) -> None:
            state.run_error, state.explaining = failure, False
            self._changed()

        state.run_error, state.explaining, state.brief, state.progress = None, True, brief, (0, 0)
        state.begin()
        # What is asked about the last answer would keep the one worker from the next.
        self._jobs.cancel(STAINS)
        self._jobs.start("explain", question.answer, done, failed, progressed)
        if not brief:
            self._changed()

    def show(
        self,
        found: Explained,
        question: Question,
        references: Sequence[Layer],
        then: Callable[[Explained], None] | None = None,
        brief: bool = False,
    ) -> None:
        """Show an answer over the layers of its well, and tell all who want to know."""
        state = self._state

        def finished() -> None:
            # Another question may have been asked while this one's layers were made.
            state.answer, state.explaining = found.attribution, self._jobs.busy("explain")
            if question.classifier is state.classifier:
                state.explained, state.asked = found, question
                if found.attribution.place is None:
                    state.whole = (found, question)
            self._changed()
            for tell in () if first else tuple(self.answered):
                tell(found)

        first = brief and not any(found.attribution.channel_importance.values())
        steps = shown.attribution_steps(self._viewer, found.attribution, references, state.per_stain, first)
        at_once = first and len(steps) <= ONCE
        if then is not None:
            steps.append(lambda: then(found))
        if at_once:
            for step in (*steps, finished):
                step()
        else:
            self._in_steps(steps, finished)

    def cancel(self) -> None:
        """Stop the explanation; layers and answer stay as they were."""
        if self._jobs.busy("explain"):
            self._jobs.cancel("explain")
            self._state.explaining = False
            self._changed()
