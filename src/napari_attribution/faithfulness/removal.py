"""Removal: the classifier's scores for an input of which only some units are left.

What is taken away is replaced by the problem's fill (`napari_attribution.methods.question.fills`), the same one with which the map
was made. Under a (C, h, w) map one stain is taken away at a place, and the others stay; no measure that we know of does so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_attribution.errors import ClassifierError, RequestError
from napari_attribution.faithfulness.ranking import Map, Mask, check_map
from napari_attribution.methods.question.problem import Problem


def map_of(problem: Problem, values: npt.ArrayLike) -> Map:
    """A map, checked against the input that it explains.

    Raises
    ------
    RequestError
        Where it has NaN in it, or another shape than the input.
    """
    checked = check_map(values)
    C, h, w = problem.x.shape[1:]
    if checked.shape not in ((h, w), (C, h, w)):
        raise RequestError(
            f"The map's shape {checked.shape} is not that of the input: {(h, w)}, or {(C, h, w)} with one plane a stain. Lay it "
            "to the input's resolution first (Explained.at_input)."
        )
    return checked


def keep(problem: Problem, kept: npt.NDArray[np.bool_]) -> Tensor:
    """The input where a mask is true, the fill elsewhere.

    Parameters
    ----------
    problem : Problem
    kept : (h, w) or (C, h, w) bool ndarray

    Returns
    -------
    (1, C, h, w) Tensor; the input itself, to the last bit, where the mask is true everywhere.
    """
    mask = torch.from_numpy(np.ascontiguousarray(kept)).to(problem.x.device)
    return torch.where(mask, problem.x, problem.fill)


def scores_of_kept(problem: Problem, kept: Callable[[int], Mask], count: int) -> Tensor:
    """Class scores of the input reduced in `count` ways, batched; one forward each.

    Parameters
    ----------
    problem : Problem
    kept : callable
        Takes a number below `count`, returns the (h, w) or (C, h, w) mask of what is left. Masks are made one batch at a
        time, so that many steps of a large input fit the memory.
    count : int

    Returns
    -------
    (count, K) Tensor on the CPU.

    Raises
    ------
    ClassifierError
        Where a score is NaN or infinite.
    """

    def make(part: slice) -> Tensor:
        problem.progress(part.start, count)
        return torch.cat([keep(problem, kept(number)) for number in range(part.start, part.stop)])

    scores = problem.classifier.scores_of_many(make, count).cpu()
    problem.progress(count, count)
    if not bool(torch.isfinite(scores).all()):
        raise ClassifierError(
            "The classifier's scores are not numbers (NaN or infinity) for the input with some of its places filled, so nothing "
            "can be measured by filling. Try another fill (mean, background, blur)."
        )
    return scores
