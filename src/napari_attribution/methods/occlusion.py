r"""Occlusion: how much the score drops when a window of the input is filled.

Zeiler & Fergus, ECCV 2014 (arXiv 1311.2901). A window W slides over the input X (C x h x w) with a stride; with B the fill
(`napari_attribution.methods.question.fills`), and S the score,

    d_W  = S(X) - S(X with B inside W)
    M_ij = mean of d_W over the windows W that cover the pixel (i, j)

Where this deviates from the paper:

- the score is the one asked for, not the probability of the true class, and the map keeps its sign;
- the fill is what the card knows of the stain, not grey;
- the last window of each row and column is moved in to end at the border, so that every pixel is covered;
- a window may cover one stain at a time (`per_stain`), which resolves the map by stain, at C times the cost.

Needs nothing but scores, so any classifier will do. By default the window is an eighth of the input: on the three sample
wells a smaller window changes the share of the positive map in the affected cells little (0.50, 0.56 and
0.53; 0.46, 0.65 and 0.55 with half of it), for four times the forwards.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.methods.channels.values import stain_forwards, stain_values
from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.choice.parameters import OcclusionParameters
from napari_attribution.methods.question.problem import Problem, Result


def compute(problem: Problem, parameters: OcclusionParameters) -> Result:
    """The mean drop of the windows over every pixel: an (h, w) map, or (C, h, w)."""
    C, h, w = problem.x.shape[1:]
    window, stride = parameters.geometry((h, w))
    tops, lefts = starts(h, window, stride), starts(w, window, stride)
    drops = _drops(problem, tops, lefts, window, C if parameters.per_stain else 1)
    rows, columns = _covered(tops, window, h), _covered(lefts, window, w)
    windows_over = rows.sum(dim=1)[:, None] * columns.sum(dim=1)
    stains = stain_values(problem, parameters.channels)
    values = (rows @ drops @ columns.T) / windows_over
    return Result(
        values if parameters.per_stain else values[0],
        stains.importance,
        stains.meaning,
        problem.score.unit,
        stains.spread,
        extra={"window": window, "stride": stride, "windows": len(tops) * len(lefts)},
    )


def forwards(prices: Prices, parameters: OcclusionParameters) -> float:
    """The input, every window, and the stains' values."""
    window, stride = parameters.geometry(prices.size)
    windows = len(starts(prices.size[0], window, stride)) * len(starts(prices.size[1], window, stride))
    planes = prices.stains if parameters.per_stain else 1
    return 1 + windows * planes + stain_forwards(parameters.channels, prices.stains)


def starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows start along a side; the last one ends with it."""
    last = max(0, length - window)
    return [*range(0, last, stride), last]


def _covered(begins: list[int], window: int, length: int) -> Tensor:
    """(length, windows): 1 where a window covers a pixel."""
    pixels, first = torch.arange(length)[:, None], torch.tensor(begins)[None]
    return ((pixels >= first) & (pixels < first + window)).float()


def _drops(problem: Problem, tops: list[int], lefts: list[int], window: int, planes: int) -> Tensor:
    """(planes, len(tops), len(lefts)) drops; a window of plane c covers stain c, or every stain where there is one."""
    C = problem.x.shape[1]
    places = [(plane, top, left) for plane in range(planes) for top in tops for left in lefts]
    filled = problem.fill.expand_as(problem.x)[0]

    def make(part: slice) -> Tensor:
        problem.progress(part.start, len(places))
        covered = problem.x.repeat(part.stop - part.start, 1, 1, 1)
        for image, (plane, top, left) in zip(covered, places[part], strict=True):
            stains = slice(plane, plane + 1) if planes > 1 else slice(0, C)
            inside = (stains, slice(top, top + window), slice(left, left + window))
            image[inside] = filled[inside]
        return covered

    with torch.no_grad():
        whole = problem.of(problem.x).cpu()
    drops = whole - problem.score.of(problem.classifier.scores_of_many(make, len(places))).cpu()
    problem.progress(len(places), len(places))
    return drops.view(planes, len(tops), len(lefts))
