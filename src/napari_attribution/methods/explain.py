"""explain: one question, one answer. What the dock, the command line and Python all call, by way of
`napari_attribution.faithfulness.explain`, which adds how far to trust the answer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from napari_attribution.errors import DeviceError, RequestError
from napari_attribution.methods.attribution import Attribution
from napari_attribution.methods.catalogue import ALL, Method
from napari_attribution.methods.parameters import Parameters
from napari_attribution.wells import Well
from napari_attribution.wells.place import Place

if TYPE_CHECKING:
    from torch import Tensor

    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.classifiers.preparation.prepare import Prepared
    from napari_attribution.methods.ground import Ground
    from napari_attribution.methods.problem import Problem, Progress, Result
    from napari_attribution.methods.score import Score


@dataclass(frozen=True, eq=False)
class Explained:
    """An answer, and what it was made of.

    Parameters
    ----------
    attribution : Attribution
    prepared : Prepared
        The inputs as they are, and their way back to the well.
    problems : tuple of N Problem
        One an input.
    results : tuple of N Result
    scores : (N, K) Tensor
        The classifier's for each input, on the CPU.
    """

    attribution: Attribution
    prepared: Prepared
    problems: tuple[Problem, ...]
    results: tuple[Result, ...]
    scores: Tensor

    def at_input(self, index: int = 0) -> npt.NDArray[np.float64]:
        """The signed map of one input at the input's resolution, (h, w) or (C, h, w)."""
        from napari_attribution.classifiers.preparation.prepare import lay

        x, result = self.problems[index].x, self.results[index]
        size = (x.shape[2], x.shape[3])
        laid: npt.NDArray[np.float64] = lay(result.map, result.grid, size, size).numpy()
        return laid

    def within(self, index: int = 0) -> npt.NDArray[np.bool_] | None:
        """The (h, w) places of one input that are not the fill already; None where all may be something else."""
        place = self.attribution.place
        if place is None or self.attribution.part is None:
            return None
        found: npt.NDArray[np.bool_] = (self.prepared.of_mask(place.mask)[index, 0] > 0).numpy()
        return found


def explain(*question: Any, **settings: Any) -> Attribution:
    """The answer alone; takes what `answer` takes."""
    return answer(*question, **settings).attribution


