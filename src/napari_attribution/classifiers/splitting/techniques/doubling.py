"""Second halves in double precision: what is put in is doubled, weights too where there are few."""

from typing import Any

from torch import Tensor

MOST_DOUBLED = 64 * 2**20
"""Bytes of weights that are kept in double precision beside their own."""


def doubled(value: Any) -> Any:
    """A number, tensor or list of tensors in double precision, where it is in another."""
    if isinstance(value, Tensor):
        return value.double() if value.is_floating_point() and not value.is_quantized else value
    return type(value)(doubled(item) for item in value) if type(value) in (list, tuple) else value
