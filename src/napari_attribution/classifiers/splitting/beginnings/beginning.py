"""Beginning: two places of a head between which it is affine, and what it costs to go by them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from napari_attribution.classifiers.splitting.cuts import Cut, Place
from napari_attribution.classifiers.splitting.steps import Key
from napari_attribution.classifiers.splitting.work import WITH_GRADIENT


@dataclass(frozen=True, eq=False)
class Beginning:
    """Two places of a head: up to the second it is affine in the activation.

    Parameters
    ----------
    reads : Place
        The value that the last product reads; `end` itself where no product ends the beginning.
    end : Place
        The last value that is affine, a vector (or what is as good as one).
    length : int
        Numbers in it.
    weight : Key or None
        The last product's weight; None where there is none.
    matrix : Tensor or None
        The weight, where it is known to be computed from others.
    transposed : bool
        Whether the weight has one column, not one row, for every number of the vector.
    by_channel : bool
        Whether `reads` has one number a channel, and so may owe each to that channel alone.
    multiplications : float
        Those of a forward of one input.
    """

    reads: Place
    end: Place
    length: int
    weight: Key | None
    matrix: Tensor | None
    transposed: bool
    by_channel: bool
    multiplications: float

    def row_cost(self, cut: Cut) -> float:
        """Forwards that one row of the product costs.

        What stands in front of the last product is run with its gradient for every row, and the row is multiplied with
        the activation, number by number.
        """
        return WITH_GRADIENT * max(0.0, cut.head_cost - self.reads.head_cost) + prod(cut.shape) / self.multiplications

    def cost(self, cut: Cut, locations: int) -> float:
        """Forwards that all drops cost: the product, and the rest of the head for every location and for nothing silenced."""
        start = max(0.0, cut.head_cost - self.end.head_cost)
        product = self.length * self.row_cost(cut)
        if self.by_channel:
            product = WITH_GRADIENT * start + locations * self.column_cost(cut)
        return start + product + (locations + 1) * self.end.head_cost

    def column_cost(self, cut: Cut) -> float:
        """Forwards that the product costs for one location, where every channel is summed up by itself."""
        return cut.shape[0] * (1 if self.weight is None else self.length) / self.multiplications
