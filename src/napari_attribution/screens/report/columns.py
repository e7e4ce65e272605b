"""The columns of results in words: what each is, and in which unit. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_attribution.methods.choice.catalogue import ALL

FLAGGED, DOUBTED = "flagged", "doubted"
"""The columns that say of a well how many flags it has, and how many of them are about its explanation; made here."""

HIDDEN = frozenset({"plate", "well", "row", "column", "field", "why", "error", "note"})
"""Columns that say where a row belongs, or that are read and not compared."""

_MEASURES = {
    "inside": "map inside cells",
    "edge": "map in the outermost 5 % of the field",
    "saturated": "map in saturated pixels",
    "empty": "map in empty pixels",
    "agreement": "agreement with the first method's map",
}
_QUALITY = {
    "cells": "area of the cells",
    "focus": "sharpness",
    "slope": "slope of the power spectrum",
    "saturated": "saturated pixels",
    "illumination": "evenness of the illumination",
}
_SHARES = ("importance.", "spread.", "probability.", "quality.cells", "quality.saturated.")
_SHARES_OF_MAP = ("inside", "edge", "saturated", "empty")
_WORDS = {
    "predicted": "predicted class",
    "target": "explained class",
    "margin": "margin of the prediction",
    "seconds": "seconds taken",
    "fields": "number of fields",
    "failed": "number of failed fields",
    "flags": "flags",
    FLAGGED: "number of flags",
    DOUBTED: "number of flags about the explanation",
}


def title(column: str, methods: Sequence[str] = ()) -> str:
    """A column as it is read: "importance.pcim.Mito" as "importance of Mito"; with the method, where there are several."""
    if column in _WORDS:
        return _WORDS[column]
    kind, _, rest = column.partition(".")
    if kind == "condition":
        return rest
    if kind in ("probability", "logit"):
        return f"{kind} of {rest}"
    if kind in ("importance", "spread", "faithfulness", "map", "distance"):
        method, _, what = rest.partition(".")
        by = f" ({method_title(method)})" if len(methods) != 1 else ""
        return {
            "importance": f"importance of {what}",
            "spread": f"spread of the importance of {what}",
            "faithfulness": f"faithfulness: {what}",
            "map": _MEASURES.get(what, f"map: {what}"),
            "distance": "how unusual the stains' importances are",
        }[kind] + by
    if kind == "quality":
        measure, _, stain = rest.partition(".")
        told = _QUALITY.get(measure, measure)
        return f"{told} of {stain}" if stain else told
    return column.replace(".", ": ").replace("_", " ")


def unit(column: str) -> str:
    """In which unit a column's numbers stand in the table; empty where its title says it, or there is none."""
    if column.startswith(_SHARES) or (column.startswith("map.") and column.rpartition(".")[2] in _SHARES_OF_MAP):
        return "share"
    return {"margin": "logit", "seconds": "s"}.get(column, "")


def method_title(method: str) -> str:
    """ "pcim" as "PCIM"."""
    return ALL[method].title if method in ALL else method


def group(column: str) -> str:
    """The heading under which a column is offered."""
    kind = column.partition(".")[0]
    return {
        "condition": "what was done",
        "predicted": "what the classifier says",
        "target": "what the classifier says",
        "probability": "what the classifier says",
        "logit": "what the classifier says",
        "margin": "what the classifier says",
        "importance": "which stain decides",
        "spread": "which stain decides",
        "faithfulness": "how far to trust the map",
    }.get(kind, "quality")


def number(value: float, column: str = "") -> str:
    """A value with the digits that it deserves: shares in per cent, minus signs that are one."""
    if not math.isfinite(value):
        return "no value"
    if column.startswith(_SHARES) or (column.startswith("map.") and column.rpartition(".")[2] in _SHARES_OF_MAP):
        share = f"{100 * value:.0f}" if abs(value) >= 0.1 or value == 0 else f"{100 * value:.1f}"
        return f"{share.removeprefix('-') if float(share) == 0 else share} %".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")
