"""repeat: the same question again, from its record. What is not as it was is said; what is missing is named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.keeping.again import (
    TRIAL_SECONDS,
    another_classifier,
    as_recorded,
    classifier_again,
    place_of,
    well_again,
)
from napari_attribution.keeping.records import Recorded, checked_record
from napari_attribution.methods.attribution import Attribution
from napari_attribution.wells import Well

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.methods.question.problem import Progress


@dataclass(frozen=True, eq=False)
class Repeated:
    """A question asked again.

    Parameters
    ----------
    attribution : Attribution
    well : Well
    notes : tuple of str
        In sentences: what is not as it was (versions, files, device), and whether the answer is.
    same : bool or None
        Whether the map is the record's, bit for bit; None where the record does not say what came of it.
    """

    attribution: Attribution
    well: Well
    notes: tuple[str, ...]
    same: bool | None


def repeat(
    record: Recorded | Mapping[str, Any],
    *,
    well: Well | str | Path | None = None,
    classifier: Classifier | str | Path | None = None,
    device: str | None = None,
    time_limit: float | None = TRIAL_SECONDS,
    progress: Progress | None = None,
) -> Repeated:
    """Ask the question of a record again.

    Parameters
    ----------
    record : Recorded or mapping
        `Attribution.record`, a summary that holds it, or what `read_record` found in a file.
    well, classifier : optional
        To take instead of the record's files: as such, or a path.
    device : str, optional
        Instead of the record's; where this machine lacks that one, the best that it has is taken.
    time_limit : float or None
        See `load_classifier`.
    progress : callable, optional
        See `explain`.

    Raises
    ------
    RecordError
        For what is no record, or where a file is missing; names what to supply.
    StainError
        Where the well lacks a stain of the record.
    AttributionError
        Its other kinds: where the well, the classifier or the question cannot be used any more.
    """
    from napari_attribution.faithfulness.explain import explain

    recorded = record if isinstance(record, Recorded) else checked_record(record)
    notes = list(version_notes(recorded))
    asked = question_of(recorded)
    if not isinstance(well, Well):
        well = well_again(recorded, well)
    well, changed = as_recorded(recorded, well)
    notes += changed
    if classifier is None or isinstance(classifier, str | Path):
        classifier, changed = classifier_again(recorded, classifier, device, time_limit)
        notes += changed
    else:
        notes += another_classifier(recorded, classifier)
    with threads_of(recorded.work.threads):
        attribution = explain(
            classifier, well, place=place_of(recorded, well), progress=progress, **{**asked.pop("parameters"), **asked}
        )
    same = is_same(recorded, attribution)
    return Repeated(attribution, well, (*notes, *outcome(recorded, attribution)), same)


def question_of(recorded: Recorded) -> dict[str, Any]:
    """What `explain` takes beside the classifier, the well and the place; the method's parameters under "parameters".

    Raises
    ------
    RequestError
        For a method or a parameter that does not exist.
    """
    from napari_attribution.methods.choice.choosing import check_parameters, find_method

    parameters = check_parameters(find_method(recorded.method), recorded.parameters)
    return {
        "method": recorded.method,
        "target": recorded.score.target,
        "score": recorded.score.kind,
        "against": recorded.score.against,
        "stain_map": dict(recorded.stain_map),
        "cells": recorded.cells,
        "accept_flaws": recorded.accept_flaws,
        "faithfulness": recorded.faithfulness is not None,
        "parameters": parameters.model_dump(),
    }


def version_notes(recorded: Recorded) -> tuple[str, ...]:
    """What computes is of another version than it was."""
    import platform
    from importlib.metadata import version

    import numpy as np
    import torch

    now = {
        "napari-attribution": version("napari-attribution"),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    changed = [f"{what} {then:.40} (now {now[what]})" for what, then in recorded.versions.items()
               if what in now and now[what] != then]  # fmt: skip
    return (f"The record was made with {', '.join(changed)}: the numbers may differ a little.",) if changed else ()


def is_same(recorded: Recorded, attribution: Attribution) -> bool | None:
    """Whether the map is the record's, bit for bit; None where the record does not say."""
    from napari_attribution.methods.answers.record import sha256_of

    then = recorded.result.sha256_of_map
    return None if then is None else sha256_of(attribution.values) == then


def outcome(recorded: Recorded, attribution: Attribution) -> tuple[str, ...]:
    """Whether the answer is the record's, in a sentence; nothing where the record does not say."""
    same, then = is_same(recorded, attribution), recorded.result.score
    if same is None:
        return ()
    if same:
        return ("The same map as in the record, bit for bit.",)
    scores = (
        ""
        if then is None
        else f" The {attribution.score_name} is {attribution.score:.6g}; in the record it is {then:.6g}."
    )
    return (f"The map is not bit for bit that of the record.{scores}",)


@contextmanager
def threads_of(count: int | None) -> Iterator[None]:
    """Compute in as many threads as then: sums that are split otherwise differ in their last bits."""
    import torch

    before = torch.get_num_threads()
    wanted = before if count is None else min(count, os.cpu_count() or 1)
    if wanted == before:
        yield
        return
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)
