"""The status card: what is right, what blocks, and how to put it right. A pure function of the dock's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_attribution.desktop.explain.offering import chosen
from napari_attribution.desktop.explain.state import State

Level = Literal["ok", "todo", "busy", "warn", "wrong"]

PATIENT = 2.0
"""Seconds after which the window says how long it has waited, and for what."""


@dataclass(frozen=True)
class Section:
    """One part of the dock: how it stands, in a few words for its heading, and a sentence where there is more to say."""

    level: Level
    summary: str = ""
    sentence: str = ""


@dataclass(frozen=True)
class Status:
    """How the whole dock stands.

    Parameters
    ----------
    well, classifier, stains, check, method : Section
    headline : str
        What blocks and what to do about it; empty where nothing does.
    level : Level
    ready : bool
        Whether "Explain" can be pressed.
    sample : bool
        Whether to offer the sample: nothing is open yet.
    """

    well: Section
    classifier: Section
    stains: Section
    check: Section
    method: Section
    headline: str
    level: Level
    ready: bool
    sample: bool


def status(state: State) -> Status:
    """Look at each part in the order in which a user fills them in; the headline is what is under way, else wrong, else missing."""
    parts = {
        "well": _well(state),
        "classifier": _classifier(state),
        "stains": _stains(state),
        "check": _check(state),
        "method": _method(state),
    }
    headline, level = "", "ok"
    blocking = [part for part in parts.values() if part.level in ("wrong", "todo", "busy")]
    if blocking:
        # What is under way comes first: it passes, and the button beside it stops it.
        under_way = [part for part in blocking if part.level == "busy" and part.sentence]
        worst = (under_way + [part for part in blocking if part.level == "wrong"] + blocking)[0]
        headline, level = worst.sentence, worst.level
    ready = level == "ok" and not state.explaining
    if state.explaining:
        headline, level = "", "busy"
    elif level == "ok" and state.open_error:
        # The well that is open stays; the one that could not be opened is named.
        headline, level = state.open_error, "wrong"
    elif state.run_error is not None and level == "ok":
        headline, level = state.run_error.sentence, "wrong"
    sample = state.well is None and state.path is None and not state.opening
    return Status(**parts, headline=headline, level=level, ready=ready, sample=sample)


def _well(state: State) -> Section:
    if state.opening:
        return Section("busy", "opening", f"Opening {state.opening} ...")
    if state.well is None:
        if state.open_error:
            return Section("wrong", "not opened", state.open_error)
        return Section("todo", "none open", "Open a well, or try the sample.")
    if state.well.problem:
        return Section("wrong", "not a well", state.well.problem)
    count = len(state.well.stains)
    return Section("ok", f"{count} stain{'s' if count != 1 else ''}")


def _classifier(state: State) -> Section:
    if state.loading:
        name = state.path.name if state.path else "the classifier"
        return Section("busy", "loading", _loading(state, name))
    if state.needs_card and state.path is not None:
        asks = f"{state.path.name} has no card: nothing says which stains it wants. Fill in its card once."
        said = state.classifier_error.sentence if state.classifier_error else asks
        return Section("wrong", "needs a card", said)
    if state.classifier_error is not None:
        return Section("wrong", "not usable", state.classifier_error.sentence)
    if state.classifier is None:
        return Section("todo", "none chosen", "Choose a classifier: a TorchScript or .pt2 file.")
    return Section("ok", f"{len(state.classifier.classes)} classes on {state.classifier.device}")


def _stains(state: State) -> Section:
    if state.classifier is None or state.well is None or state.well.problem:
        return Section("ok")
    card, mapping = state.classifier.card.stains, state.stain_map
    missing = [stain for stain in card if not mapping.get(stain)]
    if missing:
        return Section(
            "wrong",
            f"{len(card) - len(missing)} of {len(card)} mapped",
            f"The well has no stain named {_and(missing)}. Say below which of its stains stands for "
            f"{'it' if len(missing) == 1 else 'each'}.",
        )
    used = [mapping[stain] for stain in card]
    twice = next((stain for stain in used if used.count(stain) > 1), None)
    if twice:
        both = [stain for stain in card if mapping[stain] == twice]
        return Section("wrong", "used twice", f"{twice} stands for {_and(both)}. Give each its own stain.")
    return Section("ok", f"{len(card)} of {len(card)} mapped")


def _check(state: State) -> Section:
    if state.classifier is None or state.well is None or state.well.problem or _stains(state).level == "wrong":
        return Section("ok")
    if state.classifier.card.mode == "cells" and state.cells is None:
        return Section(
            "todo",
            "needs cells",
            "This classifier looks at single cells. Choose the layer that marks them (points, or labels).",
        )
    if state.checking:
        doing = "Looking at the well with this classifier"
        return Section("busy", "looking", f"{doing}: {_waited(state)}." if _waited(state) else f"{doing} ...")
    if state.check_cancelled:
        return Section(
            "todo",
            "cancelled",
            "The preflight was cancelled, so nobody knows whether classifier and well fit. Look again.",
        )
    if state.check_error is not None:
        return Section("wrong", "not possible", state.check_error.sentence)
    if state.checked is None:
        return Section("busy", "waiting")
    wrong = [finding.sentence for finding in state.checked.findings if finding.ok is False]
    if wrong and not (state.accept_flaws and state.checked.predicted is not None):
        more = "" if state.checked.predicted is None else " Tick “explain all the same” to go on regardless."
        return Section("wrong", f"{len(wrong)} wrong" if len(wrong) > 1 else "not right", " ".join(wrong) + more)
    probability = state.checked.probabilities.get(state.checked.predicted or "", 0.0)
    summary = f"{state.checked.predicted} {probability:.2f}"
    doubts = [finding for finding in state.checked.findings if finding.ok is not True]
    return Section("warn" if doubts else "ok", summary)


def _method(state: State) -> Section:
    offered = chosen(state)
    if not offered.possible:
        return Section("wrong", "not possible", f"{offered.method.title} is not possible: {offered.why}")
    return Section("ok", offered.method.title)


def _loading(state: State, name: str) -> str:
    if not _waited(state):
        return f"Loading {name} ..."
    why = " A file that is new here is first tried out in a second process." if state.tried_out else ""
    return f"Loading {name}: {_waited(state)}.{why}"


def _waited(state: State) -> str:
    return f"{state.waited:.0f} s" if state.waited >= PATIENT else ""


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