def answer(
    classifier: Classifier,
    well: Well,
    method: str = "pixel-ablation-cam",
    target: str | None = None,
    score: str = "logit",
    *,
    against: str | None = None,
    stain_map: Mapping[str, str] | None = None,
    cells: npt.ArrayLike | None = None,
    place: Place | None = None,
    accept_flaws: bool = False,
    progress: Progress | None = None,
    ground: Ground | None = None,
    **parameters: Any,
) -> Explained:
    """Why does the classifier give the well this score?

    Parameters
    ----------
    classifier : Classifier
    well : Well
    method : str
        One of `METHODS` ("pixel-ablation-cam", "fused-ablation-cam", "pcim", ...) or of `REFERENCES`, what they are measured
        against ("grad-cam", "integrated-gradients", ...).
    target : str, optional
        The class to explain; the predicted one by default.
    score : str
        "logit", "probability", or "contrast" (the class's logit less another's).
    against : str, optional
        The other class of a contrast; the best of the others by default.
    stain_map : mapping of card stain to well stain, optional
        For stains whose names differ.
    cells : (n, 2) array, optional
        Centres (row, column) of the cells in well pixels, for classifiers of single cells.
    place : Place, optional
        Explain this part of the well alone: of a classifier of tiles or single cells, the window about it. What else the
        input shows is filled, but for classifiers of single cells, which have always seen a cell's neighbours.
    accept_flaws : bool
        Explain a well with an empty or saturated stain all the same.
    progress : callable, optional
        Called with (steps done, steps in all) from the computing thread; raising `Cancelled` there stops the work.
    ground : Ground, optional
        What was found of this well before, with this card and stain map, where many questions are asked of it.
    **parameters
        The method's own parameters, see `parameters` of the method in the catalogue.

    Returns
    -------
    Explained
        The attribution (the signed map at well resolution, the stains' importance, and the record), with the problems
        that were solved for it and what the method gave for each.

    Raises
    ------
    RequestError
        For a method, class, score or parameter that does not exist, or a method that the classifier does not allow
        (`napari_attribution.methods.offers`).
    LayerError
        For a method that looks inside a network that cannot be cut, or not there.
    WellError, StainError
        For a well that cannot be explained, or whose stains are not those of the classifier.
    ClassifierError, DeviceError, CardError
        Where the classifier fails on the well, or has no room.
    """
    from napari_attribution.classifiers.heeding import heeding
    from napari_attribution.classifiers.memory import is_out_of_memory, no_room
    from napari_attribution.methods.ground import Ground
    from napari_attribution.methods.parts import part_of
    from napari_attribution.methods.record import make_record, sha256_of

    started = time.perf_counter()
    classifier.forwards = 0.0
    chosen = find_method(method)
    settings = check_parameters(chosen, parameters)
    _check_offer(classifier, chosen, settings)
    ground = ground or Ground(well, classifier.card, stain_map)
    prepared = ground.prepared(cells, place)
    kept = _kept(classifier, prepared, place)
    warnings = ground.warnings(prepared, accept_flaws)
    known = ground.told(classifier) if cells is None and place is None else None
    still_wanted = Repeated(progress)
    try:
        with heeding(still_wanted.check):
            problems, results, scores = _compute(
                classifier, prepared, chosen, settings, score, target, against, still_wanted, kept, known
            )
            part = None
            if kept is not None:
                ends = ground.ends(classifier, prepared, settings.fill)
                part = part_of(classifier, prepared, kept, settings.fill, problems[0].score, ends)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise DeviceError(no_room(classifier.device)) from None
        raise
    asked = problems[0].score
    wanted = {"target": target, "score": score, "against": against}
    extras = [result.extra for result in results]
    record = make_record(classifier, well, prepared, chosen, settings, asked, extras, wanted, ground.hashes)
    record |= {"cells": None if cells is None else np.asarray(cells).tolist(), "accept_flaws": accept_flaws}
    if place is not None:
        record |= {"place": place.record, "part": part.record if part else None}
    attribution = _assemble(
        classifier,
        well,
        prepared,
        results,
        asked,
        scores.mean(dim=0),
        warnings,
        chosen,
        time.perf_counter() - started,
        record,
    )
    if place is not None:
        attribution = replace(attribution, values=attribution.values * place.mask, place=place, part=part)
    found = {"predicted": attribution.predicted, "score": attribution.score}
    found["sha256_of_map"] = sha256_of(attribution.values)
    attribution = replace(attribution, record={**attribution.record, "result": found})
    return Explained(attribution, prepared, tuple(problems), tuple(results), scores)


class Repeated:
    """A progress that can be reported again, unchanged, from within a long forward: whoever listens may cancel there."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._last = (0, 0)
        self._asked = 0.0

    def __call__(self, done: int, total: int) -> None:
        self._last = (done, total)
        if self._progress is not None:
            self._progress(done, total)

    def check(self) -> None:
        """Report the same again, at most twenty times a second."""
        if self._progress is not None and time.monotonic() - self._asked > 0.05:
            self._asked = time.monotonic()
            self._progress(*self._last)


def _compute(
    classifier: Classifier,
    prepared: Prepared,
    method: Method,
    settings: Parameters,
    kind: str,
    target: str | None,
    against: str | None,
    progress: Progress | None,
    kept: Tensor | None,
    known: Tensor | None,
) -> tuple[list[Problem], list[Result], Tensor]:
    """For every input its problem, the method's result, and the classifier's scores."""
    from napari_attribution.methods.posing import pose

    posed, scores = pose(
        classifier,
        prepared,
        kind,
        target,
        against,
        settings.fill,
        lambda index, count: _windowed(progress, index, count),
        kept,
        known,
    )
    compute = import_module(f"napari_attribution.methods.{method.module}").compute
    problems = list(posed)
    results: list[Result] = [compute(problem, settings) for problem in problems]
    return problems, results, scores


def _kept(classifier: Classifier, prepared: Prepared, place: Place | None) -> Tensor | None:
    """How much of the one input's pixels is left; None where all of it is."""
    if place is None or classifier.card.mode == "cells":
        return None
    kept = prepared.of_mask(place.mask)
    return None if bool((kept == 1).all()) else kept


