"""How much a network does and keeps: multiplications, and bytes, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from torch import Tensor

from napari_attribution.classifiers.splitting.steps import Key, Step

WITH_GRADIENT = 2.2
"""What a forward with its input gradient costs, in forwards (measured on a ResNet-18-like network)."""

_PRODUCTS = ("linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "scaled_dot_product_attention")
_SUMS = ("pool", "mean", "sum")


def shares_behind(steps: Sequence[Step], values: Mapping[Key, Any]) -> list[float]:
    """For every step, the share of all multiplications that is done behind it: a convolution or matrix product does as
    many for each number that it makes as it sums up; anything else is taken to do one, a mean one for each it reads."""
    work = [_work(step, values) for step in steps]
    total = max(sum(work), 1.0)
    return [max(0.0, 1 - done / total) for done in accumulate(work)]


def multiplications(steps: Sequence[Step], values: Mapping[Key, Any]) -> float:
    """Those of a forward of one input, counted as in `shares_behind`."""
    return max(sum(_work(step, values) for step in steps), 1.0)


def is_product(step: Step) -> bool:
    """Whether an operation multiplies with weights, or values with each other, and sums up."""
    return "conv" in step.name or "linear" in step.name or step.name in _PRODUCTS


def filled_and_made(
    steps: Sequence[Step], values: Mapping[Key, Any], last: Mapping[Key, int], dependent: set[Key]
) -> tuple[list[int], list[int]]:
    """For every step, the bytes of what is computed from the input: of all that is not done with while it runs, and of
    all that was made so far. Views count as copies, which leaves room for what an operation needs for itself."""
    alive: dict[Key, int] = {}
    ends: dict[int, list[Key]] = {}
    filled: list[int] = []
    made: list[int] = []
    for number, step in enumerate(steps):
        before = made[-1] if made else 0
        for key in step.makes:
            value = values.get(key)
            if key in dependent and isinstance(value, Tensor):
                alive[key] = value.numel() * value.element_size()
                before += alive[key]
                ends.setdefault(last.get(key, number), []).append(key)
        made.append(before)
        filled.append(sum(alive.values()))
        for key in ends.pop(number, ()):
            del alive[key]
    return filled, made


def _work(step: Step, values: Mapping[Key, Any]) -> float:
    made = next((values.get(key) for key in step.makes), None)
    if not isinstance(made, Tensor) or (step.kind.startswith("prim::") and not step.inner):
        return 0.0
    if "conv" in step.name:
        weights = values.get(step.reads[1]) if len(step.reads) > 1 else None
        return made.numel() * (weights.numel() / len(weights) if isinstance(weights, Tensor) else 9.0 * made.shape[1])
    if step.name in _PRODUCTS:
        first = values.get(step.reads[1 if step.name == "addmm" else 0])
        return float(made.numel() * (first.shape[-1] if isinstance(first, Tensor) else 1))
    if any(word in step.name for word in _SUMS):
        read = values.get(step.reads[0]) if step.reads else None
        return float(max(made.numel(), read.numel() if isinstance(read, Tensor) else 0))
    return float(made.numel())
