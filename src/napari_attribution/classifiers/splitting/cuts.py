"""Cuts: the places where a network can be parted, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_attribution.classifiers.splitting.layouts import Grid, Layout
from napari_attribution.classifiers.splitting.steps import Key

# Operations that only rearrange, pool, thin out or rescale what the block before them has made; and bare products, which
# stand before their norm, skip and activation.
_NOT_A_BLOCK = (
    *("pool", "dropout", "flatten", "view", "reshape", "permute", "transpose", "layer_norm", "contiguous", "pad"),
    *("clone", "slice", "roll", "expand", "squeeze", "movedim", "swapaxes", "getitem", "unpack", "detach", "to_copy"),
    *("as_tensor", "upsample", "flip", "conv", "linear", "matmul"),
)


@dataclass(frozen=True, eq=False)
class Place:
    """A value at which the network can be parted, whatever it holds.

    Parameters
    ----------
    key : Key
        The value.
    step : int
        Number of the last step of the first half.
    carried : tuple of Key
        What crosses beside it.
    grows : tuple
        How each of those follows the number of inputs (see `carrying`).
    head_cost : float
        Share of a forward's arithmetic that is behind it.
    """

    key: Key
    step: int
    carried: tuple[Key, ...]
    grows: tuple[Any, ...]
    head_cost: float


@dataclass(frozen=True, eq=False)
class Cut(Place):
    """A place whose value is a map of locations.

    Parameters
    ----------
    name : str
        The module that made it, and the operation: "layers.2.norm2:relu".
    kind : str
        The operation: "relu".
    shape : (n, h', w')
        Of its map, for one input.
    skips : int
        How many of the carried values hold tensors computed from the input that the scores are made of.
    layout : Layout
        How the value holds its locations, and where they lie.
    head_bytes : int
        What the head keeps for one input at its fullest moment.
    gradient_bytes : int
        What it makes for one input in all: as much is kept where its gradient is asked for.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    skips: int
    layout: Layout
    head_bytes: int
    gradient_bytes: int

    @property
    def is_block_output(self) -> bool:
        """Whether all that the rest of the network reads is this one value, and a block made it."""
        return self.skips == 0 and self.is_finished

    @property
    def is_finished(self) -> bool:
        """Whether a block's last operation made it."""
        return self.kind.endswith("relu") or not (self.kind == "to" or any(word in self.kind for word in _NOT_A_BLOCK))

    @property
    def grid(self) -> Grid:
        """Where its locations lie in the input."""
        return self.layout.grid
