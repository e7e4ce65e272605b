"""A field of results as the answer that it was: an `Attribution`, for all that shows or draws one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_attribution.errors import AttributionError
from napari_attribution.methods.attribution import Attribution, Floats
from napari_attribution.screens.report.field_record import field_record
from napari_attribution.screens.report.thumbnails import Sight

if TYPE_CHECKING:
    from napari_attribution.screens.results import Results
    from napari_attribution.wells import Well


_SCORES = ("whole", "filled", "keep 20", "remove 20", "elsewhere 20")
"""In the order of `Quick`."""


def map_of(maps: Mapping[str, Floats], method: str) -> Floats | None:
    """A method's map, (H, W), or (C, H, W) where it resolves the stains; None where no maps were kept."""
    if method in maps:
        return maps[method]
    resolved = [values for name, values in maps.items() if name.startswith(f"{method}: ")]
    return np.stack(resolved) if resolved else None


def answer_of(results: Results, row: Mapping[str, Any], method: str, values: Floats, well: Well | None) -> Attribution:
    """The answer of one method for one field.

    Parameters
    ----------
    results : Results
    row : mapping
        The field's row of the table.
    method : str
    values : (H, W) or (C, H, W) float32 ndarray
        Its map.
    well : Well or None
        Its pixels, where they can be read.
    """
    plan = results.record["plan"]
    importance, measured = (_numbers(row, f"{kind}.{method}.") for kind in ("importance", "faithfulness"))
    size = plan["plate"]["pixel_size"]
    return Attribution(
        values=values,
        native=values,
        stains=tuple(importance) if values.ndim == 2 else tuple(results.stains),
        channel_importance=importance,
        channel_spread={stain: s for stain, s in _numbers(row, f"spread.{method}.").items() if math.isfinite(s)},
        importance_meaning="the explanation, as the run divided it among the stains",
        target=str(row["target"]),
        score_name=f"contrast with {plan['against']}" if plan["against"] else str(plan["score"]),
        score=float(row.get(f"logit.{row['target']}", math.nan)),
        predicted=str(row["predicted"]),
        probabilities=_numbers(row, "probability."),
        method=method,
        units=f"{plan['score']}, as the run gave it",
        pixel_size=tuple(size) if size else None,
        device=str((results.record["runs"] or [{}])[-1].get("device", "")),
        seconds=float(row["seconds"]),
        forwards=math.nan,
        faithfulness={name: value for name, value in measured.items() if math.isfinite(value)},
        trust=_trust(measured, str(row["target"]), values.ndim == 3),
        record=field_record(results, row, method, well, values),
    )


def _trust(measured: Mapping[str, float], target: str, of_stains: bool) -> tuple[str, ...]:
    """How far to trust the map, in the sentences in which it was said when it was made."""
    from napari_attribution.faithfulness.quick import Quick
    from napari_attribution.faithfulness.words import sentences

    whole, filled, keep, remove, elsewhere = (measured.get(f"score {name}", math.nan) for name in _SCORES)
    if not math.isfinite(whole + filled + keep + remove + elsewhere):
        return ()
    return sentences(Quick(whole, filled, keep, remove, elsewhere, of_stains=of_stains), target)


def sight_of(results: Results, well: str, field: int, method: str) -> Sight:
    """What there is to see of a field: pixels that cannot be read any more, and maps that were not kept, are left out."""
    name = f"{well} field {field}"
    try:
        pixels = results.read_field(well, field)
    except AttributionError:
        pixels = None
    try:
        found = map_of(results.field_map(well, field), method)
    except AttributionError:
        found = None
    return Sight(name, pixels, found.sum(axis=0) if found is not None and found.ndim == 3 else found)


def _numbers(row: Mapping[str, Any], start: str) -> dict[str, float]:
    return {str(name)[len(start) :]: float(row[name]) for name in row.keys() if str(name).startswith(start)}  # noqa: SIM118
