"""A pick as a row of the picks' table, and back. Pure functions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from napari_attribution.desktop.picks.spots import Spot
from napari_attribution.methods.attribution import Attribution


def row_of(attribution: Attribution, well: str, number: int) -> dict[str, Any]:
    """What the table says of an answered pick.

    Parameters
    ----------
    attribution : Attribution
        With what was picked in its record.
    well : str
        Its name.
    number : int
        Of the pick, counted from 1.
    """
    note, part = attribution.record["pick"], attribution.part
    stains = {stain: value for stain, value in attribution.channel_importance.items() if math.isfinite(value)}
    top = max(stains, key=lambda stain: stains[stain], default="")
    assert attribution.place is not None
    return {
        "pick": number,
        "place": attribution.place.name,
        "class": attribution.target,
        "probability": attribution.probabilities[attribution.target],
        "says": attribution.predicted,
        "drop": math.nan if part is None else part.loses,
        "share of score": math.nan if part is None or part.share is None else part.share,
        "top stain": top if stains.get(top, 0) > 0 else "",
        "inside cell": math.nan if note["inside"] is None else note["inside"],
        "method": attribution.method,
        "score": attribution.score_name,
        "well": well,
        "cells": note["cells"],
        "cell": note["cell"],
        "row": note["row"],
        "column": note["column"],
        "side": note["side"],
        "corners": json.dumps(note["corners"]) if note["corners"] else "",
    }


def spot_of(row: Mapping[str, Any]) -> Spot | None:
    """Where a row's pick was; None for a point that is no pick of ours."""
    try:
        spot = Spot(
            float(row["row"]),
            float(row["column"]),
            max(1, int(row["side"])),
            tuple((float(y), float(x)) for y, x in json.loads(row["corners"] or "[]")),
            int(row["cell"]) or None,
        )
    except (KeyError, TypeError, ValueError):
        return None
    return spot if math.isfinite(spot.row) and math.isfinite(spot.column) else None


def same_pick(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two rows are of the same cell and question: one answer takes the place of the other."""
    same = all(row[name] == other[name] for name in ("well", "cells", "cell", "class", "corners"))
    if not same:
        return False
    spots = spot_of(row), spot_of(other)
    return bool(row["cell"]) or (spots[0] is not None and spots[0] == spots[1])
