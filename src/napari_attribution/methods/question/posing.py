"""Posing the question: from a prepared well to one problem an input, all with the same score."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.preparation.prepare import Prepared
from napari_attribution.errors import ClassifierError
from napari_attribution.methods.question.fills import Fill, make_fill
from napari_attribution.methods.question.problem import Problem, Progress
from napari_attribution.methods.question.score import choose_score


def pose(
    classifier: Classifier,
    prepared: Prepared,
    kind: str,
    target: str | None,
    against: str | None,
    fill: Fill,
    progress: Callable[[int, int], Progress] | None = None,
    kept: Tensor | None = None,
    known: Tensor | None = None,
) -> tuple[tuple[Problem, ...], Tensor]:
    """One problem an input, and the classifier's (N, K) scores, on the CPU.

    Parameters
    ----------
    classifier, prepared
    kind, target, against
        The score that is meant (`choose_score`), the same for all inputs: chosen by the well's mean scores.
    fill : "mean", "background" or "blur"
    progress : callable, optional
        From (number of the input, inputs in all) to the progress of its problem.
    kept : (N, 1, h, w) Tensor, optional
        How much of each pixel is left; the rest is the fill. All of it where none is given.
    known : (N, K) Tensor, optional
        The classifier's scores of the inputs as they are, where they have been asked for already.

    Raises
    ------
    ClassifierError
        For scores that are not numbers.
    RequestError
        For a class or a score that does not exist.
    """
    inputs = prepared.inputs.to(classifier.device)
    background, typical = prepared.background.to(classifier.device), prepared.typical.to(classifier.device)
    fills = [make_fill(fill, inputs[n : n + 1], background[n], typical[n]) for n in range(len(inputs))]
    if kept is not None:
        filled = [
            one + part[None] * (x - one) for one, part, x in zip(fills, kept.to(inputs.device), inputs, strict=True)
        ]
        inputs = torch.cat(filled)
    scores = classifier.scores_of_many(lambda part: inputs[part], len(inputs)).cpu() if known is None else known
    if not bool(torch.isfinite(scores).all()):
        raise ClassifierError(
            "The classifier's scores for this well are not numbers (NaN or infinity). Check the normalisation on its card "
            "against the well's pixel values."
        )
    asked = choose_score(kind, target, against, classifier.classes, scores.mean(dim=0))
    found = []
    for index in range(len(inputs)):
        x = inputs[index : index + 1]
        report = {} if progress is None else {"progress": progress(index, len(inputs))}
        found.append(Problem(classifier, x, fills[index], asked, **report))
    return tuple(found), scores
