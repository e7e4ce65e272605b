"""What the dock "Side by side" does: no widget, so that it runs on a `ViewerModel` in a test as it does in the window."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from napari.layers import Layer

from napari_attribution.desktop.compare.limits import Kept
from napari_attribution.desktop.compare.picture import paints_of
from napari_attribution.desktop.compare.request import Comparison, Differs, Request, known_stains
from napari_attribution.desktop.compare.state import State, Used
from napari_attribution.desktop.compare.words import method_title
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.question import FrozenCells
from napari_attribution.desktop.explain.status import Level
from napari_attribution.desktop.jobs import Failure
from napari_attribution.desktop.wells_from_layers import OpenWell
from napari_attribution.errors import AttributionError
from napari_attribution.methods.catalogue import ALL
from napari_attribution.methods.offers import Offer, offer

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
        self._used: tuple[Used, ...] = ()

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
        classifier = self.controller.state.classifier
        return self.state.differs == "well" and classifier is not None and classifier.card.mode == "cells"

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
        if state.running or state.comparison is not None:
            self._look_for_what_is_gone()

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
            return mine.well.problem or self._missing_stains(mine.well)
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

    def _missing_stains(self, well: OpenWell) -> str:
        own = self.controller.state
        assert own.classifier is not None
        chosen = {card: mine for card, mine in own.stain_map.items() if mine}
        wanted = own.classifier.card.stains
        found = known_stains(wanted, chosen, well.stains)
        missing = [stain for stain in wanted if stain not in found]
        if missing:
            return (
                f"{well.name} has no stain named {', '.join(missing)}; it has {', '.join(well.stains)}. Rename its layers after "
                "their stains, or choose another well."
            )
        if self.wants_cells and self.state.cells is None:
            return f"This classifier looks at single cells. Choose the layer that marks those of {well.name} (points, or labels)."
        return ""

    # ------------------------------------------------------------------------------------------------ comparing

    def run(self) -> None:
        """Compare; the result replaces the last one when it is there."""
        state = self.state
        if self.obstacle():
            self._changed()
            return
        try:
            request = self._request()
        except AttributionError as error:
            self._set(failure=Failure(str(error), error))
            return
        own = self.controller.state
        self._classifier = weakref.ref(request.a.classifier)
        involved = [own.well, state.well] if state.differs == "well" else [own.well]
        self._used = tuple(Used.of(well) for well in involved if well is not None)

        def done(found: Comparison) -> None:
            self._set(comparison=found, running=False)

        def failed(failure: Failure) -> None:
            self._set(failure=failure, running=False)

        def progressed(done: int, total: int) -> None:
            self._set(progress=(done, total))

        self._set(running=True, since=time.monotonic(), waited=0.0, progress=(0, 0), failure=None, gone="")
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

    def _request(self) -> Request:
        own, mine = self.controller.state, self.state
        first = self.controller.question()
        assert own.well is not None
        paints = paints_of(own.well)
        if mine.differs == "method":
            assert mine.method is not None
            names = (method_title(first.method), method_title(mine.method))
            second = replace(first, method=mine.method, parameters={})
            return Request("method", first, second, names, (paints, paints))
        if mine.differs == "classifier":
            assert mine.path is not None
            names = (first.classifier.name, mine.path.name)
            cells = FrozenCells.of(own.cells, own.well) if own.cells is not None else None
            return Request("classifier", first, first, names, (paints, paints), mine.path, cells)
        assert mine.well is not None
        stains = known_stains(first.classifier.card.stains, first.stain_map, mine.well.stains)
        cells = FrozenCells.of(mine.cells, mine.well) if self.wants_cells and mine.cells is not None else None
        second = replace(first, well=mine.well.freeze(), stain_map=stains, cells=cells)
        return Request("well", first, second, (own.well.name, mine.well.name), (paints, paints_of(mine.well)))

    def _look_for_what_is_gone(self) -> None:
        state, own = self.state, self.controller.state
        fates = [(used.name, used.fate(own.wells)) for used in self._used]
        closed = " and ".join(name for name, fate in fates if fate == "closed")
        changed = " and ".join(name for name, fate in fates if fate == "changed")
        if not state.running:
            state.gone = " ".join(
                ([f"No longer open: {closed}."] if closed else [])
                + ([f"The pixels of {changed} have changed since."] if changed else [])
            )
        elif closed or changed:
            self._stop(f"{closed or changed} was {'closed' if closed else 'changed'} while it was compared, so the comparison "
                       "was stopped.")  # fmt: skip
        elif own.classifier is not self._classifier():
            self._stop("The classifier was exchanged while it was used, so the comparison was stopped.")

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
        self._changed()
