"""What the dock "Side by side" does: no widget, so that it runs on a `ViewerModel` in a test as it does in the window."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

from napari.layers import Layer

from napari_attribution.desktop.compare.limits import Kept
from napari_attribution.desktop.compare.posing import asking, lacking, request_of, wants_cells
from napari_attribution.desktop.compare.request import Comparison, Differs
from napari_attribution.desktop.compare.state import State, Used
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.status import Level
from napari_attribution.desktop.jobs import Failure
from napari_attribution.desktop.wells_from_layers import OpenWell
from napari_attribution.errors import AttributionError
from napari_attribution.methods.choice.catalogue import ALL
from napari_attribution.methods.choice.offers import Offer, offer

KIND = "compare"
"""Of the worker's job."""


class Comparing:
    """Asks two questions that differ in one thing.

    Parameters
    ----------
    controller : Controller
        Whose question is the first of the two; its own answer is left alone.
    changed : callable
        Called after every change of `state`.
    """

    def __init__(self, controller: Controller, changed: Callable[[], None]) -> None:
        self.controller = controller
        self.state = State()
        self._changed = changed
        # What the comparison is made of must not be kept alive by it.
        self._classifier: Callable[[], object] = lambda: None
        self._under_way: tuple[Used, ...] = ()
        self._used: tuple[Used, ...] = ()
        self._asked: tuple[object, ...] = ()

    # ------------------------------------------------------------------------------------------------- choosing

    def differ(self, differs: Differs) -> None:
        """Say what is to be another: the method, the classifier, the well."""
        self._set(differs=differs)

    def choose_method(self, name: str) -> None:
        self._set(method=name)

    def choose_classifier(self, path: Path) -> None:
        self._set(path=path)

    def choose_well(self, well: OpenWell) -> None:
        self._set(well=well)

    def choose_cells(self, layer: Layer | None) -> None:
        self._set(cells=layer)

    @property
    def wants_cells(self) -> bool:
        """Whether the other well's cells must be marked."""
        return wants_cells(self.controller.state, self.state)

    def cell_layers(self) -> list[Layer]:
        """The layers that could mark the other well's cells."""
        return [layer for layer in self.controller.cell_layers() if layer is not self.controller.state.cells]

    def methods(self) -> list[Offer]:
        """All methods but the first side's, and whether the classifier allows them."""
        state = self.controller.state
        others = [method for name, method in ALL.items() if name != state.method and not method.needs_captum]
        if state.classifier is None:
            return [Offer(method, True, "", 0.0) for method in others]
        return [offer(state.classifier, method) for method in others]

    def wells(self) -> list[OpenWell]:
        """All wells that are open but the first side's."""
        state = self.controller.state
        return [well for well in state.wells if well is not state.well]

    def settle(self) -> None:
        """Follow the Explain dock: what is gone or taken can no longer be chosen, and stops what is under way."""
        state, methods, wells = self.state, self.methods(), self.wells()
        if state.method not in [one.method.name for one in methods if one.possible]:
            state.method = next((one.method.name for one in methods if one.possible), None)
        if state.cells not in self.cell_layers():
            state.cells = None
        keys = {well.key: well for well in wells}
        before = state.well.key if state.well else None
        state.well = keys.get(before) or next((well for well in wells if not well.problem), next(iter(wells), None))
        self._look_what_became_of_it()

    def obstacle(self) -> str:
        """Why nothing can be compared now, with what to do; empty where it can."""
        status, own, mine = self.controller.status, self.controller.state, self.state
        if not (status.ready or own.explaining):
            return status.headline or "Explain well is not ready yet."
        assert own.well is not None
        if mine.differs == "method" and mine.method is None:
            return "This classifier allows no other method."
        if mine.differs == "method" and mine.method == own.method:
            return "Choose another method than that of Explain well."
        if mine.differs == "classifier":
            if mine.path is None:
                return "Choose the other classifier: a TorchScript or .pt2 file with a card."
            if own.path is not None and mine.path.absolute() == own.path.absolute():
                return f"{mine.path.name} is the classifier that Explain well uses already. Choose another file."
        if mine.differs == "well":
            if mine.well is None:
                return f"Only {own.well.name} is open. Open a second well to compare it with."
            missing = mine.well.problem or lacking(own, mine.well)
            if not missing and self.wants_cells and mine.cells is None:
                missing = (
                    "This classifier looks at single cells. Choose the layer that marks those of "
                    f"{mine.well.name} (points, or labels)."
                )
            return missing
        return ""

    def level(self) -> Level:
        """How serious the obstacle is: something is wrong, or only missing, or under way."""
        if not self.obstacle():
            return "ok"
        status, mine = self.controller.status, self.state
        if not (status.ready or self.controller.state.explaining):
            return status.level
        if mine.differs != "well" or mine.well is None or (self.wants_cells and mine.cells is None):
            return "todo"
        return "wrong"

    # ------------------------------------------------------------------------------------------------ comparing

    def run(self) -> None:
        """Compare; the result replaces the last one when it is there."""
        state = self.state
        if self.obstacle():
            self._changed()
            return
        try:
            request = request_of(self.controller, state)
        except AttributionError as error:
            self._set(failure=Failure(str(error), error))
            return
        own = self.controller.state
        self._classifier = weakref.ref(request.a.classifier)
        involved = [own.well, state.well] if state.differs == "well" else [own.well]
        self._under_way = tuple(Used.of(well) for well in involved if well is not None)
        asked = asking(own, state)

        def done(found: Comparison) -> None:
            self._used, self._asked = self._under_way, asked
            self._set(comparison=found, running=False)

        def failed(failure: Failure) -> None:
            self._set(failure=failure, running=False)

        def progressed(done: int, total: int) -> None:
            self._set(progress=(done, total))

        self._set(running=True, since=time.monotonic(), waited=0.0, progress=(0, 0), failure=None)
        self.controller.jobs.start(KIND, request.answer, done, failed, progressed)

    def cancel(self) -> None:
        """Stop; the last comparison stays."""
        if self.state.running:
            self.controller.jobs.cancel(KIND)
            self._set(running=False)

    def tick(self) -> None:
        """Say how long it has been."""
        if self.state.running:
            self._set(waited=time.monotonic() - self.state.since)

    def keep_limits(self, keep: bool) -> None:
        """Keep the limits as they are for the comparisons to come, or keep none."""
        limits = self.state.limits
        wanted = keep and limits is not None and limits.shared
        self._set(kept=Kept(limits.each[0], limits.units[0]) if wanted else None)

    def share_limits(self, share: bool) -> None:
        """One scale of colours for both views, or one for each."""
        self._set(share=share)

    def close(self) -> None:
        """Stop all, and let go of the result."""
        self.controller.jobs.cancel(KIND)
        self._changed = lambda: None
        self.state = State()

    def _look_what_became_of_it(self) -> None:
        """Stop what is under way, or say of the last comparison, that it is no longer of what is there."""
        state, own = self.state, self.controller.state
        if state.running:
            closed, changed = self._fates(self._under_way)
            if closed or changed:
                fate = "closed" if closed else "changed"
                self._stop(f"{closed or changed} was {fate} while it was compared, so the comparison was stopped.")
            elif own.classifier is not self._classifier():
                self._stop("The classifier was unloaded or exchanged while it was used, so the comparison was stopped.")
        if state.comparison is None:
            return
        closed, changed = self._fates(self._used)
        told = [f"No longer open: {closed}."] if closed else []
        told += [f"The pixels of {changed} have changed since."] if changed else []
        if not told and not self.obstacle() and asking(self.controller.state, state) != self._asked:
            told = ["The question above is another one now: Compare again to see its answer."]
        state.gone = " ".join(told)

    def _fates(self, wells: Sequence[Used]) -> tuple[str, str]:
        """Which wells were closed, and which changed."""
        fates = [(used.name, used.fate(self.controller.state.wells)) for used in wells]
        closed, changed = (" and ".join(name for name, fate in fates if fate == one) for one in ("closed", "changed"))
        return closed, changed

    def _stop(self, sentence: str) -> None:
        self.controller.jobs.cancel(KIND)
        self.state.running = False
        self.state.failure = Failure(sentence, AttributionError(sentence))

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            setattr(self.state, name, value)
        if not {"failure", "running", "progress", "waited", "kept", "share"} & set(values):
            # Another choice: what went wrong with the last one is no longer of interest.
            self.state.failure = None
        self._look_what_became_of_it()
        self._changed()
