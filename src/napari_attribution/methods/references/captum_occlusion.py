"""Occlusion as captum computes it: a peer to compare ours with.

`captum.attr.Occlusion` (Kokhlikyan et al., 2020, arXiv 2009.07896), asked for the same score, with the same fill, window and stride
as `napari_attribution.methods.occlusion`, which says what the map is. What differs is captum's:

- the last window of a row or column is cut off at the border, where ours is moved in;
- drops of the windows over a pixel are averaged, as ours are.
"""

from __future__ import annotations

from math import ceil

from napari_attribution.classifiers.memory import BUDGET
from napari_attribution.methods.channels.values import stain_values
from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.captum_extra import counted, require
from napari_attribution.methods.references.parameters import CaptumOcclusionParameters
from napari_attribution.methods.references.paths import bytes_with_gradient


def compute(problem: Problem, parameters: CaptumOcclusionParameters) -> Result:
    """The mean drop of the windows over every pixel: an (h, w) map, or (C, h, w).

    Raises
    ------
    RequestError
        Where captum is not installed.
    """
    require()
    from captum.attr import Occlusion

    C, h, w = problem.x.shape[1:]
    window, stride = parameters.geometry((h, w))
    planes = 1 if parameters.per_stain else C
    total = 1 + _windows((h, w), parameters) * (C // planes)
    found = Occlusion(counted(problem, total)).attribute(
        problem.x,
        sliding_window_shapes=(planes, window, window),
        strides=(planes, stride, stride),
        baselines=problem.fill.expand_as(problem.x),
        perturbations_per_eval=max(1, BUDGET // bytes_with_gradient(problem)),
    )
    problem.progress(total, total)
    values = found[0].float().cpu()
    stains = stain_values(problem, parameters.channels)
    return Result(
        values if parameters.per_stain else values[0],
        stains.importance,
        stains.meaning,
        problem.score.unit,
        stains.spread,
        extra={"window": window, "stride": stride},
    )


def forwards(prices: Prices, parameters: CaptumOcclusionParameters) -> float:
    """One for the whole input, and one a window (and stain)."""
    planes = prices.stains if parameters.per_stain else 1
    return 1 + planes * _windows(prices.size, parameters) + prices.stain_values(parameters.channels)


def _windows(size: tuple[int, int], parameters: CaptumOcclusionParameters) -> int:
    window, stride = parameters.geometry(size)
    rows, columns = (1 + ceil((length - window) / stride) for length in size)
    return rows * columns
