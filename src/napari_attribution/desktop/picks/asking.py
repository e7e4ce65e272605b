"""What a pick asks of the worker: first what is cheapest, then what the dock has chosen."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from napari_attribution.desktop.explain.question import Question
from napari_attribution.desktop.jobs import Report
from napari_attribution.desktop.picks.spots import Found, FrozenLabels, Spot, find
from napari_attribution.desktop.torch_import import import_torch
from napari_attribution.desktop.wells_from_layers import FrozenWell
from napari_attribution.methods.choice.catalogue import METHODS

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.methods.answers.explained import Explained
    from napari_attribution.methods.question.ground import Ground
    from napari_attribution.wells.well import Well

CHEAP = "leave-one-out"
"""The stains' values that are asked for first: one forward a stain."""


class Desk:
    """What the worker keeps from one pick to the next: the well that lies on it, and what was found of it.

    It keeps no classifier, so that one that is unloaded goes. Only the worker changes it; `clear` may be called from anywhere.
    """

    def __init__(self) -> None:
        self._lying: tuple[FrozenWell, Ground] | None = None
        self._touched: tuple[Path, int, int] | None = None
        self._sha256 = ""
        self._cheapest: WeakKeyDictionary[Classifier, tuple[str, dict[str, Any]]] = WeakKeyDictionary()

    def cheapest(self, classifier: Classifier) -> tuple[str, dict[str, Any]]:
        """`cheapest`, found once a classifier."""
        if classifier not in self._cheapest:
            self._cheapest[classifier] = cheapest(classifier)
        return self._cheapest[classifier]

    def ground(self, frozen: FrozenWell, classifier: Classifier, stain_map: Mapping[str, str]) -> Ground:
        """What was found of this well for this classifier's card; found anew where any pixel is another."""
        from napari_attribution.methods.question.ground import Ground

        if (lying := self._lying) is not None:
            before, ground = lying
            same = (before.stains, before.pixel_size) == (frozen.stains, frozen.pixel_size)
            same = same and ground.card == classifier.card and ground.stain_map == dict(stain_map)
            if same and _unchanged(ground.well, before, frozen):
                return ground
        well = frozen.read()
        # Of our own: the layer's may be painted over while this lies here.
        ground = Ground(replace(well, pixels=well.pixels.copy()), classifier.card, stain_map)
        self._lying = (frozen, ground)
        return ground

    def file_note(self, classifier: Classifier) -> str:
        """A sentence where the classifier's file is not what it was when it was loaded; it is read again only if it was touched."""
        path = classifier.path
        if path is None or not classifier.sha256:
            return ""
        try:
            touched = (path, path.stat().st_mtime_ns, path.stat().st_size)
            if touched != self._touched:
                with path.open("rb") as file:
                    self._touched, self._sha256 = touched, hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return f"The file {path.name} is not there any more. The answer is that of the classifier as it was loaded."
        if self._sha256 == classifier.sha256:
            return ""
        return (
            f"The file {path.name} has changed since it was loaded. The answer is that of the classifier as it was; open it "
            "again to ask the new one."
        )

    def clear(self) -> None:
        """Let go of the well."""
        self._lying = None


