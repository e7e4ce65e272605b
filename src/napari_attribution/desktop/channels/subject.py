"""Which of the open wells the last answer is about; the user may have chosen, renamed or closed another since."""

from __future__ import annotations

from weakref import ref

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.wells_from_layers import OpenWell, find_wells
from napari_attribution.methods.attribution import Attribution


class Subject:
    """Finds an answer's well among the layers when the answer is new, and remembers its layers, whatever they are called later.

    Parameters
    ----------
    controller : Controller
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._answer: ref[Attribution] | None = None
        self._well: OpenWell | None = None

    @property
    def well(self) -> OpenWell | None:
        """The well with its stains as the answer calls them; None where it is not open any more."""
        answer = self._controller.state.answer
        if answer is None:
            return self._controller.state.well
        if self._answer is None or self._answer() is not answer:
            self._answer, self._well = ref(answer), self._found(answer)
        layers = self._controller.viewer.layers
        if self._well is not None and not any(layer in layers for layer in self._well.layers):
            # Pixels that nobody sees are not kept for this.
            self._well = None
        return self._well

    def _found(self, answer: Attribution) -> OpenWell | None:
        state = self._controller.state
        open_now = find_wells(self._controller.viewer.layers)
        if state.asked is not None:
            planes = state.asked.well.planes
            for well in open_now:
                if not well.problem and any(one is plane for one in well.freeze().planes for plane in planes):
                    return well
        chosen = state.well
        return chosen if chosen is not None and set(answer.stains) <= set(chosen.stains) else None
