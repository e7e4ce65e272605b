"""The well that the last answer is about, among the layers that are open now."""

from __future__ import annotations

from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.wells_from_layers import OpenWell

UNLOADED = "The classifier was unloaded since. Open it and explain again, to ask more."
GONE = "The well of this answer is no longer open as it was: its layers were deleted, or their pixels exchanged. Explain again."


def answered_well(state: State) -> OpenWell | None:
    """The open well whose very pixels the last answer is about.

    None where the classifier has been unloaded, or where the well's layers were deleted or hold other pixels now.
    """
    if state.asked is None:
        return None
    planes = state.asked.well.planes
    for well in state.wells:
        if _holds(well, planes):
            return well
    return None


def _holds(well: OpenWell, planes: tuple[object, ...]) -> bool:
    """Whether these are the arrays of its layers; asked at every change of the dock, so nothing is frozen for it."""
    now = [layer.data[0] if layer.multiscale else layer.data for layer in well.layers]
    same = len(now) == len(planes) and all(a is b for a, b in zip(now, planes, strict=True))
    return same and not well.problem


def why_not(state: State, well: OpenWell | None) -> str:
    """Why nothing can be asked of the answer, with what to do; nothing where all is there."""
    if state.explained is None:
        return UNLOADED
    return "" if well is not None else GONE
