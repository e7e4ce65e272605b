"""Part: what the classifier's answer for the whole input owes to one place in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.preparation.prepare import Prepared
from napari_attribution.errors import ClassifierError
from napari_attribution.methods.question.fills import Fill, make_fill
from napari_attribution.methods.question.score import Score


@dataclass(frozen=True)
class Part:
    """The score of an input with and without a place in it.

    Parameters
    ----------
    whole, without, filled : float
        The score of the input as it is, with the place filled, and of the fill alone.
    probabilities : dict of class to float
        Of the input without the place.
    """

    whole: float
    without: float
    filled: float
    probabilities: dict[str, float]

    @property
    def loses(self) -> float:
        """What the score loses without the place, in the score's unit; negative where the place speaks against the class."""
        return self.whole - self.without

    @property
    def share(self) -> float | None:
        """Of what the input has beyond its fill; None where that is nothing, or less."""
        beyond = self.whole - self.filled
        return self.loses / beyond if beyond > 1e-6 * max(1.0, abs(self.whole)) else None

    @property
    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "whole": self.whole,
            "without": self.without,
            "filled": self.filled,
            "loses": self.loses,
            "share": self.share,
        }


def scores_of_ends(classifier: Classifier, prepared: Prepared, fill: Fill) -> Tensor:
    """(2, K) scores of the first input as it is, and of its fill alone, on the CPU: two forwards."""
    x = prepared.inputs[:1].to(classifier.device)
    inputs = torch.cat([x, _filling(classifier, prepared, fill)])
    return classifier.scores_of_many(lambda part: inputs[part], 2).cpu()


def part_of(
    classifier: Classifier, prepared: Prepared, kept: Tensor, fill: Fill, score: Score, ends: Tensor | None = None
) -> Part:
    """What one input owes to the place that is kept of it, by three forwards.

    Parameters
    ----------
    classifier : Classifier
    prepared : Prepared
        With one input.
    kept : (1, 1, h, w) Tensor
        1 in the place, 0 elsewhere.
    fill : "mean", "background" or "blur"
    score : Score
    ends : (2, K) Tensor, optional
        `scores_of_ends`, where they are known already, which leaves one forward.

    Raises
    ------
    ClassifierError
        For scores that are not numbers.
    """
    x = prepared.inputs[:1].to(classifier.device)
    without = x + kept.to(x.device) * (_filling(classifier, prepared, fill) - x)
    left = classifier.scores_of_many(lambda _part: without, 1).cpu()
    scores = torch.cat([left, scores_of_ends(classifier, prepared, fill) if ends is None else ends])
    if not bool(torch.isfinite(scores).all()):
        raise ClassifierError(
            "The classifier's scores are not numbers (NaN or infinity) once this place is filled. Try another fill (mean, "
            "background, blur)."
        )
    remaining, whole, nothing = score.of(scores).tolist()
    probabilities = dict(zip(classifier.classes, scores[0].softmax(dim=0).tolist(), strict=True))
    return Part(whole, remaining, nothing, probabilities)


def _filling(classifier: Classifier, prepared: Prepared, fill: Fill) -> Tensor:
    """(1, C, h, w) fill of the first input, on the classifier's device."""
    x = prepared.inputs[:1].to(classifier.device)
    quiet, typical = prepared.background[0].to(classifier.device), prepared.typical[0].to(classifier.device)
    return make_fill(fill, x, quiet, typical).expand_as(x)
