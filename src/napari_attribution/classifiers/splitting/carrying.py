"""Carrying: what else crosses a cut beside the activation, and how it follows when one input becomes many activations.

Skips, sizes, lists: whatever the head reads that was made before the cut. Each is compared between a run on one input and
one on two. What does not change is passed on; an axis, or a whole number, that doubles belongs to the inputs and is
repeated, or multiplied, for the activations.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from napari_attribution.errors import LayerError

NUMBER = "number"
"""The rule of a whole number that counts inputs."""


class CarryingError(LayerError):
    """A value that cannot follow from one input to many activations."""


def rule(one: Any, two: Any) -> Any:
    """How a value grows with the number of inputs: the axis of a tensor, NUMBER, or None for what stays as it is.

    Parameters
    ----------
    one, two : the value in a run on one input and in one on two.

    Raises
    ------
    CarryingError
        Where it grows in another way.
    """
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        return _of_tensors(one, two)
    if isinstance(one, list | tuple) and isinstance(two, list | tuple) and len(one) == len(two):
        return [rule(a, b) for a, b in zip(one, two, strict=True)]
    if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
        return {key: rule(one[key], two[key]) for key in one}
    if type(one) is not type(two) or isinstance(one, list | tuple | dict):
        raise CarryingError(f"A {type(one).__name__} of another make for two inputs than for one crosses the cut.")
    return _of_numbers(one, two) if isinstance(one, int) and not isinstance(one, bool) else None


def _of_tensors(one: Tensor, two: Tensor) -> Any:
    if one.ndim == 0 and two.ndim == 0 and not one.is_floating_point() and one.device.type == two.device.type == "cpu":
        return _of_numbers(int(one), int(two))
    grown = [axis for axis in range(one.ndim) if one.shape[axis] != two.shape[axis]] if one.ndim == two.ndim else [0, 0]
    if not grown:
        return None
    if len(grown) > 1 or two.shape[grown[0]] != 2 * one.shape[grown[0]]:
        raise CarryingError(
            f"A tensor of {tuple(one.shape)} for one input and {tuple(two.shape)} for two crosses the cut."
        )
    return grown[0]


def _of_numbers(one: int, two: int) -> str | None:
    if one == two:
        return None
    if two != 2 * one:
        raise CarryingError(f"A number that is {one} for one input and {two} for two crosses the cut.")
    return NUMBER


def carry(value: Any, grows: Any, have: int, want: int) -> Any:
    """A value that was computed for `have` inputs, for `want` activations; always a copy of its own.

    Raises
    ------
    CarryingError
        Where activations of several inputs are to become another number.
    """
    if have not in (1, want):
        raise CarryingError(
            f"{want} activations cannot share what {have} inputs left behind; give one input, or {want}."
        )
    if grows == NUMBER:
        return value * want // have
    if isinstance(value, Tensor):
        if grows is None or have == want:
            return value.clone()
        return value.repeat(*(want if axis == grows else 1 for axis in range(value.ndim)))
    if isinstance(value, list | tuple):
        # A list may grow longer behind the cut: the rules are those of its final length.
        each = [carry(item, how, have, want) for item, how in zip(value, grows or [None] * len(value), strict=False)]
        return each if isinstance(value, list) else tuple(each)
    if isinstance(value, dict):
        return {key: carry(item, (grows or {}).get(key), have, want) for key, item in value.items()}
    return value
