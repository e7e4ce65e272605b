"""The record of a run in words: what was asked, with what, when. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_attribution.screens.report.columns import method_title
from napari_attribution.screens.report.wells import Wells
from napari_attribution.screens.results.notes import Note


def overview(wells: Wells, notes: Mapping[str, Note]) -> str:
    """ "384 wells with 768 fields, 1 not explained, 14 flagged, 2 left out."."""
    told = [_count(len(wells.positions), "well")]
    failed, flagged, doubted = (int(np.count_nonzero(mask)) for mask in (wells.failed, wells.flagged, wells.doubted))
    out = sum(note["excluded"] is not None for note in notes.values())
    if len(wells.fields) != len(wells.positions):
        told[0] += f" with {_count(len(wells.fields), 'field')}"
    told += [f"{failed} not explained"] if failed else []
    told += [f"{flagged} flagged" + (f" ({doubted} for the explanation)" if doubted else "")]
    told += [f"{out} left out"] if out else []
    return ", ".join(told) + "."


def asked(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The question: which plate, which classifier, explained how."""
    plan = _within(record, "plan")
    plate = _within(plan, "plate")
    classifier = _within(record, "classifier")
    rows, columns = plate.get("layout", (0, 0))
    score = plan.get("score", "")
    what = plan.get("target") or "the class that the classifier chooses, field by field"
    against = f" rather than {plan['against']}" if plan.get("against") else ""
    return [
        ("plate", f"{plate.get('name', '')} ({plate.get('format', '')}), {rows} x {columns} wells" if plate else ""),
        ("images", str(plate.get("source", ""))),
        ("classifier", f"{classifier.get('file', '')} (SHA-256 {str(classifier.get('sha256', ''))[:16]}...)"),
        ("classes", ", ".join(record.get("classes", ()))),
        ("stains", _stains(record, plan)),
        ("explained", f"{what}{against}, by its {score}" if score else ""),
        ("methods", "; ".join(_method(method) for method in plan.get("methods", ()))),
    ]


def circumstances(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """When, where and by which versions."""
    runs = record.get("runs") or []
    finished = _within(record, "finished")
    last = runs[-1] if runs else {}
    versions = _within(last, "versions")
    again = sum(int(run.get("tried_again", 0)) for run in runs)
    return [
        ("begun", str(runs[0].get("started", "")) if runs else ""),
        ("finished", str(finished.get("at", ""))),
        ("fields", f"{finished['fields']}, {finished['failed']} of them not explained" if "fields" in finished else ""),
        ("tried again", f"{_count(again, 'field')} that had failed" if again else ""),
        ("not judged", str(finished.get("not_judged") or "")),
        ("device", ", ".join(dict.fromkeys(str(run.get("device", "")) for run in runs))),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("plan", str(record.get("sha256_of_plan", ""))),
    ]


def _method(method: Mapping[str, Any]) -> str:
    parameters = ", ".join(
        f"{name} {value}" for name, value in method.get("parameters", {}).items() if value is not None
    )
    return f"{method_title(str(method['name']))} ({parameters})" if parameters else method_title(str(method["name"]))


def _stains(record: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """With the classifier's own names, where they are others."""
    mapping = {str(own): str(card) for card, own in _within(plan, "stain_map").items()}
    return ", ".join(
        stain if mapping.get(stain, stain) == stain else f"{stain} (for {mapping[stain]})"
        for stain in record.get("stains", ())
    )


def _within(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a record; empty where there is none."""
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}".replace(",", "\u2009")
