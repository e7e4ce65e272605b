"""explain, with how far to trust the answer: the public face, the command line and the dock all call this one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from napari_attribution.errors import ClassifierError, DeviceError, RequestError
from napari_attribution.faithfulness.quick import Quick, quick
from napari_attribution.faithfulness.words import sentences
from napari_attribution.methods.answers.explained import Explained
from napari_attribution.methods.attribution import Attribution
from napari_attribution.methods.explain import answer
from napari_attribution.methods.question.progress import Repeated
from napari_attribution.wells import Well
from napari_attribution.wells.place import Place

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.methods.question.problem import Progress


def explain(
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
    faithfulness: bool = False,
    progress: Progress | None = None,
    **parameters: Any,
) -> Attribution:
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
    faithfulness : bool
        Whether to find out how much of the score the map's top fifth carries (`napari_attribution.faithfulness.quick`), for
        four forwards an input, at most sixteen inputs.
    progress : callable, optional
        Called with (steps done, steps in all) from the computing thread; raising `Cancelled` there stops the work.
    **parameters
        The method's own parameters, see `parameters` of the method in the catalogue.

    Returns
    -------
    Attribution
        The signed map at well resolution, the stains' importance, how far to trust it, and the record.

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
        Where the classifier fails on the well, or has no room. Where it fails only on the parts of it that faithfulness asks
        about, the map is given all the same, and a sentence says so.
    """
    asked = {"against": against, "stain_map": stain_map, "cells": cells, "place": place, "accept_flaws": accept_flaws}
    return explained(
        classifier, well, method, target, score, faithfulness=faithfulness, progress=progress, **asked, **parameters
    ).attribution


def explained(
    classifier: Classifier,
    well: Well,
    *question: Any,
    faithfulness: bool = False,
    progress: Progress | None = None,
    **asked: Any,
) -> Explained:
    """`explain`, with what the answer was made of: takes what it takes."""
    still_wanted = Repeated(progress)
    found = answer(classifier, well, *question, progress=still_wanted, **asked)
    return replace(found, attribution=checked(found, still_wanted)) if faithfulness else found


def checked(explained: Explained, still_wanted: Repeated) -> Attribution:
    """The attribution with how far to trust it, in numbers and in words."""
    from napari_attribution.classifiers.heeding import heeding

    started = time.perf_counter()
    attribution = explained.attribution
    classifier = explained.problems[0].classifier
    found: Quick | None = None
    try:
        with heeding(still_wanted.check):
            found = quick(explained, still_wanted.check)
        trust = sentences(found, attribution.target)
    except (ClassifierError, DeviceError, RequestError) as error:
        # There is a map, and it is the map that was asked for.
        trust = (f"How far to trust the map is not known. {error}",)
    figures = {} if found is None else found.figures
    seconds, forwards = attribution.seconds + time.perf_counter() - started, round(classifier.forwards, 2)
    work = {**attribution.record["work"], "seconds": round(seconds, 4), "forwards": forwards}
    return replace(
        attribution,
        faithfulness=figures,
        trust=trust,
        seconds=seconds,
        forwards=forwards,
        record={**attribution.record, "work": work, "faithfulness": {"figures": figures, "sentences": list(trust)}},
    )
