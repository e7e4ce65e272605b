"""The same in Python: a text that, run by itself, asks the question of a record again and gives the very numbers."""

from __future__ import annotations

import pprint
import textwrap
from typing import Any

from napari_attribution.errors import CardError
from napari_attribution.keeping.again import recorded_card
from napari_attribution.keeping.records import Recorded
from napari_attribution.keeping.repeat import question_of

WIDTH = 108


def as_python(recorded: Recorded, card_beside: bool = True) -> str:
    """The text.

    Parameters
    ----------
    recorded : Recorded
    card_beside : bool
        Whether the classifier's file has its card with it (`card_is_beside`); the text holds it where not.

    Raises
    ------
    RequestError
        For a method or a parameter that does not exist.
    RecordError
        Where the record's card is damaged.
    """
    names = ["explain", "load_classifier", "read_well"]
    if recorded.place is not None:
        names.append("Place")
    if not card_beside:
        names.append("ClassifierCard")
    threads = recorded.work.threads
    parts = [f"from napari_attribution import {', '.join(sorted(names))}", ""]
    if threads is not None:
        comment = "# As many as then: sums that are split otherwise differ in their last bits."
        parts = ["import torch", *parts, comment, f"torch.set_num_threads({threads})", ""]
    parts += [*_well(recorded), *_classifier(recorded, card_beside), *_question(recorded)]
    then = recorded.result.score
    parts.append("print(answer.target, answer.score)" + ("" if then is None else f"  # {then!r} when this was copied"))
    return "\n".join(parts) + "\n"


def card_is_beside(recorded: Recorded) -> bool:
    """Whether the classifier's file has the record's card with it.

    Raises
    ------
    RecordError
        Where the record's card is damaged.
    """
    from pathlib import Path

    from napari_attribution.classifiers.cards.io import find_card

    if recorded.classifier.file is None:
        return False
    try:
        return find_card(Path(recorded.classifier.file)) == recorded_card(recorded)
    except (CardError, OSError):
        return False


def _well(recorded: Recorded) -> list[str]:
    well, reading = recorded.well, recorded.well.reading
    if reading is None:
        whence = ", ".join(well.source) or "pixels in memory"
        return [
            *_comment(
                f"The well did not come from files ({whence}). Put the path of its image here, or make it of pixels:"
            ),
            *_comment("well = Well(pixels, stains), with pixels of the axes (stain, y, x)."),
            *_call("well", "read_well", ["PATH OF THE WELL"], {"stains": well.stains}),
        ]
    # Names that were given later, to the layers.
    renamed = not set(well.stains) <= set(reading.found) and len(well.stains) == len(reading.found)
    options = {
        "stains": well.stains if renamed else reading.stains,
        "project": reading.project,
        "pattern": reading.pattern,
    }
    return _call(
        "well", "read_well", [reading.path], {name: value for name, value in options.items() if value is not None}
    )


def _classifier(recorded: Recorded, card_beside: bool) -> list[str]:
    file = recorded.classifier.file
    lines = [] if file else _comment("The classifier came from no file. Put the path of its file here:")
    options: dict[str, Any] = {"device": recorded.work.device}
    if card_beside:
        return lines + _call("classifier", "load_classifier", [file or "PATH OF THE CLASSIFIER"], options)
    card = recorded_card(recorded)
    fields = {name: getattr(card, name) for name in sorted(card.model_fields_set) if getattr(card, name) is not None}
    defaults = type(card).model_fields
    fields = {name: value for name, value in fields.items() if value != defaults[name].default}
    lines += _call("card", "ClassifierCard", [], fields)
    return lines + _call(
        "classifier", "load_classifier", [file or "PATH OF THE CLASSIFIER"], options | {"card": _Name("card")}
    )


def _question(recorded: Recorded) -> list[str]:
    asked = question_of(recorded)
    parameters = asked.pop("parameters")
    differing = {card: own for card, own in asked.pop("stain_map").items() if card.casefold() != own.casefold()}
    if differing:
        asked["stain_map"] = differing
    if recorded.place is not None:
        asked["place"] = _Place(recorded.place)
    idle = {"against": None, "cells": None, "accept_flaws": False, "faithfulness": False}
    asked = {name: value for name, value in asked.items() if name not in idle or value != idle[name]}
    return _call("answer", "explain", [_Name("classifier"), _Name("well")], asked | parameters)


class _Name(str):
    """A name in the text, not a string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class _Place:
    """The call that makes a place again."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = {name: record.get(name) for name in ("name", "shape", "runs")}


def _call(name: str, function: str, arguments: list[Any], options: dict[str, Any]) -> list[str]:
    """`name = function(...)`, on one line where it fits."""
    texts = [_text(value) for value in arguments]
    texts += [f"{option}={_text(value)}" for option, value in options.items()]
    line = f"{name} = {function}({', '.join(texts)})"
    if len(line) <= WIDTH and "\n" not in line:
        return [line]
    return [f"{name} = {function}(", *(textwrap.indent(f"{text},", "    ") for text in texts), ")"]


def _text(value: Any) -> str:
    if isinstance(value, _Name):
        return str(value)
    if isinstance(value, _Place):
        return f"Place.of_record(\n{textwrap.indent(_text(value.record), '    ')}\n)"
    return pprint.pformat(value, width=WIDTH - 8, compact=True, sort_dicts=False)


def _comment(sentence: str) -> list[str]:
    """As a comment; whatever a name holds, no line of it is outside."""
    plain = " ".join(sentence.split())
    return textwrap.wrap(plain, WIDTH, initial_indent="# ", subsequent_indent="# ")
