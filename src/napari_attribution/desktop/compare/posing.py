"""From what is chosen in the docks to two questions that differ in one thing."""

from __future__ import annotations

from dataclasses import replace

from napari_attribution.desktop.compare.picture import paints_of
from napari_attribution.desktop.compare.request import Request, known_stains
from napari_attribution.desktop.compare.state import State
from napari_attribution.desktop.compare.words import method_title
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.question import FrozenCells
from napari_attribution.desktop.explain.state import State as ExplainState
from napari_attribution.desktop.wells_from_layers import OpenWell


def request_of(controller: Controller, chosen: State) -> Request:
    """Freeze what is to be compared: the Explain dock's question, and the same with one thing changed.

    Raises
    ------
    AttributionError
        Where the layers are no wells, or those of the cells no cells.
    """
    own = controller.state
    first = controller.question()
    assert own.well is not None
    paints = paints_of(own.well)
    if chosen.differs == "method":
        assert chosen.method is not None
        names = (method_title(first.method), method_title(chosen.method))
        second = replace(first, method=chosen.method, parameters={})
        return Request("method", first, second, names, (paints, paints))
    if chosen.differs == "classifier":
        assert chosen.path is not None
        names = (first.classifier.name, chosen.path.name)
        cells = FrozenCells.of(own.cells, own.well) if own.cells is not None else None
        return Request("classifier", first, first, names, (paints, paints), chosen.path, cells)
    assert chosen.well is not None
    stains = known_stains(first.classifier.card.stains, first.stain_map, chosen.well.stains)
    cells = FrozenCells.of(chosen.cells, chosen.well) if wants_cells(own, chosen) and chosen.cells is not None else None
    second = replace(first, well=chosen.well.freeze(), stain_map=stains, cells=cells)
    return Request("well", first, second, (own.well.name, chosen.well.name), (paints, paints_of(chosen.well)))


def asking(own: ExplainState, chosen: State) -> tuple[object, ...]:
    """What would be compared now: tells whether it is still what was compared."""
    other = {"method": chosen.method, "classifier": chosen.path, "well": chosen.well.key if chosen.well else None}
    parameters = tuple(sorted((name, repr(value)) for name, value in own.parameters.get(own.method, {}).items()))
    question = (own.method, parameters, own.target, own.against, own.score, tuple(own.stain_map.items()))
    return chosen.differs, other[chosen.differs], own.path, own.well.key if own.well else None, *question


def lacking(own: ExplainState, well: OpenWell) -> str:
    """Which of the classifier's stains another well does not have, in a sentence; empty where it has all."""
    assert own.classifier is not None
    chosen = {card: mine for card, mine in own.stain_map.items() if mine}
    wanted = own.classifier.card.stains
    found = known_stains(wanted, chosen, well.stains)
    missing = [stain for stain in wanted if stain not in found]
    if not missing:
        return ""
    return (
        f"{well.name} has no stain named {', '.join(missing)}; it has {', '.join(well.stains)}. Rename its layers after their "
        "stains, or choose another well."
    )


def wants_cells(own: ExplainState, chosen: State) -> bool:
    """Whether the other well's cells must be marked."""
    return chosen.differs == "well" and own.classifier is not None and own.classifier.card.mode == "cells"
