"""The affine beginning of a head: how far behind a cut a network does nothing but sums and products with constants.

Pooling, flattening, batch norm in eval mode, a linear layer: up to there, silencing a location subtracts one vector that
does not depend on what else is silenced, and these vectors can be had for all locations in one product. Found on a
network's steps alone; what is found is a lead, which whoever uses it compares with the head itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.memory import is_out_of_memory
from napari_attribution.classifiers.splitting.crossing import Crossing, carry_all, parts_cleanly, rules_of
from napari_attribution.classifiers.splitting.cuts import Cut, Place
from napari_attribution.classifiers.splitting.halves import Carried, Halves
from napari_attribution.classifiers.splitting.steps import Key, Program, Step, depending, last_reads, tensors
from napari_attribution.classifiers.splitting.techniques.technique import Technique
from napari_attribution.classifiers.splitting.work import WITH_GRADIENT, multiplications, shares_behind
from napari_attribution.errors import LayerError

_REARRANGE = (
    *("flatten", "view", "reshape", "_unsafe_view", "unflatten", "permute", "transpose", "t", "movedim", "moveaxis"),
    *("swapaxes", "swapdims", "contiguous", "clone", "squeeze", "unsqueeze", "expand", "expand_as", "view_as", "alias"),
    *("slice", "select", "narrow", "index_select", "roll", "flip", "chunk", "split", "split_with_sizes", "unbind"),
    *("cat", "concat", "stack", "to", "type_as", "_to_copy", "float", "identity", "numpy_T", "reshape_as"),
    *("ListConstruct", "TupleConstruct", "ListUnpack", "TupleUnpack", "__getitem__"),
)
_AVERAGES = (
    *("avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"),
    *("_adaptive_avg_pool2d", "mean", "sum", "dropout", "feature_dropout", "upsample_bilinear2d", "upsample_nearest2d"),
)
# Affine in what they read first, if nothing else that they read depends on the activation.
_OF_ITS_FIRST = (
    *("linear", "conv1d", "conv2d", "conv3d", "_convolution", "convolution", "div", "true_divide", "neg", "batch_norm"),
    *("_native_batch_norm_legit_no_training", "constant_pad_nd", "pad", "rsub"),
)
# Affine in the one operand that does.
_OF_ONE = ("mul", "multiply", "matmul", "mm", "bmm", "addmm")
_SUMS = ("add", "sub", "subtract")

_NEVER = (
    *("relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "hardswish"),
    *("hardsigmoid", "hardtanh", "sigmoid", "tanh", "softmax", "_softmax", "log_softmax", "_log_softmax", "clamp"),
    *("max_pool2d", "max_pool2d_with_indices", "adaptive_max_pool2d", "max_pool3d", "layer_norm", "group_norm"),
    *("native_layer_norm", "native_group_norm", "instance_norm", "scaled_dot_product_attention", "exp", "log", "sqrt"),
    *("rsqrt", "pow", "norm", "linalg_vector_norm", "amax", "logsumexp", "_native_multi_head_attention"),
)
"""What these make is not affine in what they read, whatever a few trials might say."""

_MOVED = 10.0
"""Multiplications in whose time a number is copied: weighs heads, which copy the activation, against rows of a product."""

_FEWEST = 0.9
"""A beginning is worth its while if it saves at least a tenth of the heads."""


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
                hopeless = hopeless or (step.name in _NEVER and not idle)
                if idle or _is_affine(step, affine, reached, values):
                    affine |= made
                if set(read) <= positive and (idle or step.name in (*_AVERAGES, *_REARRANGE)):
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


def _is_affine(step: Step, affine: set[Key], reached: set[Key], values: Mapping[Key, Any]) -> bool:
    """Whether a step makes something affine of what is affine."""
    depends = [number for number, key in enumerate(step.reads) if key in reached]
    if any(key in reached for key in step.inner) or any(step.reads[number] not in affine for number in depends):
        return False
    if step.name in (*_SUMS, *_REARRANGE):
        return True
    if step.name == "batch_norm" and values.get(step.reads[5]) is not False:
        return False
    return len(depends) == 1 and (
        step.name in _OF_ONE or (depends == [0] and step.name in (*_OF_ITS_FIRST, *_AVERAGES))
    )


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


def hollow(values: Mapping[Key, Any], of: set[Key]) -> dict[Key, Any]:
    """The same values, those of the given keys without their numbers: of the same shapes, on memories as shared as
    theirs, that take no room."""
    memories: dict[Any, Tensor] = {}

    def emptied(value: Any) -> Any:
        if isinstance(value, Tensor):
            if value.is_quantized or value.layout != torch.strided:
                return value
            memory = (value.untyped_storage()._cdata, value.dtype)
            if memory not in memories:
                memories[memory] = value.new_empty((), device="cpu")
            return memories[memory].expand(value.shape)
        if isinstance(value, list | tuple) and next(tensors(list(value)), None) is not None:
            items = [emptied(item) for item in value]
            return items if isinstance(value, list) else tuple(items)
        return value

    return {key: emptied(value) if key in of else value for key, value in values.items()}
