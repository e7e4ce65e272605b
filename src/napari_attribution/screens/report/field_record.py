"""The record of one field's answer, from that of the whole run: enough to repeat it by itself, as a record of `explain` is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_attribution.methods.attribution import Floats
    from napari_attribution.screens.results import Results
    from napari_attribution.wells import Well


def field_record(
    results: Results, row: Mapping[str, Any], method: str, well: Well | None, values: Floats
) -> dict[str, Any]:
    """What the run says of this field.

    Parameters
    ----------
    results : Results
    row : mapping
        The field's row of the table.
    method : str
    well : Well or None
        Its pixels; without them the record says whose it is, and cannot be repeated.
    values : (H, W) or (C, H, W) float32 ndarray
        Its map.
    """
    place = {"position": str(row["well"]), "field": int(row["field"])}
    if well is None:
        return {"method": method, "well": place, "screen": str(results.path)}
    from napari_attribution.methods.answers.record import hashes_of, sha256_of

    record, plan = results.record, results.record["plan"]
    circumstances = (record["runs"] or [{}])[-1]
    against = {"against": plan["against"]} if plan["against"] else {}
    asked = next(one["parameters"] for one in plan["methods"] if one["name"] == method)
    return {
        "record_version": record["record_version"],
        "versions": circumstances.get("versions", {}),
        "well": {
            **place,
            "name": well.name,
            "source": list(well.source),
            "stains": list(well.stains),
            "shape": list(well.pixels.shape),
            "dtype": str(well.pixels.dtype),
            "pixel_size_um": list(well.pixel_size) if well.pixel_size else None,
            "reading": None if well.reading is None else dict(well.reading),
            "sha256_of_planes": hashes_of(well).planes,
        },
        "classifier": {**record["classifier"], "card": plan["card"]},
        "stain_map": plan["stain_map"],
        "score": {"kind": plan["score"], "target": str(row["target"])} | against,
        "method": method,
        "parameters": asked,
        "accept_flaws": plan["accept_flaws"],
        "faithfulness": {} if plan["faithfulness"] else None,
        "work": {name: circumstances[name] for name in ("device", "threads") if name in circumstances},
        "result": {"sha256_of_map": sha256_of(values)},
        "screen": str(results.path),
    }
