"""Assembling: one attribution of what a method gave for each input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_attribution.methods.attribution import Attribution
from napari_attribution.methods.choice.catalogue import Method
from napari_attribution.wells import Well

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.classifiers.preparation.prepare import Prepared
    from napari_attribution.methods.question.problem import Result
    from napari_attribution.methods.question.score import Score


def assemble(
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
    """The attribution of a well.

    Parameters
    ----------
    classifier : Classifier
    well : Well
    prepared : Prepared
    results : list of N Result
        One an input; the maps of several are laid into the well together, each as strong as its method says.
    asked : Score
    scores : (K,) Tensor
        The classifier's, the mean over the inputs.
    warnings : list of str
    method : Method
    seconds : float
        What the answer took.
    record : dict
        What is recorded already.
    """
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
