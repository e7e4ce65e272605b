"""Heads: the affine beginnings that are found on a network's steps alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from torch import Tensor

from napari_attribution.classifiers.splitting.beginnings.affine import AVERAGES, NEVER, REARRANGE, is_affine
from napari_attribution.classifiers.splitting.beginnings.beginning import Beginning
from napari_attribution.classifiers.splitting.beginnings.hollow import hollow
from napari_attribution.classifiers.splitting.crossing import parts_cleanly, rules_of
from napari_attribution.classifiers.splitting.cuts import Cut, Place
from napari_attribution.classifiers.splitting.steps import Key, Program, Step, depending, last_reads
from napari_attribution.classifiers.splitting.work import multiplications, shares_behind

_MOVED = 10.0
"""Multiplications in whose time a number is copied: weighs heads, which copy the activation, against rows of a product."""

_FEWEST = 0.9
"""A beginning is worth its while if it saves at least a tenth of the heads."""


class Heads:
    """What can be said of a network's heads by looking at its steps.

    Parameters
    ----------
    program : Program
    one, two : its values for one input and for two; of what depends on the input, only shapes are kept.
    """

    def __init__(self, program: Program, one: Mapping[Key, Any], two: Mapping[Key, Any] | None) -> None:
        of = depending(program.steps, program.x, one)
        self._program = program
        self._one = hollow(one, of)
        self._two = None if two is None else hollow(two, of)
        self._shares = shares_behind(program.steps, one)
        self._multiplications = multiplications(program.steps, one)
        self._last = last_reads(program.steps, program.results)

    def may_be_affine(self, cut: Cut) -> bool:
        """False where a step behind the cut is known that no head with it can be affine."""
        if self._program.reruns:
            return True
        return not self._follow(cut)[1]

    def beginning(self, cut: Cut, locations: int | None = None) -> Beginning | None:
        """The best affine beginning of a head; None where there is none that saves work.

        Parameters
        ----------
        cut : Cut
        locations : int, optional
            How many there are, if not as many as for an input of the card's size.
        """
        if self._program.reruns or self._two is None:
            return None
        count = locations or cut.shape[1] * cut.shape[2]
        moved = _MOVED * prod(cut.shape) / self._multiplications
        best, cheapest = None, _FEWEST * count * (cut.head_cost + moved)
        for found in self._follow(cut)[0]:
            costs = found.cost(cut, count) + (1 if found.by_channel else found.length) * moved
            if costs < cheapest:
                best, cheapest = found, costs
        return best

    def _follow(self, cut: Cut) -> tuple[list[Beginning], bool]:
        """Every affine beginning, and whether something is met that no affine head has."""
        steps, values = self._program.steps, self._one
        reached = depending(steps[cut.step + 1 :], cut.key, values)
        affine, alive = {cut.key}, {cut.key}
        # A ReLU changes nothing behind another.
        positive = {cut.key} if cut.kind == "relu" else set()
        waists: dict[Key, int] = {}
        found: list[Beginning] = []
        hopeless = False
        for number in range(cut.step + 1, len(steps)):
            step = steps[number]
            read = [key for key in (*step.reads, *step.inner) if key in reached]
            if read:
                made = {key for key in step.makes if key in reached}
                idle = step.name == "relu" and set(read) <= positive
                hopeless = hopeless or (step.name in NEVER and not idle)
                if idle or is_affine(step, affine, reached, values):
                    affine |= made
                if set(read) <= positive and (idle or step.name in (*AVERAGES, *REARRANGE)):
                    positive |= made
                alive |= made
            alive = {key for key in alive if self._last.get(key, -1) > number}
            if alive & set(step.makes) and len(alive) == 1 and alive <= affine:
                (key,) = alive
                waists[key] = number
                found += self._ending_at(cut, step, key, number, waists)
        return found, hopeless

    def _ending_at(self, cut: Cut, step: Step, key: Key, number: int, waists: Mapping[Key, int]) -> Iterator[Beginning]:
        end = self._place(key, number)
        if end is None:
            return
        length, work, n = self._one[key].numel(), self._multiplications, cut.shape[0]
        yield Beginning(end, end, length, None, None, False, length == n, work)
        weight = _weight(step, self._one)
        if weight is None:
            return
        source, matrix_key, transposed = weight
        start = self._place(source, waists[source]) if source in waists else None
        if start is not None:
            held = self._one.get(matrix_key)
            matrix = held if isinstance(held, Tensor) and held.device.type != "meta" else None
            by_channel = self._one[source].numel() == n
            yield Beginning(start, end, length, matrix_key, matrix, transposed, by_channel, work)

    def _place(self, key: Key, number: int) -> Place | None:
        program, one, two = self._program, self._one, self._two
        value, other = one.get(key), None if two is None else two.get(key)
        if not isinstance(value, Tensor) or not isinstance(other, Tensor) or not value.is_floating_point():
            return None
        if value.ndim < 2 or len(value) != 1 or other.shape != (2, *value.shape[1:]):
            return None
        made = [program.x]
        for step in program.steps[: number + 1]:
            made += step.makes if step.kind != "prim::Constant" else ()
        carried = tuple(other for other in made if other != key and self._last.get(other, -1) > number)
        grows = rules_of(carried, one, two)
        if grows is None or not parts_cleanly(key, carried, carried, one, program.steps[number + 1 :]):
            return None
        return Place(key, number, carried, grows, self._shares[number])


def _weight(step: Step, values: Mapping[Key, Any]) -> tuple[Key, Key, bool] | None:
    """What a product with a weight reads, the weight, and whether that stands transposed."""
    if step.name in ("linear", "matmul", "mm") and len(step.reads) > 1:
        source, weight, transposed = step.reads[0], step.reads[1], step.name != "linear"
    elif step.name == "addmm":
        source, weight, transposed = step.reads[1], step.reads[2], True
    elif "conv" in step.name and len(step.reads) > 1:
        source, weight, transposed = step.reads[0], step.reads[1], False
    else:
        return None
    read, matrix, made = values.get(source), values.get(weight), values.get(step.makes[0])
    if not isinstance(read, Tensor) or not isinstance(matrix, Tensor) or not isinstance(made, Tensor):
        return None
    rows = made.numel() // len(made)
    shape = (matrix.shape[-1], *matrix.shape[:-1]) if transposed else tuple(matrix.shape)
    fits = tuple(shape) == (rows, *read.shape[1:])
    return (source, weight, transposed) if fits else None
