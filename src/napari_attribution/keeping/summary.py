"""The answer and its record as plain data: what is written as JSON, beside a map and inside its file."""

from __future__ import annotations

import json
import math
from typing import Any

from napari_attribution.methods.attribution import Attribution


def summary(attribution: Attribution) -> dict[str, Any]:
    """The answer and the record as plain data."""
    place, part = attribution.place, attribution.part
    return {
        "class": attribution.target,
        "predicted": attribution.predicted,
        "probabilities": dict(attribution.probabilities),
        "score": {"kind": attribution.score_name, "value": attribution.score},
        "method": attribution.method,
        "units": attribution.units,
        "channel_importance": dict(attribution.channel_importance),
        "channel_spread": dict(attribution.channel_spread),
        "importance_meaning": attribution.importance_meaning,
        "place": None if place is None else place.name,
        "part": None if part is None else part.record,
        "faithfulness": dict(attribution.faithfulness),
        "trust": list(attribution.trust),
        "warnings": list(attribution.warnings),
        "record": dict(attribution.record),
    }


def as_json(data: Any, indent: int | None = None, plain: bool = True) -> str:
    """As JSON that every program reads: a number that is none (NaN, infinity) is null.

    Parameters
    ----------
    data : plain data
    indent : int, optional
    plain : bool
        ASCII alone, which all containers take: XML has no room for some letters. Else as people write.
    """
    finite = _finite(data)
    text = json.dumps(finite, indent=indent, ensure_ascii=plain, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # The name of a file that is no text, as the system hands it over.
        return json.dumps(finite, indent=indent, allow_nan=False)
    return text


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
