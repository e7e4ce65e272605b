"""Finding cuts: every place where a network's steps can be parted into features(x) and head(activation)."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from torch import Tensor

from napari_attribution.classifiers.splitting.carrying import CarryingError, rule
from napari_attribution.classifiers.splitting.crossing import parts_cleanly, rules_of
from napari_attribution.classifiers.splitting.cuts import Cut
from napari_attribution.classifiers.splitting.geometry import Geometry
from napari_attribution.classifiers.splitting.steps import (
    Key,
    Program,
    Step,
    depending,
    last_reads,
    leading_to,
    tensors,
)
from napari_attribution.classifiers.splitting.work import filled_and_made, is_product, shares_behind

_NOTHING = Step("prim::Constant", (), ())


def find_cuts(
    program: Program, one: Mapping[Key, Any], two: Mapping[Key, Any] | None, scores: Key | None = None
) -> tuple[Cut, ...]:
    """Every place where a network can be cut, first to last.

    Parameters
    ----------
    program : Program
    one, two : its values for one input and for two; no `two` where it takes one at a time.
    scores : Key, optional
        Which value the class scores are, where the network returns others too.
    """
    steps = program.steps
    dependent = depending(steps, program.x, one)
    relevant = leading_to(steps, scores) if scores is not None else set(range(len(steps)))
    # What only asks for a size reads no numbers.
    relevant = {number for number in relevant if any(key in dependent for key in steps[number].makes)}
    read_for_scores = last_reads([step if i in relevant else _NOTHING for i, step in enumerate(steps)], ())
    last = last_reads(steps, program.results)
    geometry = Geometry(program, one)
    behind = shares_behind(steps, one)
    filled, made_by = filled_and_made(steps, one, last, dependent)
    made: list[tuple[int, Key]] = [(-1, program.x)]
    cuts: list[Cut] = []
    names: dict[str, int] = {}
    computes = False
    for number, step in enumerate(steps):
        computes = computes or ((bool(step.inner) or is_product(step)) and any(key in dependent for key in step.makes))
        if step.kind != "prim::Constant":
            made += [(number, key) for key in step.makes]
        made = [(when, key) for when, key in made if last.get(key, -1) > number]
        for key in step.makes:
            value = one.get(key)
            if not computes or key not in dependent or last.get(key, -1) <= number:
                continue
            if not isinstance(value, Tensor) or not _holds_a_map(value):
                continue
            batch = _batch_axis(value, None if two is None else two.get(key))
            layout = geometry.layout(key, batch) if batch is not None else None
            if layout is None or layout.size[0] * layout.size[1] < 2:
                continue
            beside = tuple(other for _, other in made if other != key)
            carried = (program.x,) if program.reruns else beside
            grows = rules_of(carried, one, two)
            if grows is None or not parts_cleanly(key, beside, carried, one, steps[number + 1 :]):
                continue
            start = 0 if program.reruns else number
            stem = f"{step.module}:{step.name}".lstrip(":")
            names[stem] = names.get(stem, 0) + 1
            cuts.append(
                Cut(
                    key=key,
                    step=number,
                    name=stem if names[stem] == 1 else f"{stem}:{names[stem]}",
                    kind=step.name,
                    shape=(value.shape[layout.channel] * prod(layout.planes), *layout.size),
                    carried=carried,
                    grows=grows,
                    skips=sum(other in dependent and read_for_scores.get(other, -1) > number for other in beside),
                    head_cost=1.0 if program.reruns else behind[number],
                    layout=layout,
                    head_bytes=max(filled[start:]),
                    gradient_bytes=made_by[-1] - made_by[start],
                )
            )
    return tuple(cuts)


def scores_of(program: Program, values: Mapping[Key, Any]) -> Key | None:
    """Which value the class scores are: the only result, or the first (1, K) one of several."""
    found = [tensor for key in program.results for tensor in tensors(values.get(key))]
    rows = [tensor for tensor in found if tensor.ndim == 2] if len(found) > 1 else found
    if not rows:
        return None
    made = [key for step in program.steps for key in step.makes]
    return next((key for key in reversed(made) if values.get(key) is rows[0]), None)


def _holds_a_map(value: Tensor) -> bool:
    return (value.is_floating_point() or value.is_quantized) and value.ndim >= 3


def _batch_axis(one: Tensor, two: Any) -> int | None:
    """The axis of the inputs: of length 1 for one input, 2 for two."""
    if two is None:
        return next((axis for axis in range(one.ndim) if one.shape[axis] == 1), None)
    try:
        axis = rule(one, two)
    except CarryingError:
        return None
    return axis if axis is not None and one.shape[axis] == 1 else None
