r"""What if: the classifier's answer for a well of which some places are gone.

Of an input x with the fill f that its map was made with, and the mask m of what is removed, as the input sees it,

    x' = x + m (f - x)

stain by stain: m may differ from stain to stain. Where pixels were resized on their way to the input, m lies between 0 and 1 at
the rim of what is removed. The class scores of a well are the mean over its inputs (tiles, cells), as everywhere.

Inputs that show nothing of what is removed keep the scores that they had, to the last bit, and cost nothing: so a well of which
nothing is removed has exactly the scores of its answer, and of many tiles only those under the removed places are asked again.
Where the answer is about a place of the well, x is what the answer was about: the place, and the fill elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_attribution.errors import ClassifierError, RequestError

if TYPE_CHECKING:
    from napari_attribution.classifiers.preparation.prepare import Prepared
    from napari_attribution.methods.answers.explained import Explained
    from napari_attribution.methods.question.problem import Problem
    from napari_attribution.methods.question.score import Score

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Verdict:
    """What the classifier says.

    Parameters
    ----------
    predicted : str
    probabilities : dict of class to float
    score : float
        The score that was asked about, in its unit.
    """

    predicted: str
    probabilities: dict[str, float]
    score: float

    @classmethod
    def of(cls, scores: Tensor, score: Score, classes: tuple[str, ...]) -> Verdict:
        """From the (N, K) class scores of a well's inputs."""
        mean = scores.mean(dim=0)
        probabilities = dict(zip(classes, mean.softmax(dim=0).tolist(), strict=True))
        return cls(classes[int(mean.argmax())], probabilities, float(score.of(mean[None])[0]))


@dataclass(frozen=True)
class WhatIf:
    """What the classifier says of the well as it was explained, and without what is removed.

    Parameters
    ----------
    before, after : Verdict
    removed : float
        Share of the well's pixels, or of those of the place that the answer is about, at which something is removed.
    stains : tuple of str
        The stains that are removed somewhere.
    asked, inputs : int
        How many inputs show something of what is removed, and how many there are.
    """

    before: Verdict
    after: Verdict
    removed: float
    stains: tuple[str, ...]
    asked: int = 1
    inputs: int = 1

    @property
    def changes_its_mind(self) -> bool:
        """Whether the classifier chooses another class without what is removed."""
        return self.before.predicted != self.after.predicted


def what_if(
    explained: Explained,
    removed: npt.ArrayLike | Mapping[str, npt.ArrayLike],
    check: Callable[[], None] = lambda: None,
) -> WhatIf:
    """What would the classifier say without these places?

    Parameters
    ----------
    explained : Explained
        An answer, and what it was made of (`napari_attribution.faithfulness.explain.explained`).
    removed : (H, W) or (C, H, W) bool array, or mapping of stain to (H, W) bool array
        Over the well's pixels: of all stains, of each in the answer's order, or of those that are named.
    check : callable
        Called before the classifier is asked; what it raises stops the work.

    Raises
    ------
    RequestError
        For a mask of another well, or of a stain that the classifier does not read.
    ClassifierError
        For scores that are not numbers.

    Examples
    --------
    >>> from napari_attribution.faithfulness.explain import explained
    >>> found = explained(classifier, well)  # doctest: +SKIP
    >>> what_if(found, {"Mito": found.attribution.map > 0}).after.predicted  # doctest: +SKIP
    'control'
    """
    stains, shape = explained.attribution.stains, explained.prepared.well_shape
    mask = _mask(removed, stains, shape)
    scores, asked = scores_without(explained.problems, explained.prepared, mask, explained.scores, check)
    score, classes = explained.problems[0].score, explained.problems[0].classifier.classes
    anywhere: Mask = mask if mask.ndim == 2 else np.logical_or.reduce(mask, axis=0)
    place = explained.attribution.place
    return WhatIf(
        Verdict.of(explained.scores, score, classes),
        Verdict.of(scores, score, classes),
        float(anywhere.mean() if place is None else anywhere[place.mask].mean()),
        tuple(
            stain
            for stain, plane in zip(stains, np.broadcast_to(mask, (len(stains), *shape)), strict=True)
            if plane.any()
        ),
        asked,
        len(explained.problems),
    )


def scores_without(
    problems: tuple[Problem, ...],
    prepared: Prepared,
    removed: Mask,
    known: Tensor,
    check: Callable[[], None] = lambda: None,
) -> tuple[Tensor, int]:
    """Class scores of a well's inputs without what is removed, and how many of them had to be asked.

    Parameters
    ----------
    problems : tuple of N Problem
        With the inputs and their fills.
    prepared : Prepared
        The way of a mask to the inputs.
    removed : (H, W) or (C, H, W) bool ndarray
    known : (N, K) Tensor
        The scores with nothing removed.
    check : callable

    Returns
    -------
    (N, K) Tensor on the CPU, and a number.

    Raises
    ------
    ClassifierError
        For scores that are not numbers.
    """
    scores = known.clone()
    if not removed.any():
        return scores, 0
    gone = prepared.of_mask(removed)
    touched = gone.flatten(1).any(dim=1).nonzero().flatten().tolist()
    if not touched:
        return scores, 0
    check()

    def make(part: slice) -> Tensor:
        return torch.cat([_without(problems[index], gone[index : index + 1]) for index in touched[part]])

    found = problems[0].classifier.scores_of_many(make, len(touched)).cpu()
    if not bool(torch.isfinite(found).all()):
        raise ClassifierError(
            "The classifier's scores are not numbers (NaN or infinity) once these places are filled. Put some of them back, or "
            "explain with another fill (mean, background, blur)."
        )
    scores[touched] = found
    return scores, len(touched)


def _without(problem: Problem, gone: Tensor) -> Tensor:
    gone = gone.to(problem.x.device)
    return problem.x + gone * (problem.fill - problem.x)


def _mask(
    removed: npt.ArrayLike | Mapping[str, npt.ArrayLike], stains: tuple[str, ...], shape: tuple[int, int]
) -> Mask:
    """As an (H, W) or (C, H, W) mask over the well."""
    if isinstance(removed, Mapping):
        unknown = [stain for stain in removed if stain not in stains]
        if unknown:
            raise RequestError(
                f"The classifier reads no stain {unknown[0]!r} of this well. It reads: {', '.join(stains)}."
            )
        planes = {stain: _fitting(np.asarray(mask, dtype=bool), (shape,)) for stain, mask in removed.items()}
        return np.stack([planes.get(stain, np.zeros(shape, dtype=bool)) for stain in stains])
    return _fitting(np.asarray(removed, dtype=bool), (shape, (len(stains), *shape)))


def _fitting(mask: Mask, shapes: tuple[tuple[int, ...], ...]) -> Mask:
    if mask.shape not in shapes:
        raise RequestError(
            f"What is removed is marked in a mask over the well's pixels, {' or '.join(map(str, shapes))}; found the shape "
            f"{mask.shape}. Mark it anew in this well."
        )
    return mask
