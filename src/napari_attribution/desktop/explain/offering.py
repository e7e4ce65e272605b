"""What the dock offers of the methods, and what the chosen one will cost. Pure functions of the dock's state."""

from __future__ import annotations

from collections.abc import Sequence

from napari_attribution.desktop.explain.state import State
from napari_attribution.errors import AttributionError
from napari_attribution.faithfulness.quick import forwards_needed as to_trust
from napari_attribution.methods.choice.catalogue import METHODS
from napari_attribution.methods.choice.offers import Offer, offer, offers

PROBE = 256 * 256
"""Pixels of the inputs by which a forward is timed, where the card leaves the input's size open."""


def on_offer(state: State) -> tuple[Offer, ...]:
    """Every method, and whether this classifier allows it; without a classifier, all are possible."""
    if state.classifier is None:
        return tuple(Offer(method, True, "", 0.0) for method in METHODS.values())
    return offers(state.classifier)


def still_possible(state: State) -> str:
    """The chosen method, or the first possible one where this classifier does not allow it."""
    possible = [one.method.name for one in on_offer(state) if one.possible]
    return state.method if state.method in possible or not possible else possible[0]


def refusals(offered: Sequence[Offer]) -> list[str]:
    """Which methods are not on offer and why, one sentence a reason."""
    methods: dict[str, list[str]] = {}
    for one in offered:
        if not one.possible:
            methods.setdefault(one.why, []).append(one.method.title)
    return [
        f"{' and '.join(titles)} {'is' if len(titles) == 1 else 'are'} not on offer: {why}"
        for why, titles in methods.items()
    ]


def chosen(state: State) -> Offer:
    """The chosen method with the parameters that are set."""
    method = METHODS[state.method]
    if state.classifier is None:
        return Offer(method, True, "", 0.0)
    return offer(state.classifier, method, method.parameters(**state.parameters.get(method.name, {})))


def cost(state: State) -> tuple[float, float] | None:
    """Forwards and seconds that the question will take; None where that is not known yet."""
    from napari_attribution.methods.choice.cost import forwards_needed

    classifier, shape = state.classifier, state.checked.input_shape if state.checked else None
    if classifier is None or shape is None:
        return None
    count, _, h, w = shape
    method = METHODS[state.method]
    try:
        settings = method.parameters(**state.parameters.get(method.name, {}))
        forwards = forwards_needed(classifier, method.name, settings, inputs=count, input_shape=(h, w)) + to_trust(
            count
        )
    except AttributionError:
        return None
    larger = h * w / PROBE if classifier.card.size is None else 1.0
    return forwards, forwards * classifier.forward_seconds * larger
