"""What if this were gone: what is brushed over or clicked at is filled, and the classifier is asked again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_attribution.desktop.asking.erased import Erased
from napari_attribution.desktop.asking.objects import Click
from napari_attribution.desktop.asking.painting import Painting
from napari_attribution.desktop.asking.requests import Without
from napari_attribution.desktop.asking.well import answered_well, why_not
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.jobs import Failure
from napari_attribution.desktop.wells_from_layers import OpenWell

if TYPE_CHECKING:
    from napari_attribution.faithfulness.what_if import WhatIf
    from napari_attribution.methods.attribution import Attribution

Mode = Literal["off", "brush", "cell"]

KIND = "what if"
CLICK = 4.0
"""Pixels of the screen that the mouse may move in a click."""


class Removing:
    """What is removed of each well, and what the classifier says without it.

    Parameters
    ----------
    controller : Controller
    tell : callable
        Called after every change.

    Attributes
    ----------
    mode : "off", "brush" or "cell"
    stain : str or None
        The stain that is removed; None for all.
    size : int
        Of the brush, in pixels of the well.
    result : WhatIf, optional
        What the classifier says without what is removed now; None where nothing is, or it is not known (yet).
    error : str
        Why it is not known.
    """

    def __init__(self, controller: Controller, tell: Callable[[], None]) -> None:
        self.controller, self.viewer, self._tell = controller, controller.viewer, tell
        self.mode: Mode = "off"
        self.stain: str | None = None
        self.size = 24
        self.result: WhatIf | None = None
        self.error = ""
        self.well: OpenWell | None = None
        self._of: dict[tuple[int, ...], Erased] = {}
        self._asked: tuple[Attribution | None, int] = (None, 0)
        self._painting = Painting(self.viewer, self)
        self._clicks = itertools.count(1)
        self.viewer.mouse_drag_callbacks.append(self._clicked)

    def close(self) -> None:
        """Let go of the viewer."""
        self._painting.close()
        if self._clicked in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._clicked)

    # ------------------------------------------------------------------------------------------------------ state

    @property
    def erased(self) -> Erased | None:
        """What is removed of the answer's well."""
        return self._of.get(self.well.key) if self.well is not None else None

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way."""
        return self.controller.jobs.busy(KIND)

    @property
    def why_not(self) -> str:
        """Why nothing can be asked now; nothing where it can."""
        return why_not(self.controller.state, self.well)

    def look(self) -> None:
        """Find out what has changed around us: another answer, another well, no classifier."""
        state = self.controller.state
        self.well = answered_well(state) if state.answer is not None else None
        if self.mode != "off" and state.clicks != "remove":
            # Another tool was taken up since.
            self._set_mode("off")
        open_now = {well.key for well in state.wells}
        self._of = {key: erased for key, erased in self._of.items() if key in open_now}
        if self.well is None:
            self._rest()
            return
        shape = state.explained.prepared.well_shape
        erased = self._of.get(self.well.key)
        if erased is None or erased.bits.shape != shape or erased.stains != len(self.well.stains):
            erased = self._of[self.well.key] = Erased(shape, len(self.well.stains))
        if self.stain not in (None, *state.answer.stains):
            self.stain = None
        if erased.any or self.mode == "brush":
            self._show(erased)
        else:
            self._painting.take_away()
        self._ask()

    def _rest(self) -> None:
        """There is nothing to ask, for now."""
        self._set_mode("off")
        self.controller.jobs.cancel(KIND)
        self.result, self.error, self._asked = None, "", (None, 0)
        self._painting.take_away()

    # --------------------------------------------------------------------------------------------------- what to do

    def set_mode(self, mode: Mode) -> None:
        """Take the brush, click at cells, or neither."""
        if self.well is None or self.erased is None:
            mode = "off"
        state, clicks = self.controller.state, "" if mode == "off" else "remove"
        anew, state.clicks = clicks != state.clicks, clicks
        self._set_mode(mode)
        if mode == "brush":
            self._show(self.erased)
            self._painting.begin(self._bits(), self.size)
        self._tell()
        if anew and clicks:
            # Who had the clicks before must know.
            self.controller.changed()

    def set_stain(self, stain: str | None) -> None:
        """The stain to remove from now on; None for all."""
        self.stain = stain
        self._restart_brush()

    def set_size(self, size: int) -> None:
        """Of the brush, in pixels of the well."""
        self.size = size
        self._restart_brush()

    def undo(self) -> None:
        """Take back the last step."""
        if self.erased is not None and self.erased.undo():
            self._redraw()

    def put_back(self) -> None:
        """Put everything back; can be taken back as well."""
        if self.erased is not None and self.erased.put_back():
            self._redraw()

    def remove(self, mask: np.ndarray) -> None:
        """Remove the chosen stain, or all, in an (H, W) mask over the well."""
        erased = self.erased
        if erased is not None and mask.shape == erased.bits.shape and erased.remove(mask, self._bits()):
            self._redraw()

    def _bits(self) -> int:
        """The chosen stains, by their places among the well's."""
        state, erased = self.controller.state, self.erased
        if self.stain is None or state.asked is None:
            return erased.everything
        return 1 << state.asked.well.stains.index(self.stain)

    def _set_mode(self, mode: Mode) -> None:
        before, self.mode = self.mode, mode
        if before == "brush" and mode != "brush":
            self._painting.stop()

    def _restart_brush(self) -> None:
        if self.mode == "brush":
            self.set_mode("brush")
        else:
            self._tell()

    # ------------------------------------------------------------------------------------------------------- asking

    def _redraw(self) -> None:
        self._show(self.erased)
        self._ask()
        self._tell()

    def _ask(self) -> None:
        """Ask anew where what is removed, or what it is removed from, has changed."""
        state, erased = self.controller.state, self.erased
        wanted = (state.answer, erased.version)
        if wanted == self._asked:
            return
        self.controller.jobs.cancel(KIND)
        self.result, self.error, self._asked = None, "", (None, 0)
        if state.explaining:
            # The one worker is busy, and another answer is on its way.
            return
        self._asked = wanted
        if not erased.any:
            return
        indices = tuple(state.asked.well.stains.index(stain) for stain in state.answer.stains)

        def done(found: WhatIf) -> None:
            self.result = found
            self._tell()

        def failed(failure: Failure) -> None:
            self.error = failure.sentence
            self._tell()

        question = Without(state.explained, erased.copy(), indices)
        self.controller.jobs.start(KIND, question.answer, done, failed)

    # ------------------------------------------------------------------------------------------- what the user paints

    def painted(self, pixels: np.ndarray) -> None:
        """A stroke has ended, or the layer's pixels were exchanged."""
        erased = self.erased
        if erased is None:
            return
        if pixels.shape == erased.bits.shape:
            erased.take_over(pixels, self._bits())
            self._redraw()
            return
        self.error = (
            f"The layer of what is removed has {_size(pixels.shape)} pixels now, but the well has "
            f"{_size(erased.bits.shape)}: it is shown anew, as it was."
        )
        self._painting.take_away()
        self._show(erased)
        self._tell()

    def deleted(self) -> None:
        """Who deletes the layer puts everything back."""
        self._set_mode("off")
        if self.erased is not None and self.erased.put_back():
            self._ask()
        self._tell()

    def put_down(self) -> None:
        """The user has chosen another layer or tool in napari."""
        if self.mode == "brush":
            self._set_mode("off")
            self._tell()

    def _show(self, erased: Erased) -> None:
        self._painting.show(erased, self.well, self.controller.state.answer)

    # ---------------------------------------------------------------------------------------------------- clicking

    def _clicked(self, _viewer: Any, event: Any) -> Iterator[None]:
        if self.mode != "cell" or event.button != 1:
            return
        begun, dragged = np.asarray(event.pos), False
        yield
        while event.type == "mouse_move":
            dragged |= bool(np.abs(np.asarray(event.pos) - begun).max() > CLICK)
            yield
        if not dragged:
            self.remove_object(event.position)

    def remove_object(self, position: Any) -> None:
        """Remove the whole object of a label image at a position in the world."""
        erased = self.erased
        if erased is None:
            return
        well = self.well
        click = Click.at(
            position, reversed(self.viewer.layers), self.controller.state.cells, well.layers[0], erased.bits.shape
        )

        def done(mask: np.ndarray) -> None:
            if self.erased is erased:
                self.remove(mask)

        def failed(failure: Failure) -> None:
            self.error = failure.sentence
            self._tell()

        # Each click counts: none overtakes the one before.
        self.controller.jobs.start(f"removed object {next(self._clicks)}", click.mask, done, failed)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
