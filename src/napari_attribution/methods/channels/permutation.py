r"""Permutation: what the score loses when the pixels of a stain are shuffled in place.

    p_c = mean over seeds of S(x) - S(x with the pixels of c in random order)

After PXPermute (Cell Reports Methods 2024, "PXPermute reveals staining importance in multichannel imaging flow
cytometry"), which shuffles a stain's pixels in all images of a test set and takes the drop of the classifier's
performance (F1).

It keeps the stain's histogram, so its mean, its spread and its brightest pixels. It destroys where they are: shape, texture,
and what lies beside what, in this stain and across stains. A classifier that reads a stain's brightness alone is not moved,
and that stain gets zero: the value is what the stain counts for beyond its brightness, where
`napari_attribution.methods.channels.leave_one_out` is what it counts for altogether. No fill is used. Shuffled pixels are
noise, which no well looks like, and a classifier may well answer to the noise.

Where this deviates:

- one well, and its score, instead of the performance over a test set; the mean over wells is
  `napari_attribution.methods.channels.importance`;
- several seeds, with their spread;
- the drop keeps its sign: a stain that speaks against the class is negative. `magnitude` gives the mean size of the change,
  as one would have it for "does this stain matter at all";
- the pixels are those of the prepared input (resized, normalised), not the detector's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.methods.channels.subsets import score_inputs
from napari_attribution.methods.question.problem import Problem

SEEDS = 5
"""Shuffles of each stain."""


def channel_permutation(problem: Problem, seeds: int = SEEDS) -> tuple[Tensor, Tensor | None]:
    """The signed drop for every stain.

    Parameters
    ----------
    problem : Problem
    seeds : int
        Shuffles of each stain.

    Returns
    -------
    (C,) means over the seeds in the score's unit, and their (C,) standard deviation over the seeds, None for one seed.

    Raises
    ------
    ClassifierError
        For scores that are not numbers.
    """
    drops = permutation_drops(problem, seeds)
    return drops.mean(dim=0), drops.std(dim=0) if seeds > 1 else None


def magnitude(drops: Tensor) -> Tensor:
    """(seeds, C) drops to the (C,) mean size of the change, whatever its sign."""
    return drops.abs().mean(dim=0)


def permutation_drops(problem: Problem, seeds: int = SEEDS) -> Tensor:
    """(seeds, C) drops of the score, one for every shuffle; 1 + seeds x C forwards."""
    C = problem.x.shape[1]
    count = 1 + seeds * C

    def make(part: slice) -> Tensor:
        if part.start:
            problem.progress(part.start, count)
        inputs = problem.x.repeat(part.stop - part.start, 1, 1, 1)
        for image, index in zip(inputs, range(part.start, part.stop), strict=True):
            if index:
                seed, c = divmod(index - 1, C)
                image[c] = shuffled(problem.x[0, c], c, seed)
        return inputs

    scores = score_inputs(problem, make, count)
    return (scores[0] - scores[1:]).view(seeds, C)


def shuffled(plane: Tensor, stain: int, seed: int) -> Tensor:
    """The pixels of an (h, w) plane in random order, the same for the same stain and seed."""
    generator = torch.Generator().manual_seed(1000 * seed + stain)
    order = torch.randperm(plane.numel(), generator=generator).to(plane.device)
    return plane.flatten()[order].view(plane.shape)


def forwards(C: int, seeds: int = SEEDS) -> int:
    """What the values cost."""
    return 1 + seeds * C
