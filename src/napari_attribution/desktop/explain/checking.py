"""The preflight's part of the controller: which stains and cells the classifier gets, and the look whether the two fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari.layers import Layer

from napari_attribution.desktop.explain.question import FrozenCells, Look
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.explain.status import status
from napari_attribution.desktop.jobs import Failure, Jobs

if TYPE_CHECKING:
    from napari_attribution.classifiers.preflight import Preflight


class Checking:
    """Brings a well and a classifier together, and looks at the well with the classifier.

    Parameters
    ----------
    state : State
    jobs : Jobs
    changed : callable
        Called after every change of the state.
    """

    def __init__(self, state: State, jobs: Jobs, changed: Callable[[], None]) -> None:
        self._state, self._jobs, self._changed = state, jobs, changed

    def settle(self) -> None:
        """Begin anew with another well or another classifier."""
        self._propose()
        self.check()

    def map_stain(self, card_stain: str, well_stain: str | None) -> None:
        """Say which of the well's stains is the classifier's."""
        self._state.stain_map = {**self._state.stain_map, card_stain: well_stain}
        self.check()

    def choose_cells(self, layer: Layer | None) -> None:
        """The layer that marks the cells, for a classifier of single cells."""
        self._state.cells = layer
        self.check()

    def cells(self) -> FrozenCells | None:
        """Where the cells are, for a classifier of single cells."""
        state = self._state
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
        state = self._state
        state.checked = state.check_error = state.run_error = None
        state.checking = state.check_cancelled = False
        self._jobs.cancel("check")
        now = status(state)
        fits = state.well is not None and now.well.level == "ok" and now.stains.level == "ok"
        if state.classifier is None or not fits or now.check.level == "todo":
            self._changed()
            return
        look = Look(state.well.freeze(), state.classifier, dict(state.stain_map), self.cells())

        def done(found: Preflight) -> None:
            state.checked, state.checking = found, False
            self._changed()

        def failed(failure: Failure) -> None:
            state.check_error, state.checking = failure, False
            self._changed()

        state.checking = True
        state.begin()
        self._jobs.start("check", look.answer, done, failed)
        self._changed()

    def cancel(self) -> None:
        """Stop looking."""
        self._jobs.cancel("check")
        self._state.checking, self._state.check_cancelled = False, True
        self._changed()

    def _propose(self) -> None:
        state = self._state
        if state.classifier is None or state.well is None:
            state.stain_map = {}
            return
        from napari_attribution.classifiers.preparation.stains import propose_stains

        proposed = propose_stains(state.classifier.card.stains, state.well.stains)
        kept = {card: own for card, own in state.stain_map.items() if card in proposed and own in state.well.stains}
        state.stain_map = {card: own or kept.get(card) for card, own in proposed.items()}
