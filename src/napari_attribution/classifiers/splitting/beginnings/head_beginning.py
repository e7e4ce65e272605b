"""HeadBeginning: a head run by its affine beginning."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.memory import is_out_of_memory
from napari_attribution.classifiers.splitting.beginnings.beginning import Beginning
from napari_attribution.classifiers.splitting.crossing import Crossing, carry_all
from napari_attribution.classifiers.splitting.cuts import Cut
from napari_attribution.classifiers.splitting.halves import Carried, Halves
from napari_attribution.classifiers.splitting.techniques.technique import Technique
from napari_attribution.errors import LayerError


class HeadBeginning:
    """The affine beginning of a head as a vector per location, and the rest of the head behind it.

    Parameters
    ----------
    halves : Halves
    cut : Cut
    found : Beginning
    technique : Technique
        That made the halves.

    Attributes
    ----------
    row_cost, column_cost, rest_cost : float
        Forwards that `rows` costs for each row, `columns` for each location, `rest` for each vector.

    Raises
    ------
    LayerError
        Where the technique cannot part the head there, or the weight cannot be had.
    """

    def __init__(self, halves: Halves, cut: Cut, found: Beginning, technique: Technique) -> None:
        self._halves, self._end = halves, found.end
        self._to_reads = technique.between(cut, found.reads)
        self._to_end = self._to_reads if found.weight is None else technique.between(cut, found.end)
        self._behind = technique.part(found.end).second
        self._exactly = technique.exactly(found.end)
        self._weight: Tensor | None = None
        if found.weight is not None:
            weight = technique.weight(found.weight)
            weight = found.matrix if weight is None else weight
            if not isinstance(weight, Tensor) or not weight.is_floating_point():
                raise LayerError("The last product's weight is not at hand.")
            self._weight = (weight.movedim(-1, 0) if found.transposed else weight).detach()
        self._dtype = torch.float32
        self.length = found.length
        self.by_channel = found.by_channel
        self.row_cost, self.column_cost = found.row_cost(cut), found.column_cost(cut)
        self.rest_cost = found.end.head_cost

    def vector(self, maps: Tensor, carried: Carried) -> Crossing:
        """The vector itself, (1, ...), of a (1, n, h', w') map, and what crosses beside it."""
        vector, beside = self._to_end(*self._halves.crossing(maps, carried))
        self._dtype = vector.dtype
        return vector, beside

    def rows(self, maps: Tensor, carried: Carried, chosen: slice) -> Tensor:
        """What each location gives to some of the vector's numbers: (1, n, h', w') to (h' * w', r)."""
        wanted = range(self.length)[chosen]
        with torch.enable_grad():
            copies = maps.detach().expand(len(wanted), -1, -1, -1).clone().requires_grad_(True)
            read, _ = self._to_reads(*self._halves.crossing(copies, carried))
            if self._weight is None:
                back = torch.zeros_like(read).flatten(1)
                back[range(len(wanted)), wanted] = 1
            else:
                back = self._weight[chosen]
            (gradient,) = torch.autograd.grad(read, copies, back.reshape(read.shape).to(read.dtype))
        return (gradient * maps).sum(dim=1).flatten(1).T

    def columns(self, maps: Tensor, carried: Carried) -> Tensor:
        """What each location gives to the vector, where each number that the last product reads comes of one channel
        alone: (1, n, h', w') to (h' * w', length)."""
        with torch.enable_grad():
            own = maps.detach().clone().requires_grad_(True)
            read, _ = self._to_reads(*self._halves.crossing(own, carried))
            (gradient,) = torch.autograd.grad(read.sum(), own)
        given = (gradient * maps)[0].flatten(1).T
        return given if self._weight is None else given @ self._weight.flatten(1).T.to(given.dtype)

    def rest(self, vectors: Tensor, beside: tuple[Any, ...]) -> Any:
        """(N, ...) vectors to what the network returns for them, in double precision where they are and it can be had;
        what crosses beside is that of one input.

        A location of thousands changes a score by so little that the difference of two float32 scores is mostly rounding.
        """
        carried = carry_all(beside, self._end, 1, len(vectors))
        if self._exactly is not None and vectors.dtype == torch.float64:
            try:
                return self._exactly(vectors.clone(), carried)
            except (RuntimeError, NotImplementedError) as error:
                if is_out_of_memory(error):
                    raise
                self._exactly = None  # a type is written down behind the cut
        return self._behind(vectors.to(self._dtype), carried)
