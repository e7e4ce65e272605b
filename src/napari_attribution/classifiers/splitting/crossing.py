"""What crosses a place beside its value: how it follows to many activations, and whether copies of it will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from napari_attribution.classifiers.splitting.carrying import CarryingError, carry, rule
from napari_attribution.classifiers.splitting.cuts import Place
from napari_attribution.classifiers.splitting.steps import Key, Step, tensors

Crossing = tuple[Tensor, tuple[Any, ...]]
"""A value at a place, and what crosses beside it."""


def rules_of(carried: Sequence[Key], one: Mapping[Key, Any], two: Mapping[Key, Any] | None) -> tuple[Any, ...] | None:
    """How each carried value grows with the inputs; None where one cannot be carried."""
    if two is None:
        return (None,) * len(carried)
    try:
        return tuple(rule(one.get(key), two.get(key)) for key in carried)
    except CarryingError:
        return None


def carry_all(values: Sequence[Any], place: Place, have: int, want: int) -> tuple[Any, ...]:
    """What crosses at a place, computed for `have` inputs, for `want` activations."""
    return tuple(carry(value, grows, have, want) for value, grows in zip(values, place.grows, strict=True))


def parts_cleanly(
    key: Key, beside: Sequence[Key], carried: Sequence[Key], values: Mapping[Key, Any], behind: Sequence[Step]
) -> bool:
    """Whether nothing that crosses, as a copy of its own, would miss what is done to another."""
    value = values[key]
    return not _shares_memory(value, beside, values) and not _change_each_other(carried, values, behind)


def _shares_memory(value: Tensor, carried: Sequence[Key], values: Mapping[Key, Any]) -> bool:
    """Whether something beside the value is a view of it, and would not feel what is done to it."""
    memory = value.untyped_storage()._cdata
    return any(tensor.untyped_storage()._cdata == memory for key in carried for tensor in tensors(values.get(key)))


def _change_each_other(carried: Sequence[Key], values: Mapping[Key, Any], behind: Sequence[Step]) -> bool:
    """Whether carried values are views of one memory, which a step behind the cut changes in place: as copies, one would
    not feel what is done to the other."""
    memories: dict[int, list[Key]] = {}
    for key in carried:
        value = values.get(key)
        if isinstance(value, Tensor):
            memories.setdefault(value.untyped_storage()._cdata, []).append(key)
    views = {key for keys in memories.values() if len(keys) > 1 for key in keys}
    in_place = (step for step in behind if step.kind.endswith("_") and not step.kind.endswith("__"))
    return bool(views) and any(step.reads and step.reads[0] in views for step in in_place)
