"""The stains' importance by another estimator than the map's: what it costs, the request, and what has come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.loading import STAINS
from napari_attribution.desktop.explain.offering import PROBE
from napari_attribution.desktop.explain.question import Question
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.jobs import Failure, Report
from napari_attribution.desktop.torch_import import import_torch
from napari_attribution.methods.attribution import Attribution

if TYPE_CHECKING:
    from napari_attribution.desktop.explain.mixed import Mixed
    from napari_attribution.methods.channels.importance import ChannelImportance


@dataclass(frozen=True)
class Face:
    """How an estimator is called in the list, and what it does, for a microscopist."""

    title: str
    summary: str


FACES: dict[str, Face] = {
    "shapley": Face(
        "Shapley values", "What a stain adds to the score, on average over all orders of putting stains in."
    ),
    "banzhaf": Face("Banzhaf values", "What a stain adds to any of the other stains, each there or not by chance."),
    "leave-one-out": Face("Leave one out", "What the score loses without the stain, all others there."),
    "keep-one": Face("Keep one", "What the score gains by the stain alone, all others filled."),
    "permutation": Face("Permutation", "What the score loses when the stain's pixels are shuffled in place."),
    "dcmix": Face("DCMIX", "How hard training pulls at the stain's mixing weight, from nothing to the stain as it is."),
}
"""By name, as in `napari_attribution.methods.channels.values.ESTIMATORS`, which cannot be asked before torch is there."""


TRAINED = "trained"
"""Stands in the list for the weights of the classifier's own mixing layer, which need not be computed."""


@dataclass(frozen=True, eq=False)
class Request:
    """A frozen request: what a question's stains count for, in the whole of its well."""

    question: Question
    target: str
    estimator: str
    fill: str
    stains: tuple[str, ...]

    def answer(self, report: Report) -> ChannelImportance:
        """Compute; runs in the worker."""
        import_torch()
        from napari_attribution.methods.channels.importance import channel_importance

        report(0, 0)
        asked = self.question
        found = channel_importance(
            asked.classifier,
            asked.well.read(),
            self.estimator,
            self.target,
            asked.score,
            self.fill,
            against=asked.against,
            stain_map=asked.stain_map,
            cells=[asked.cells.centres()] if asked.cells else None,
            accept_flaws=asked.accept_flaws,
            progress=report,
        )
        return replace(found, stains=self.stains)


def cost(state: State, estimator: str) -> tuple[float, float, int] | None:
    """Forwards, seconds and inputs that an estimator will take for the last answer's well; None where that is not known."""
    classifier, explained = state.classifier, state.explained
    if classifier is None or explained is None or state.answer is None:
        return None
    from napari_attribution.methods.channels import permutation
    from napari_attribution.methods.channels.brightness import null_forwards
    from napari_attribution.methods.channels.importance import SEEDS
    from napari_attribution.methods.channels.values import find_estimator

    whole = explained.prepared.inputs.shape
    if state.answer.place is not None:
        # The inputs of a part are not those of the well.
        whole = state.checked.input_shape if state.checked else None
    if whole is None:
        return None
    count, stains, h, w = whole
    chosen = find_estimator(estimator)
    values = permutation.forwards(stains, SEEDS) if chosen.with_seeds else chosen.forwards(stains)
    null = null_forwards(chosen.game(stains), SEEDS) if chosen.game else 0
    forwards = count * (1 + values + null)
    larger = h * w / PROBE if classifier.card.size is None else 1.0
    return forwards, forwards * classifier.forward_seconds * larger, count


class Estimates:
    """What other estimators say of the last answer's question; forgotten with that answer.

    Parameters
    ----------
    controller : Controller
    changed : callable
        Called on the window's thread when something is to be shown anew.

    Attributes
    ----------
    chosen : str
        The estimator to be seen; empty for the one that came with the map, `TRAINED` for the classifier's mixing layer.
    failure : Failure, optional
        Why the last request gave nothing.
    progress : (int, int)
        Steps done and in all.
    """

    def __init__(self, controller: Controller, changed: Callable[[], None]) -> None:
        self._controller, self._changed = controller, changed
        self._answer: Attribution | None = None
        self._mixed: Mixed | None = None
        self._found: dict[str, ChannelImportance] = {}
        self.chosen = ""
        self.failure: Failure | None = None
        self.progress = (0, 0)

    @property
    def found(self) -> ChannelImportance | None:
        """What the chosen estimator says; None as long as it was not asked."""
        return self._found.get(self.chosen)

    @property
    def computing(self) -> bool:
        """Whether a request is under way."""
        return self._controller.jobs.busy(STAINS)

    @property
    def possible(self) -> bool:
        """Whether the classifier of the last answer is still there to be asked."""
        return self._controller.state.asked is not None and self._controller.state.answer is not None

    def follow(self) -> None:
        """Forget what was said of the answer before a new one; see a new classifier's mixing layer, if it has one."""
        state = self._controller.state
        answer, mixed = state.answer, state.mixed
        if answer is not self._answer:
            self.cancel()
            self._answer, self._found, self.chosen, self.failure = answer, {}, "", None
        if mixed is not self._mixed:
            self._mixed = mixed
            if mixed is not None and state.asked is None:
                self.cancel()
                self.chosen = TRAINED
        if mixed is None and self.chosen == TRAINED:
            self.chosen = ""
        if mixed is not None and answer is None:
            self.chosen = TRAINED

    def choose(self, estimator: str) -> None:
        """See this estimator's values; they are computed when they are asked for."""
        self.cancel()
        self.chosen, self.failure = estimator, None
        self._changed()

    def compute(self) -> None:
        """Ask the chosen estimator."""
        state, chosen = self._controller.state, self.chosen
        answer, asked = state.answer, state.asked
        if answer is None or asked is None or chosen not in FACES:
            return
        fill = str(answer.record.get("parameters", {}).get("fill", "mean"))
        request = Request(asked, answer.target, chosen, fill, answer.stains)

        def done(found: ChannelImportance) -> None:
            self._found[chosen] = found
            self._changed()

        def failed(failure: Failure) -> None:
            self.failure = failure
            self._changed()

        def progressed(steps: int, total: int) -> None:
            self.progress = (steps, total)
            self._changed()

        self.failure, self.progress = None, (0, 0)
        self._controller.jobs.start(STAINS, request.answer, done, failed, progressed)
        self._changed()

    def cancel(self) -> None:
        """Stop; what was seen before is seen again."""
        if self.computing:
            self._controller.jobs.cancel(STAINS)

    def stop(self) -> None:
        """Cancel, and say so."""
        self.cancel()
        self._changed()
