r"""Early layers: far more locations than anyone waits for, in a given number of head runs.

Three stages share the runs (a run with its gradient counts as 2.2):

1. **Lattices.** A single location's drop is the integral of its gradient while it fades,

       dS_ij = int_0^1 sum_k A_kij dS/dA_kij (A with A[:, i, j] scaled by 1 - t) dt,

   and one backward pass gives this integrand for *every* location that fades at that moment. So all locations of a
   lattice fade together, too far apart to feel one another much, and Simpson's rule over t = 0, 1/2, 1 gives all drops
   from 1 + 2 s^2 gradients for a lattice of spacing s. The plain gradient, t = 0 alone, misses where ReLUs close.
2. **Blocks**, the hierarchy of Ablation-CAM++ (Salama et al., ICIP 2022) in space instead of over channels: a coarse
   grid of blocks is silenced, and those whose drop is large, or differs much from what the lattices say, are split into
   quarters, down to single locations, whose drops are then measured ones.
3. **Single locations**: those with the largest estimated drops are silenced, and a few drawn at random, which
   say how well estimates and measured drops agree.

Where this deviates from Ablation-CAM++: a block's drop is not shared out among its locations as long as there are
gradients. Silencing a block is not the sum of silencing its locations one by one, and estimates scaled to agree with it
were found to rank worse than they did before. Without gradients nothing else is known, and the drop is shared out by
how active each location is: a coarse picture, which `auto` does not choose.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from napari_attribution.classifiers.classifier import WITH_GRADIENT, Activation
from napari_attribution.methods.pixel_ablation.silencing import BUDGET, Block, ablate, ablate_blocks, batched_gradients
from napari_attribution.methods.question.problem import Problem

_ON_LATTICES = 0.55
"""Share of the runs that gradients may take."""
_WIDEST = 8
"""Locations from one of a lattice to the next, at most: wider ones were not found to rank better."""
_ON_BLOCKS = 0.4
"""Share of the runs that are left then, for blocks."""
_FIRST_BLOCKS = 4
"""Blocks along the longer side, to begin with; twice as many where there are no gradients."""
_DRAWN = 24
"""Locations drawn at random, to see how good the estimates are."""


@dataclass(frozen=True)
class Hierarchical:
    """Drops in a given number of head runs.

    Parameters
    ----------
    drops : (h', w') Tensor
    measured : int
        Locations whose drop was measured by itself.
    agreement : float or None
        Spearman's rank correlation of estimated and measured drops, at locations drawn at random; None without gradients
        or where there were too few runs.
    """

    drops: Tensor
    measured: int
    agreement: float | None


def hierarchical(
    problem: Problem, activation: Activation, layer: str, whole: Tensor, runs: int, budget: int = BUDGET
) -> Hierarchical:
    """(h', w') drops in at most so many head runs.

    Parameters
    ----------
    whole : (1,) Tensor
        The score with nothing silenced.
    runs : int
        A run with its gradient counts as 2.2.
    """
    search = _Search(problem, activation, layer, whole, runs, budget)
    if problem.classifier.head_gives_gradients(layer) and runs >= 2 * WITH_GRADIENT:
        return search.with_gradients()
    return search.without_gradients()


class _Search:
    """The stages, and the runs they have left."""

    def __init__(
        self, problem: Problem, activation: Activation, layer: str, whole: Tensor, runs: int, budget: int
    ) -> None:
        self._problem, self._activation, self._layer = problem, activation, layer
        self._whole, self._runs, self._budget = whole, runs, budget
        self._done = 0.0

    def with_gradients(self) -> Hierarchical:
        estimate = self._on_lattices()
        blocks, _ = self._blocks(int(self._left * _ON_BLOCKS), _FIRST_BLOCKS, estimate)
        measured = {top * estimate.shape[1] + left: drop for (top, _, left, _), drop in blocks.items()}
        agreement = self._singles(estimate, measured)
        drops = estimate.flatten()
        if measured:
            drops[list(measured)] = torch.tensor(list(measured.values()))
        return Hierarchical(drops.view_as(estimate), len(measured), agreement)

    def without_gradients(self) -> Hierarchical:
        activity = self._activation.values[0].float().square().sum(dim=0).sqrt().cpu()
        singles, others = self._blocks(int(self._left), 2 * _FIRST_BLOCKS, None)
        drops = torch.zeros_like(activity)
        for (top, bottom, left, right), drop in (singles | others).items():
            shares = activity[top:bottom, left:right] + 1e-12
            drops[top:bottom, left:right] = drop * shares / shares.sum()
        return Hierarchical(drops, len(singles), None)

    @property
    def _left(self) -> float:
        return max(0.0, self._runs - self._done)

    def _spend(self, runs: float) -> None:
        self._done += runs
        self._problem.progress(min(round(self._done), self._runs), self._runs)

    def _on_lattices(self) -> Tensor:
        """(h', w') drops by Simpson's rule, or the plain gradient's where there are no runs for more."""
        values = self._activation.values
        spacing = min(_WIDEST, math.isqrt(max(0, int((_ON_LATTICES * self._runs / WITH_GRADIENT - 1) / 2))))
        estimate = self._gradients([(0, 0, 1)], 0.0)[0]
        if spacing < 2:
            return estimate
        starts = [(row, column, spacing) for row in range(spacing) for column in range(spacing)]
        starts = [start for start in starts if start[0] < values.shape[2] and start[1] < values.shape[3]]
        for fraction, weight in ((0.5, 4), (1.0, 1)):
            for (row, column, step), found in zip(starts, self._gradients(starts, fraction), strict=True):
                estimate[row::step, column::step] += weight * found[row::step, column::step]
        return estimate / 6

    def _gradients(self, starts: list[tuple[int, int, int]], fraction: float) -> Tensor:
        """(len(starts), h', w') gradients times activation, with the locations of one lattice after the other faded."""
        values = self._activation.values

        def faded(part: slice) -> Tensor:
            chosen = starts[part]
            states = values.repeat(len(chosen), 1, 1, 1)
            for state, (row, column, step) in zip(states, chosen, strict=True):
                state[:, row::step, column::step] *= 1 - fraction
            self._spend(WITH_GRADIENT * len(chosen))
            return states

        found = batched_gradients(self._problem, self._activation, self._layer, faded, len(starts), self._budget)
        return found.float().cpu()

    def _blocks(self, runs: int, along: int, estimate: Tensor | None) -> tuple[dict[Block, float], dict[Block, float]]:
        """Drops of the blocks that are single locations, and those of the unsplit larger ones, in so many runs."""
        rows, columns = self._activation.values.shape[2:]
        side = -(-max(rows, columns) // along)
        waiting = [
            (top, min(top + side, rows), left, min(left + side, columns))
            for top in range(0, rows, side)
            for left in range(0, columns, side)
        ]
        singles: dict[Block, float] = {}
        others: dict[Block, float] = {}
        queue: list[tuple[float, Block]] = []
        while waiting and len(waiting) <= runs:
            drops = ablate_blocks(
                self._problem, self._activation, self._layer, waiting,
                whole=self._whole, budget=self._budget, progress=lambda done, total: None,
            )  # fmt: skip
            runs -= len(waiting)
            self._spend(len(waiting))
            for block, drop in zip(waiting, drops.tolist(), strict=True):
                if _area(block) == 1:
                    singles[block] = drop
                    continue
                others[block] = drop
                heapq.heappush(queue, (-_worth(block, drop, estimate), block))
            # Several are split at once, for the sake of batches: a quarter of what is left, the most worth it first.
            waiting = []
            while queue and len(waiting) + 4 <= max(4, runs // 4) and len(waiting) + 4 <= runs:
                _, block = heapq.heappop(queue)
                del others[block]
                waiting += _quarters(block)
        return singles, others | dict.fromkeys(waiting, 0.0)

    def _singles(self, estimate: Tensor, measured: dict[int, float]) -> float | None:
        """Measure the locations with the largest estimates, and a few at random; the latter's agreement."""
        runs = min(int(self._left), estimate.numel())
        flat = estimate.flatten()
        drawn = torch.randperm(len(flat), generator=torch.Generator().manual_seed(0))[: min(_DRAWN, runs // 2)]
        largest = flat.abs().argsort(descending=True)
        chosen = list(dict.fromkeys([*drawn.tolist(), *(i for i in largest.tolist() if i not in measured)]))[:runs]
        if not chosen:
            return None
        drops = ablate(
            self._problem, self._activation, self._layer, torch.tensor(chosen),
            whole=self._whole, budget=self._budget, progress=lambda done, total: None,
        ).float().cpu()  # fmt: skip
        self._spend(len(chosen))
        measured |= dict(zip(chosen, drops.tolist(), strict=True))
        return spearman(flat[drawn], drops[: len(drawn)]) if len(drawn) >= 8 else None


def _area(block: Block) -> int:
    top, bottom, left, right = block
    return (bottom - top) * (right - left)


def _worth(block: Block, drop: float, estimate: Tensor | None) -> float:
    """How much there is to learn in a block: its drop, or what the estimates miss of it, for each location of a side."""
    top, bottom, left, right = block
    missed = 0.0 if estimate is None else drop - float(estimate[top:bottom, left:right].sum())
    return max(abs(drop), abs(missed)) / math.sqrt(_area(block))


def _quarters(block: Block) -> list[Block]:
    top, bottom, left, right = block
    rows, columns = _halved(top, bottom), _halved(left, right)
    return [(a, b, c, d) for a, b in pairwise(rows) for c, d in pairwise(columns)]


def _halved(start: int, stop: int) -> list[int]:
    return [start, (start + stop + 1) // 2, stop] if stop - start > 1 else [start, stop]


def spearman(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation of two (N,) tensors, ties sharing their mean rank; 0 where one of them is constant."""
    ranks = torch.stack([_ranks(a.double()), _ranks(b.double())])
    ranks = ranks - ranks.mean(dim=1, keepdim=True)
    scale = math.sqrt(float(ranks[0].square().sum() * ranks[1].square().sum()))
    shared = float((ranks[0] * ranks[1]).sum())
    return shared / scale if scale > 0 else 0.0


def _ranks(values: Tensor) -> Tensor:
    _, group, count = values.unique(return_inverse=True, return_counts=True)
    ranks: Tensor = count.cumsum(0).double() - (count.double() - 1) / 2
    return ranks[group]