def find_method(name: str) -> Method:
    """The method of that name.

    Raises
    ------
    RequestError
        Where there is none; names those that there are.
    """
    if name not in ALL:
        raise RequestError(f"There is no method {name!r}. Choose one of: {', '.join(ALL)}.")
    return ALL[name]


def check_parameters(method: Method, values: Mapping[str, Any]) -> Parameters:
    """The method's parameters from plain values.

    Raises
    ------
    RequestError
        For a parameter that the method does not have, or a value that it cannot take.
    """
    try:
        return method.parameters(**values)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in found["loc"])
        if found["type"] == "extra_forbidden":
            have = ", ".join(method.parameters.model_fields)
            raise RequestError(f"{method.title} has no parameter {name!r}. It has: {have}.") from None
        raise RequestError(f"{method.title} cannot take {name} = {found['input']!r}: {found['msg']}.") from None


def _check_offer(classifier: Classifier, method: Method, settings: Parameters) -> None:
    from napari_attribution.methods.offers import offer

    found = offer(classifier, method, settings)
    if not found.possible:
        raise found.error(found.why)


def _windowed(progress: Progress | None, index: int, count: int) -> Progress:
    """Progress over all windows, from that of one."""

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(index * total + done, count * total)

    return report


def _assemble(
    classifier: Classifier,
    well: Well,
    prepared: Prepared,
    results: list[Result],
    asked: Score,
    scores: Any,
    warnings: list[str],
    method: Method,
    seconds: float,
    record: dict[str, Any],
) -> Attribution:
    import torch

    maps = torch.stack([result.map for result in results])
    strengths = torch.tensor([result.strength or 0.0 for result in results])
    if len(results) > 1 and float(strengths.max()) > 0:
        maps = maps * (strengths / strengths.max()).reshape(-1, *(1,) * (maps.ndim - 1))
    values = prepared.to_well(maps, results[0].grid)
    native: npt.NDArray[np.float32] = maps[0].float().numpy() if len(results) == 1 else values
    importance = torch.stack([result.importance for result in results]).mean(dim=0)
    total = float(importance.abs().sum())
    share = importance / total if total > 0 else importance
    names = tuple(prepared.stains.values())
    spread: dict[str, float] = {}
    errors = [result.spread for result in results if result.spread is not None]
    if errors and total > 0:
        error = torch.stack(errors).square().sum(dim=0).sqrt() / len(errors)
        spread = {name: float(value) / total for name, value in zip(names, error, strict=True)}
    if not maps.any():
        warnings = [*warnings, "Nothing in this well changes the score: the map is zero everywhere."]
    probabilities = scores.softmax(dim=0)
    work = {"seconds": round(seconds, 4), "forwards": round(classifier.forwards, 2), "device": classifier.device}
    work["threads"] = torch.get_num_threads()
    return Attribution(
        values=values,
        native=native,
        stains=names,
        channel_importance={name: float(value) for name, value in zip(names, share, strict=True)},
        channel_spread=spread,
        importance_meaning=results[0].importance_meaning,
        target=classifier.classes[asked.target],
        score_name=asked.describe(classifier.classes),
        score=float(asked.of(scores[None])[0]),
        predicted=classifier.classes[int(scores.argmax())],
        probabilities={name: float(p) for name, p in zip(classifier.classes, probabilities, strict=True)},
        method=method.name,
        units=results[0].units,
        pixel_size=well.pixel_size,
        device=classifier.device,
        seconds=seconds,
        forwards=round(classifier.forwards, 2),
        warnings=(*warnings, *classifier.notes),
        record={**record, "work": work, "warnings": [*warnings, *classifier.notes]},
    )
