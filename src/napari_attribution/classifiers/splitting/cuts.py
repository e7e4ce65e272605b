"""Cuts: every place where a network's steps can be parted into features(x) and head(activation)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any, Protocol

import torch
from torch import Tensor

from napari_attribution.classifiers.splitting.carrying import CarryingError, carry, rule
from napari_attribution.classifiers.splitting.geometry import Geometry
from napari_attribution.classifiers.splitting.layouts import Grid, Layout
from napari_attribution.classifiers.splitting.steps import (
    Key,
    Program,
    Step,
    depending,
    last_reads,
    leading_to,
    tensors,
)
from napari_attribution.errors import LayerError

# Operations that only rearrange, pool, thin out or rescale what the block before them has made; and bare products, which
# stand before their norm, skip and activation.
_NOT_A_BLOCK = (
    *("pool", "dropout", "flatten", "view", "reshape", "permute", "transpose", "layer_norm", "contiguous", "pad"),
    *("clone", "slice", "roll", "expand", "squeeze", "movedim", "swapaxes", "getitem", "unpack", "detach", "to_copy"),
    *("as_tensor", "upsample", "flip", "conv", "linear", "matmul"),
)


WITH_GRADIENT = 2.2
"""What a forward with its input gradient costs, in forwards (measured on a ResNet-18-like network)."""


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


Crossing = tuple[Tensor, tuple[Any, ...]]
"""A value at a place, and what crosses beside it."""


@dataclass(frozen=True)
class Parts:
    """A network parted at one cut, in its own terms: values as they are, whatever crosses besides beside them."""

    first: Callable[[Tensor], Crossing]
    second: Callable[[Tensor, tuple[Any, ...]], Any]
    gradients: bool = True


class Technique(Protocol):
    """A way to part a network.

    Attributes
    ----------
    name : str
    source : what it reads; techniques of the same source can part the same cuts.
    last_resort : bool
        Whether it sees no more places than the others, and only helps where they fail.
    """

    name: str
    last_resort: bool

    @property
    def source(self) -> object: ...

    def program(self) -> Program: ...

    def part(self, place: Place) -> Parts: ...

    def between(self, first: Place, second: Place) -> Callable[[Tensor, tuple[Any, ...]], Crossing]:
        """What stands between two places.

        Raises
        ------
        LayerError
            Where it cannot be had by itself.
        """
        ...

    def exactly(self, place: Place) -> Callable[[Tensor, tuple[Any, ...]], Any] | None:
        """The second half in double precision, for a float64 value; None where it cannot be had, or is large."""
        ...

    def weight(self, key: Key) -> Any:
        """One of the network's own tensors; None where the value is none."""
        ...


@dataclass(frozen=True)
class Carried:
    """What crosses a cut beside the map of locations: the other tokens, the carried values, of so many inputs, and how the
    activation was quantised, if it was."""

    rest: Tensor
    values: tuple[Any, ...]
    inputs: int
    quantised: tuple[float, int, torch.dtype] | None = None


class Halves:
    """features(x) and head(activation) at one cut, maps of locations between them.

    Parameters
    ----------
    parts : Parts
    cut : Cut
    """

    def __init__(self, parts: Parts, cut: Cut) -> None:
        self._parts = parts
        self._cut = cut
        self.gradients = parts.gradients
        """Whether the head gives gradients by the activation."""

    def features(self, x: Tensor) -> tuple[Tensor, Carried]:
        """(N, C, h, w) inputs to their (N, n, h', w') maps, and what else crosses the cut."""
        value, carried = self._parts.first(x)
        quantised = None
        if value.is_quantized:
            quantised = value.q_scale(), value.q_zero_point(), value.dtype
            value = value.dequantize()
        maps, rest = self._cut.layout.to_map(value)
        if len(maps) != len(x) or maps.shape[1] != self._cut.shape[0]:
            raise LayerError(f"At {self._cut.name} the network made {tuple(maps.shape)} of {len(x)} inputs.")
        return maps, Carried(rest, carried, len(x), quantised)

    def head(self, maps: Tensor, carried: Carried) -> Any:
        """(N, n, h', w') maps to what the network returns for them; what one input left behind serves for all."""
        return self._parts.second(*self.crossing(maps, carried))

    def crossing(self, maps: Tensor, carried: Carried) -> Crossing:
        """(N, n, h', w') maps as the network itself holds them at the cut."""
        count = len(maps)
        rest = carried.rest.expand(count, *carried.rest.shape[1:])
        beside = carry_all(carried.values, self._cut, carried.inputs, count)
        value = self._cut.layout.to_value(maps, rest).clone()
        if carried.quantised is not None:
            value = torch.quantize_per_tensor(value, *carried.quantised)
        return value, beside


