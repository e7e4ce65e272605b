"""Random map: what a method must beat. Normal numbers on a grid, drawn anew for every input.

A control, without a paper and without a forward. The grid is as coarse as the feature maps of most networks by default
(8 numbers along the longer side): speckle is taken away pixel by pixel, which changes a score in another way than taking
away places does, so the control should be as coarse as what it is compared with.
"""

from __future__ import annotations

import zlib

import torch

from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.parameters import RandomMapParameters


def compute(problem: Problem, parameters: RandomMapParameters) -> Result:
    """A (rows, columns) map of standard normal numbers."""
    C, h, w = problem.x.shape[1:]
    along = min(parameters.grid, max(h, w))
    size = [max(1, round(along * length / max(h, w))) for length in (h, w)]
    # Tiles of one well, and wells, must not all get the same map.
    seed = zlib.crc32(problem.x.cpu().numpy().tobytes(), parameters.seed)
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(*size, generator=generator)
    problem.progress(1, 1)
    return Result(values, torch.zeros(C), "nothing: the map is random", "random")


def forwards(prices: Prices, parameters: RandomMapParameters) -> float:
    """None."""
    return 0.0
