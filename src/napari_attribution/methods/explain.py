"""explain: one question, one answer. What the dock, the command line and Python all call, by way of
`napari_attribution.faithfulness.explain`, which adds how far to trust the answer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import DeviceError
from napari_attribution.methods.answers.assembling import assemble
from napari_attribution.methods.answers.explained import Explained
from napari_attribution.methods.attribution import Attribution
from napari_attribution.methods.choice.catalogue import Method
from napari_attribution.methods.choice.choosing import check_parameters, find_method
from napari_attribution.methods.choice.parameters import Parameters
from napari_attribution.methods.question.progress import Repeated, windowed
from napari_attribution.wells import Well
from napari_attribution.wells.place import Place

if TYPE_CHECKING:
    from torch import Tensor

    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.classifiers.preparation.prepare import Prepared
    from napari_attribution.methods.question.ground import Ground
    from napari_attribution.methods.question.problem import Problem, Progress, Result


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
        (`napari_attribution.methods.choice.offers`).
    LayerError
        For a method that looks inside a network that cannot be cut, or not there.
    WellError, StainError
        For a well that cannot be explained, or whose stains are not those of the classifier.
    ClassifierError, DeviceError, CardError
        Where the classifier fails on the well, or has no room.
    """
    from napari_attribution.classifiers.heeding import heeding
    from napari_attribution.classifiers.memory import is_out_of_memory, no_room
    from napari_attribution.methods.answers.record import make_record, sha256_of
    from napari_attribution.methods.question.ground import Ground
    from napari_attribution.methods.question.parts import part_of

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
    attribution = assemble(
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
    from napari_attribution.methods.question.posing import pose

    posed, scores = pose(
        classifier,
        prepared,
        kind,
        target,
        against,
        settings.fill,
        lambda index, count: windowed(progress, index, count),
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


def _check_offer(classifier: Classifier, method: Method, settings: Parameters) -> None:
    from napari_attribution.methods.choice.offers import offer

    found = offer(classifier, method, settings)
    if not found.possible:
        raise found.error(found.why)
