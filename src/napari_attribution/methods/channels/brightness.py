r"""What a stain's brightness alone would be worth: a null for the values of the stains.

A stain may count for much because it is bright, whatever it shows. So the same game is played anew with the stain's pixels
replaced by others that have its brightness and show nothing, all other stains and all fills as they are,

    rearranged  its own pixels, shuffled in place so that they form random clouds: the same histogram, so the same mean,
                standard deviation and brightest pixels; no structure but clouds, as wide as the fill "blur" is. Several seeds.
    flat        its mean everywhere: the same mean, and nothing else.

and the value that the stain gets then is its null. A classifier that reads nothing of a stain but its histogram (its mean,
its spread, how many pixels are bright) gives it exactly its null, however its pixels are rearranged; one that reads its mean
alone gives it the flat null, too.

Why clouds: pixels in plain random order are noise, which no well looks like, and a classifier of textures answers to it. In the
sample field of fragmented mitochondria Mito counts for 2.7 logit, its pixels in random order for 12, and as clouds for -0.2.
The plain order is `napari_attribution.methods.channels.permutation`.

A stain counts for something **beyond** its brightness where its value lies further from zero than *both* nulls, by more than
twice the noise and by more than a hundredth of all the stains' values. The noise is that of the differences, value less null:
over wells, their standard deviation / sqrt(wells); for one well, the null's standard deviation over the seeds, with the
value's own error. Where the rearranged pixels are worth more than the stain itself, the classifier answers to the clouds, and
nothing is concluded ("unclear").

Our own construction, in the form of a permutation test. Values of leave-one-out, less this null, are what the score loses when
the pixels are rearranged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_attribution.methods.channels.games import Game
from napari_attribution.methods.channels.subsets import score_inputs, score_subsets
from napari_attribution.methods.question.fills import make_fill
from napari_attribution.methods.question.problem import Problem

Floats = npt.NDArray[np.float64]
Verdict = Literal["nothing", "brightness", "beyond", "unclear"]

LEAST = 0.01
"""Values under this share of all the stains' values count as nothing, and as tied."""


@dataclass(frozen=True, eq=False)
class Null:
    """What the stains would be worth by their brightness alone.

    Parameters
    ----------
    rearranged : (N, seeds, C) ndarray
        For N wells, with rearranged pixels.
    flat : (N, C) ndarray
        With the stain's mean everywhere.
    """

    rearranged: Floats
    flat: Floats

    @property
    def mean(self) -> Floats:
        """(C,) of the rearranged null, over wells and seeds."""
        return np.asarray(self.rearranged.mean(axis=(0, 1)))

    @property
    def spread(self) -> Floats:
        """(C,) standard deviation of the rearranged null: over the wells, or over the seeds where there is one well."""
        several = self.rearranged.mean(axis=1) if len(self.rearranged) > 1 else self.rearranged[0]
        return np.asarray(several.std(axis=0, ddof=1))


def play_with_null(problem: Problem, game: Game, seeds: int) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    """The values of a game, and what brightness alone would give.

    Returns
    -------
    (C,) values and their (C,) error or None, the (seeds, C) rearranged null, and the (C,) flat null.

    Raises
    ------
    ClassifierError
        For scores that are not numbers.
    """
    scores = score_subsets(problem, game.subsets)
    C = game.subsets.shape[1]
    nulls = torch.zeros(seeds + 1, C)
    for c in range(C):
        problem.progress(c, C)
        plane = problem.x[0, c]
        planes = torch.stack([*(rearranged(plane, c, seed) for seed in range(seeds)), plane.mean().expand_as(plane)])
        rows = (game.needs[c] & game.subsets[:, c]).nonzero().flatten()
        anew = _score_replaced(problem, game.subsets[rows], c, planes)
        for draw, replaced in enumerate(anew):
            played = scores.clone()
            played[rows] = replaced
            nulls[draw, c] = game.of(played)[c]
    problem.progress(C, C)
    return game.of(scores), game.error(scores) if game.error else None, nulls[:-1], nulls[-1]


def rearranged(plane: Tensor, stain: int, seed: int) -> Tensor:
    """The pixels of an (h, w) plane as random clouds, the same for the same stain and seed: each pixel once, the brightest where
    blurred noise is highest."""
    noise = torch.randn(plane.shape, generator=torch.Generator().manual_seed(1000 * seed + stain))
    clouds = make_fill("blur", noise[None, None], noise.new_zeros(1), noise.new_zeros(1))[0, 0]
    made = torch.empty_like(plane).flatten()
    made[clouds.flatten().argsort().to(plane.device)] = plane.flatten().sort().values
    return made.view(plane.shape)


def null_forwards(game: Game, seeds: int) -> int:
    """What the null costs beside the game itself."""
    return (seeds + 1) * int((game.needs & game.subsets.T).sum())


def _score_replaced(problem: Problem, subsets: Tensor, c: int, planes: Tensor) -> Tensor:
    """(draws, n) scores of n subsets, all of them with stain c, its pixels replaced by each of the (draws, h, w) planes."""
    n = len(subsets)

    def make(part: slice) -> Tensor:
        indices = torch.arange(part.start, part.stop)
        inputs = problem.mixed(subsets[indices % n, :, None, None].float())
        inputs[:, c] = planes[(indices // n).to(planes.device)]
        return inputs

    return score_inputs(problem, make, len(planes) * n).view(len(planes), n)


def verdicts(values: Floats, errors: Floats, null: Null) -> tuple[Verdict, ...]:
    """What is concluded of each stain.

    Parameters
    ----------
    values, errors : (N, C) ndarray
        Of N wells; errors are zero where values are exact.
    null : Null
    """
    mean = values.mean(axis=0)
    least = LEAST * np.abs(mean).sum()
    away = np.where(mean < 0, -1.0, 1.0)
    found: list[Verdict] = []
    for c in range(len(mean)):
        if abs(mean[c]) <= max(least, 2 * _noise(values[:, c], errors[:, c])):
            found.append("nothing")
            continue
        seeds = null.rearranged[:, :, c].std(axis=1, ddof=1)
        of_clouds = np.hypot(errors[:, c], seeds)
        ahead = [
            (away[c] * difference.mean(), max(least, 2 * _noise(difference, noise)))
            for difference, noise in (
                (values[:, c] - null.rearranged[:, :, c].mean(axis=1), of_clouds),
                (values[:, c] - null.flat[:, c], errors[:, c]),
            )
        ]
        if all(by > enough for by, enough in ahead):
            found.append("beyond")
        else:
            found.append("unclear" if ahead[0][0] < -ahead[0][1] else "brightness")
    return tuple(found)


def _noise(of_wells: Floats, errors: Floats) -> float:
    """Standard error of a mean over wells; of one well, the error within it."""
    n = len(of_wells)
    return float(of_wells.std(ddof=1) / n**0.5) if n > 1 else float(errors[0])


def sentence(verdict: Verdict, stain: str, value: float, rearranged: float, flat: float, unit: str) -> str:
    """A verdict in words."""
    if verdict == "nothing":
        return f"{stain} counts for nothing."
    worth = f"{stain} counts for {value:+.3g} {unit}"
    nulls = f"its pixels rearranged {rearranged:+.3g}, its mean alone {flat:+.3g}"
    if verdict == "beyond":
        return f"{worth}, beyond what its brightness alone explains ({nulls})."
    if verdict == "unclear":
        return (
            f"{worth}, less than its pixels do when they are rearranged ({nulls}): the classifier answers to what that puts in, "
            "so the stain's brightness cannot be told from what it shows."
        )
    return f"{worth}, which its brightness alone explains ({nulls})."
