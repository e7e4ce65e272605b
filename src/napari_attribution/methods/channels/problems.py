"""The problems of a well: its prepared inputs, with the fill and the score that are asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy.typing as npt

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.preparation.prepare import prepare
from napari_attribution.errors import WellError
from napari_attribution.methods.question.fills import Fill
from napari_attribution.methods.question.posing import pose
from napari_attribution.methods.question.problem import Problem, Progress
from napari_attribution.wells import Well
from napari_attribution.wells.quality import flaws


def problems_of(
    classifier: Classifier,
    well: Well,
    target: str | None = None,
    score: str = "logit",
    fill: Fill = "mean",
    *,
    against: str | None = None,
    stain_map: Mapping[str, str] | None = None,
    cells: npt.ArrayLike | None = None,
    accept_flaws: bool = False,
    progress: Callable[[int, int], Progress] | None = None,
) -> tuple[Problem, ...]:
    """One problem an input, all with the score of the whole well: the same class, against the same other class.

    Parameters
    ----------
    classifier, well, target, score, against, stain_map, cells, accept_flaws
        As `napari_attribution.methods.explain.explain` takes them.
    fill : "mean", "background" or "blur"
    progress : callable, optional
        From (number of the input, inputs in all) to the progress of its problem.

    Raises
    ------
    WellError, StainError, CardError, RequestError
        For a well that cannot be explained, or a question that cannot be asked.
    ClassifierError
        For scores that are not numbers.
    """
    prepared = prepare(well, classifier.card, stain_map, cells)
    severe = [
        flaw.sentence for flaw in flaws(well) if flaw.stain in prepared.stains.values() and flaw.severity == "refuse"
    ]
    if severe and not accept_flaws:
        raise WellError(" ".join(severe))
    return pose(classifier, prepared, score, target, against, fill, progress)[0]
