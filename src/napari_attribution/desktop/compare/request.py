"""What is compared, frozen: two questions that differ in one thing, and what came of them. Runs in the worker."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from napari_attribution.classifiers.files.trial.limits import TIME_LIMIT
from napari_attribution.desktop import sample
from napari_attribution.desktop.compare import words
from napari_attribution.desktop.compare.picture import Paint, Picture, picture_of
from napari_attribution.desktop.explain.question import FrozenCells, Question
from napari_attribution.desktop.jobs import Report
from napari_attribution.desktop.layers.maps import robust_limit
from napari_attribution.desktop.torch_import import import_torch
from napari_attribution.errors import CardError, RequestError
from napari_attribution.faithfulness.agreement import Agreement, agreement

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.methods.attribution import Attribution

Differs = Literal["method", "classifier", "well"]
STEPS = 1000
"""Into how many the progress of both sides is divided."""


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two.

    Parameters
    ----------
    name : str
        What is its own: the method, the classifier's file, the well.
    attribution : Attribution
        Its `values` are the (H, W) map.
    picture : (H, W, 3) uint8 ndarray
        The well.
    inputs : (h, w)
        Of the classifier.
    """

    name: str
    attribution: Attribution
    picture: Picture
    inputs: tuple[int, int]

    @property
    def map(self) -> npt.NDArray[np.float32]:
        """(H, W), signed."""
        return self.attribution.values


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two answers side by side.

    Parameters
    ----------
    differs : "method", "classifier" or "well"
    sides : (Side, Side)
    agreement : Agreement, optional
        None for two wells, whose places are not the same.
    notes : tuple of str
        What the reader should know, in sentences.
    limits : (float, float)
        The value at which each map's colours would be full by itself.
    limit : float
        The same for both maps together.
    """

    differs: Differs
    sides: tuple[Side, Side]
    agreement: Agreement | None
    notes: tuple[str, ...]
    limits: tuple[float, float]
    limit: float

    @classmethod
    def of(cls, differs: Differs, sides: tuple[Side, Side], notes: tuple[str, ...] = ()) -> Comparison:
        """Compare the maps; takes a second where they are large."""
        a, b = sides
        found = None if differs == "well" else agreement(a.map, b.map, (a.name, b.name))
        return cls(
            differs, sides, found, notes, (robust_limit([a.map]), robust_limit([b.map])), robust_limit([a.map, b.map])
        )

    @property
    def same_units(self) -> bool:
        """Whether one scale of colours means the same in both."""
        return self.sides[0].attribution.units == self.sides[1].attribution.units


@dataclass(frozen=True, eq=False)
class Request:
    """A frozen request for a comparison.

    Parameters
    ----------
    differs : "method", "classifier" or "well"
    a, b : Question
        b is about the class that a turns out to be about. For two classifiers, b is asked of the one in `path`.
    names : (str, str)
    paints : how each well is shown (see `picture_of`)
    path : Path, optional
        The other classifier's file.
    cells : FrozenCells, optional
        For the other classifier, should it be one of single cells.
    """

    differs: Differs
    a: Question
    b: Question
    names: tuple[str, str]
    paints: tuple[tuple[Paint, ...] | None, tuple[Paint, ...] | None]
    path: Path | None = None
    cells: FrozenCells | None = None

    def answer(self, report: Report) -> Comparison:
        """Compute both sides; keeps no classifier.

        Raises
        ------
        AttributionError
            Where one of them cannot be explained, or the other classifier cannot be used.
        """
        import_torch()
        first = _side(self.a, self.names[0], self.paints[0], _Half(report, 0))
        target = first.attribution.target
        notes: tuple[str, ...] = ()
        if self.path is None:
            second = _side(replace(self.b, target=target), self.names[1], self.paints[1], _Half(report, 1))
        else:
            report(STEPS // 2, STEPS)
            second, notes = self._of_other_classifier(target, _Half(report, 1))
            _give_back()
        return Comparison.of(self.differs, (first, second), notes)

    def _of_other_classifier(self, target: str, report: _Half) -> tuple[Side, tuple[str, ...]]:
        assert self.path is not None
        other = load(self.path, self.a.classifier.device, report)
        mine = self.a.classifier.classes
        question = asked_of(other, replace(self.b, target=target), self.cells, self.names[1])
        notes = words.about_classifiers(self.names, (mine, other.classes), target)
        return _side(question, self.names[1], self.paints[1], report), notes


class _Half:
    """The report of one side as half of that of both."""

    def __init__(self, report: Report, half: int) -> None:
        self._report, self._half = report, half

    def __call__(self, done: int, total: int) -> None:
        share = min(done / total, 1.0) if total else 0.0
        self._report(int(STEPS * (self._half + share) / 2), STEPS)

    def cancelled(self) -> bool:
        return self._report.cancelled()


def load(path: Path, device: str, report: Any) -> Classifier:
    """The other classifier, tried out first where its file is new here.

    Raises
    ------
    AttributionError
        Where it is none, or has no card.
    """
    from napari_attribution.classifiers.files.loading import load_classifier

    limit = None if sample.is_ours(path) else TIME_LIMIT
    try:
        return load_classifier(path, device=device, time_limit=limit, cancelled=report.cancelled)
    except CardError as error:
        raise CardError(
            f"{path.name} cannot be compared without a card. {error} Open it once in the dock Explain well, which asks for "
            "what is missing and can save it."
        ) from None


def asked_of(other: Classifier, question: Question, cells: FrozenCells | None, name: str) -> Question:
    """The same question of another classifier.

    Raises
    ------
    RequestError
        Where it does not know the class.
    """
    by_name = {known.casefold(): known for known in other.classes}
    for wanted in (question.target, question.against):
        if wanted is not None and wanted.casefold() not in by_name:
            raise RequestError(
                f"{name} does not know the class “{wanted}”; it knows {', '.join(other.classes)}. In the dock Explain well, ask "
                "about a class that both classifiers know."
            )
    layers = {layer.name for layer in other.layers}
    parameters = dict(question.parameters)
    if parameters.get("layer") not in layers:
        parameters.pop("layer", None)
    return replace(
        question,
        classifier=other,
        target=by_name[question.target.casefold()] if question.target else None,
        against=by_name[question.against.casefold()] if question.against else None,
        stain_map=known_stains(other.card.stains, question.stain_map, question.well.stains),
        cells=cells if other.card.mode == "cells" else None,
        parameters=parameters,
    )


def known_stains(wanted: tuple[str, ...], chosen: Mapping[str, str], there: tuple[str, ...]) -> dict[str, str]:
    """The well's stains for a classifier's: those chosen for stains of these names, where the well has them, else by name."""
    from napari_attribution.classifiers.preparation.stains import propose_stains

    named = {card.casefold(): own for card, own in chosen.items() if own in there}
    by_name = propose_stains(wanted, there)
    found = {stain: named.get(stain.casefold()) or by_name[stain] for stain in wanted}
    return {stain: own for stain, own in found.items() if own}


def _side(question: Question, name: str, paints: tuple[Paint, ...] | None, report: Any) -> Side:
    explained = question.answer(report)
    h, w = explained.problems[0].x.shape[2:]
    attribution = explained.attribution
    return Side(
        name, replace(attribution, values=attribution.map), picture_of(question.well.read(), paints), (int(h), int(w))
    )


def _give_back() -> None:
    """Free what the other classifier took on a GPU."""
    import torch

    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()