def _unchanged(well: Well, before: FrozenWell, now: FrozenWell) -> bool:
    """Whether the arrays are those that were read, and still hold the same pixels."""
    if len(before.planes) != len(now.planes) or any(a is not b for a, b in zip(before.planes, now.planes, strict=True)):
        return False
    # An array that lives elsewhere (a file, a computation) is not painted over.
    if not all(isinstance(plane, np.ndarray) for plane in now.planes):
        return True
    if now.channel_axis is not None:
        return np.array_equal(np.moveaxis(now.planes[0], now.channel_axis, 0).reshape(well.pixels.shape), well.pixels)
    return all(
        np.array_equal(plane.reshape(well.shape), own) for plane, own in zip(now.planes, well.pixels, strict=True)
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class PickQuestion(Question):
    """A frozen request to explain what was pointed at.

    Parameters
    ----------
    spot : Spot
    labels : FrozenLabels, optional
    desk : Desk
    coarse : bool
        By the cheapest method that the classifier allows, whatever method is named, without what can follow: the stains'
        values (`ValuesQuestion`), and how far to trust it.
    """

    spot: Spot = field(default_factory=lambda: Spot(0, 0))
    labels: FrozenLabels | None = None
    desk: Desk = field(default_factory=Desk)
    coarse: bool = False

    def answer(self, report: Report) -> Explained:
        """Compute; runs in the worker."""
        import_torch()
        from napari_attribution.faithfulness.explain import explained

        report(0, 0)
        ground = self.desk.ground(self.well, self.classifier, self.stain_map)
        meant = find(self.spot, self.labels, ground.well.shape)
        method, parameters = self.desk.cheapest(self.classifier) if self.coarse else (self.method, self.parameters)
        found = explained(
            self.classifier,
            ground.well,
            method,
            self.target,
            self.score,
            against=self.against,
            stain_map=self.stain_map,
            accept_flaws=self.accept_flaws,
            place=meant.place,
            faithfulness=self.faithfulness and not self.coarse,
            progress=report,
            ground=ground,
            **parameters,
        )
        return replace(found, attribution=_noted(found, meant, self))

    def settled(self, found: Explained) -> Question:
        """The plain question about the place that was meant, by the method that was taken."""
        attribution = found.attribution
        own = {one.name: getattr(self, one.name) for one in fields(Question)}
        own |= {"place": attribution.place, "method": attribution.method}
        if self.coarse:
            own |= {"parameters": self.desk.cheapest(self.classifier)[1], "faithfulness": False}
        return Question(**own)


@dataclass(frozen=True, eq=False, kw_only=True)
class ValuesQuestion(Question):
    """What the stains count for in an answer that was given without.

    Parameters
    ----------
    given : Explained
    """

    given: Explained

    def answer(self, report: Report) -> Explained:
        """Compute; runs in the worker."""
        from napari_attribution.classifiers.heeding import heeding
        from napari_attribution.methods.channels.values import stain_values

        report(0, 0)
        started = time.perf_counter()
        with heeding(lambda: report(0, 0)):
            values, _, meaning = stain_values(replace(self.given.problems[0], progress=report), CHEAP)
        before = self.given.attribution
        total = float(values.abs().sum())
        shares = [float(value) / total if total > 0 else 0.0 for value in values]
        seconds = before.seconds + time.perf_counter() - started
        forwards = round(self.classifier.forwards, 2)
        record = {
            **before.record,
            "parameters": {**before.record["parameters"], "channels": CHEAP},
            "work": {**before.record["work"], "seconds": round(seconds, 4), "forwards": forwards},
        }
        attribution = replace(
            before,
            seconds=seconds,
            forwards=forwards,
            channel_importance=dict(zip(before.stains, shares, strict=True)),
            importance_meaning=meaning,
            record=record,
        )
        return replace(self.given, attribution=attribution)

    def settled(self, found: Explained) -> Question:
        """The plain question that has both for its answer."""
        own = {one.name: getattr(self, one.name) for one in fields(Question)}
        return Question(**own | {"parameters": {**self.parameters, "channels": CHEAP}})


def cheapest(classifier: Classifier) -> tuple[str, dict[str, Any]]:
    """The method on offer that takes the fewest forwards, and its parameters: where it can, it leaves the stains' values out."""
    from napari_attribution.methods.choice.offers import offer

    found = []
    for method in METHODS.values():
        values = {"channels": "none"} if "channels" in method.parameters.model_fields else {}
        offered = offer(classifier, method, method.parameters(**values))
        if offered.possible:
            found.append((offered.forwards, method.name, values))
    _, name, values = min(found, key=lambda one: one[0])
    return name, values


def _noted(found: Explained, meant: Found, asked: PickQuestion) -> Any:
    """The attribution, with what was picked in its record."""
    spot = asked.spot
    note = {
        "kind": meant.kind,
        "cell": meant.label,
        "cells": asked.labels.name if asked.labels else "",
        "row": round(float(spot.row), 2),
        "column": round(float(spot.column), 2),
        "side": spot.side,
        "corners": [list(corner) for corner in spot.corners],
        "inside": _inside(found, meant),
        "coarse": asked.coarse,
    }
    attribution = found.attribution
    if doubt := asked.desk.file_note(asked.classifier):
        attribution = replace(attribution, warnings=(*attribution.warnings, doubt))
    return replace(attribution, record={**attribution.record, "pick": note})


def _inside(found: Explained, meant: Found) -> float | None:
    """Share of what speaks for the class, in all that the input shows, that lies in the cell."""
    from napari_attribution.faithfulness.localisation import mass

    if meant.cells is None:
        return None
    values = found.at_input()
    flat = values.sum(axis=0) if values.ndim == 3 else values
    cells = found.prepared.of_mask(meant.cells)[0, 0].numpy() >= 0.5
    return mass(flat, cells) if cells.any() and (flat > 0).any() else None
