"""How much of the map is enough: its top as an overlay, and what the classifier says of that alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np
from napari.layers import Layer

from napari_attribution.desktop.asking.requests import Top
from napari_attribution.desktop.asking.well import answered_well, why_not
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.jobs import Failure
from napari_attribution.desktop.layers import veil
from napari_attribution.desktop.layers.following import Following, put_on_well
from napari_attribution.desktop.layers.known import find
from napari_attribution.desktop.wells_from_layers import OpenWell

if TYPE_CHECKING:
    from napari_attribution.faithfulness.curves import Curves
    from napari_attribution.faithfulness.enough import Enough
    from napari_attribution.methods.attribution import Attribution

ORDER, KEPT, CURVE = "top of the map", "enough", "enough curve"
KINDS = (ORDER, KEPT, CURVE)

UNASKED = 8.0
"""Seconds that the curve may take without being asked for."""


class Sufficing:
    """The chosen share of the map, and what is known of it.

    Parameters
    ----------
    controller : Controller
    tell : callable
        Called after every change.

    Attributes
    ----------
    percent : int
        From 1 to 100.
    opened : bool
        Whether the user looks: nothing is asked before.
    found : Enough, optional
        What the classifier says of the top alone; of `percent`, or None.
    curves : Curves, optional
    progress : (int, int)
        Of the curves, while they are under way.
    error : str
    """

    def __init__(self, controller: Controller, tell: Callable[[], None]) -> None:
        self.controller, self.viewer, self._tell = controller, controller.viewer, tell
        self.percent = 20
        self.opened = False
        self.found: Enough | None = None
        self.curves: Curves | None = None
        self.progress = (0, 0)
        self.error = ""
        self.well: OpenWell | None = None
        self._answer: Attribution | None = None
        self._order: np.ndarray | None = None
        self._curves_wanted = False
        self._following = Following(self._moved)
        self._lies_on: tuple[ref[Layer], ...] = ()

    def close(self) -> None:
        """Let go of the well's layers."""
        self._following.follow(None)

    # ------------------------------------------------------------------------------------------------------ state

    @property
    def why_not(self) -> str:
        """Why nothing can be asked now; nothing where it can."""
        return why_not(self.controller.state, self.well)

    @property
    def ready(self) -> bool:
        """Whether a share can be chosen: the order of the map's places is known."""
        return self._order is not None

    @property
    def drawing(self) -> bool:
        """Whether the curves are under way."""
        return self._curves_wanted and self.curves is None

    @property
    def roughly(self) -> float | None:
        """The score of the chosen share, read off the curve; None where there is none."""
        if self.curves is None:
            return None
        return float(np.interp(self.percent / 100, self.curves.shares, self.curves.insertion))

    @property
    def cost(self) -> tuple[float, float]:
        """What the curves take: forwards, and seconds."""
        explained = self.controller.state.explained
        if explained is None:
            return 0.0, 0.0
        from napari_attribution.faithfulness.enough import forwards_of_curves

        forwards = float(forwards_of_curves(len(explained.problems)))
        return forwards, forwards * explained.problems[0].classifier.forward_seconds

    def look(self) -> None:
        """Find out what has changed around us: another answer, no classifier, no well."""
        state = self.controller.state
        self.well = answered_well(state) if state.answer is not None else None
        if state.answer is not self._answer:
            self._answer = state.answer
            self.found = self.curves = self._order = None
            self.error, self._curves_wanted = "", False
            self.controller.jobs.cancel(*KINDS)
            veil.hide_veil(self.viewer)
            self._begin()
        elif state.explained is None:
            self.controller.jobs.cancel(*KINDS)
            self._curves_wanted = self._curves_wanted and self.curves is not None
        elif state.explaining:
            # The question comes first: there is one worker.
            self.controller.jobs.cancel(CURVE)
            self._curves_wanted = self._curves_wanted and self.curves is not None
        if self.well is not None:
            self._lies_on = tuple(ref(layer) for layer in self.well.layers)
        if self._order is not None and not self._well_is_there():
            # The overlay would not be of what is seen.
            veil.hide_veil(self.viewer)
        self._following.follow(self.well.layers[0] if self.well is not None else None)

    # --------------------------------------------------------------------------------------------------- what to do

    def open(self, opened: bool) -> None:
        """The user begins to look, or stops."""
        self.opened = opened
        if not opened:
            veil.hide_veil(self.viewer)
            self.controller.jobs.cancel(*KINDS)
            self._curves_wanted = self.curves is not None
        else:
            self.error = ""
            self._begin()
        self._tell()

    def move(self, percent: int) -> None:
        """Choose another share; the overlay follows at once, the exact score is asked for by `ask`."""
        if percent == self.percent:
            return
        self.percent = percent
        self.found = None
        if self.opened and self._order is not None and self._well_is_there():
            self._veil()
        self._tell()

    def ask(self) -> None:
        """Ask what the classifier says of the chosen share."""
        state, percent = self.controller.state, self.percent
        if not self._askable():
            return
        # What waits behind the curves would wait for long.
        interrupted = self.drawing and self.controller.jobs.busy(CURVE)
        if interrupted:
            self.controller.jobs.cancel(CURVE)

        def done(found: Enough) -> None:
            self.error = ""
            if percent == self.percent:
                self.found = found
            self._tell()

        top = Top(state.explained)
        self.controller.jobs.start(KEPT, lambda report: top.kept(percent / 100, report), done, self._failed)
        if interrupted:
            self.draw()

    def draw(self) -> None:
        """Draw the curves."""
        if not self._askable():
            return

        def done(curves: Curves) -> None:
            self.curves = curves
            self._tell()

        def failed(failure: Failure) -> None:
            self._curves_wanted = False
            self._failed(failure)

        def progressed(done: int, total: int) -> None:
            self.progress = (done, total)
            self._tell()

        self._curves_wanted, self.progress = True, (0, 0)
        self.controller.jobs.start(CURVE, Top(self.controller.state.explained).curves, done, failed, progressed)
        self._tell()

    # --------------------------------------------------------------------------------------------------------- inside

    def _well_is_there(self) -> bool:
        """Whether the answer's well is open as it was; without its classifier, whether the layers are there is all we know."""
        if self.controller.state.explained is not None:
            return self.well is not None
        return all(layer() is not None and layer() in self.viewer.layers for layer in self._lies_on)

    def _askable(self) -> bool:
        state = self.controller.state
        return self.opened and state.explained is not None and self.well is not None and not state.explaining

    def _begin(self) -> None:
        """Ask for what is not known of this answer yet."""
        if not self._askable() or self.error:
            return
        if self._order is not None:
            self._veil()
        else:
            answer = self._answer

            def done(order: np.ndarray) -> None:
                if self._answer is answer:
                    self._order = order
                    if self.opened:
                        self._veil()
                    self._tell()

            self.controller.jobs.start(ORDER, Top(self.controller.state.explained).order, done, self._failed)
        if self.found is None:
            self.ask()
        if self.curves is None and self.cost[1] <= UNASKED:
            self.draw()

    def _failed(self, failure: Failure) -> None:
        self.error, self.found = failure.sentence, None
        if self._order is None:
            veil.hide_veil(self.viewer)
        self._tell()

    def _veil(self) -> None:
        layer = find(self.viewer, veil.VEIL)
        if layer is None or not layer.visible or layer.data is not self._order:
            references = self.well.layers if self.well is not None else ()
            veil.show_veil(self.viewer, self._order, self.percent / 100, references, self._answer)
        else:
            veil.lift_veil(self.viewer, self.percent / 100)

    def _moved(self) -> None:
        if self.well is not None and self._answer is not None:
            put_on_well(self.viewer, veil.VEIL, self.well.layers, self._answer)