def carry_all(values: Sequence[Any], place: Place, have: int, want: int) -> tuple[Any, ...]:
    """What crosses at a place, computed for `have` inputs, for `want` activations."""
    return tuple(carry(value, grows, have, want) for value, grows in zip(values, place.grows, strict=True))


MOST_DOUBLED = 64 * 2**20
"""Bytes of weights that are kept in double precision beside their own."""


def doubled(value: Any) -> Any:
    """A number, tensor or list of tensors in double precision, where it is in another."""
    if isinstance(value, Tensor):
        return value.double() if value.is_floating_point() and not value.is_quantized else value
    return type(value)(doubled(item) for item in value) if type(value) in (list, tuple) else value


def scores_of(program: Program, values: Mapping[Key, Any]) -> Key | None:
    """Which value the class scores are: the only result, or the first (1, K) one of several."""
    found = [tensor for key in program.results for tensor in tensors(values.get(key))]
    rows = [tensor for tensor in found if tensor.ndim == 2] if len(found) > 1 else found
    if not rows:
        return None
    made = [key for step in program.steps for key in step.makes]
    return next((key for key in reversed(made) if values.get(key) is rows[0]), None)


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
    filled, made_by = _bytes(steps, one, last, dependent)
    made: list[tuple[int, Key]] = [(-1, program.x)]
    cuts: list[Cut] = []
    names: dict[str, int] = {}
    computes = False
    for number, step in enumerate(steps):
        computes = computes or ((bool(step.inner) or _is_product(step)) and any(key in dependent for key in step.makes))
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


def rules_of(carried: Sequence[Key], one: Mapping[Key, Any], two: Mapping[Key, Any] | None) -> tuple[Any, ...] | None:
    """How each carried value grows with the inputs; None where one cannot be carried."""
    if two is None:
        return (None,) * len(carried)
    try:
        return tuple(rule(one.get(key), two.get(key)) for key in carried)
    except CarryingError:
        return None


def _shares_memory(value: Tensor, carried: Sequence[Key], values: Mapping[Key, Any]) -> bool:
    """Whether something beside the value is a view of it, and would not feel what is done to it."""
    memory = value.untyped_storage()._cdata
    return any(tensor.untyped_storage()._cdata == memory for key in carried for tensor in tensors(values.get(key)))


def parts_cleanly(
    key: Key, beside: Sequence[Key], carried: Sequence[Key], values: Mapping[Key, Any], behind: Sequence[Step]
) -> bool:
    """Whether nothing that crosses, as a copy of its own, would miss what is done to another."""
    value = values[key]
    return not _shares_memory(value, beside, values) and not _change_each_other(carried, values, behind)


_PRODUCTS = ("linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "scaled_dot_product_attention")


_SUMS = ("pool", "mean", "sum")


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


def _is_product(step: Step) -> bool:
    return "conv" in step.name or "linear" in step.name or step.name in _PRODUCTS


def shares_behind(steps: Sequence[Step], values: Mapping[Key, Any]) -> list[float]:
    """For every step, the share of all multiplications that is done behind it: a convolution or matrix product does as
    many for each number that it makes as it sums up; anything else is taken to do one, a mean one for each it reads."""
    work = [_work(step, values) for step in steps]
    total = max(sum(work), 1.0)
    return [max(0.0, 1 - done / total) for done in accumulate(work)]


def multiplications(steps: Sequence[Step], values: Mapping[Key, Any]) -> float:
    """Those of a forward of one input, counted as in `shares_behind`."""
    return max(sum(_work(step, values) for step in steps), 1.0)


def _bytes(
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
