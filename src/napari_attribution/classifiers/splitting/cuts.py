"""Cuts: every place where a network's steps can be parted into features(x) and head(activation)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

from torch import Tensor

from napari_attribution.classifiers.splitting.carrying import CarryingError, carry, rule
from napari_attribution.classifiers.splitting.geometry import Geometry
from napari_attribution.classifiers.splitting.layouts import Grid, Layout
from napari_attribution.classifiers.splitting.steps import Key, Program, Step, depending, last_reads, tensors

# Operations that only rearrange, pool, thin out or rescale what the block before them has made.
_NOT_A_BLOCK = (
    *(
        "pool",
        "dropout",
        "flatten",
        "view",
        "reshape",
        "permute",
        "transpose",
        "layer_norm",
        "contiguous",
        "pad",
        "clone",
    ),
    *(
        "slice",
        "roll",
        "expand",
        "squeeze",
        "movedim",
        "swapaxes",
        "getitem",
        "unpack",
        "detach",
        "to_copy",
        "upsample",
    ),
)


@dataclass(frozen=True, eq=False)
class Cut:
    """A value at which the network can be parted.

    Parameters
    ----------
    key : Key
        The value.
    step : int
        Number of the last step of the feature half.
    name : str
        The module that made it, and the operation: "layers.2.norm2:relu".
    kind : str
        The operation: "relu".
    shape : (n, h', w')
        Of its map, for one input.
    carried : tuple of Key
        What crosses the cut beside it.
    grows : tuple
        How each of those follows the number of inputs (see `carrying`).
    skips : int
        How many of those hold tensors computed from the input.
    head_cost : float
        Share of a forward's arithmetic that is behind the cut.
    layout : Layout
        How the value holds its locations, and where they lie.
    """

    key: Key
    step: int
    name: str
    kind: str
    shape: tuple[int, int, int]
    carried: tuple[Key, ...]
    grows: tuple[Any, ...]
    skips: int
    head_cost: float
    layout: Layout

    @property
    def is_block_output(self) -> bool:
        """Whether all that the rest of the network reads is this one value, and a block made it."""
        return self.skips == 0 and not any(word in self.kind for word in _NOT_A_BLOCK)

    @property
    def grid(self) -> Grid:
        """Where its locations lie in the input."""
        return self.layout.grid


@dataclass(frozen=True)
class Parts:
    """A network parted at one cut, in its own terms: values as they are, whatever crosses besides beside them."""

    first: Callable[[Tensor], tuple[Tensor, tuple[Any, ...]]]
    second: Callable[[Tensor, tuple[Any, ...]], Any]
    gradients: bool = True


class Technique(Protocol):
    """A way to part a network.

    Attributes
    ----------
    name : str
    source : what it reads; techniques of the same source can part the same cuts.
    """

    name: str
    source: object

    def program(self) -> Program: ...

    def part(self, cut: Cut) -> Parts: ...


@dataclass(frozen=True)
class Carried:
    """What crosses a cut beside the map of locations: the other tokens, and the carried values, of so many inputs."""

    rest: Tensor
    values: tuple[Any, ...]
    inputs: int


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
        maps, rest = self._cut.layout.to_map(value)
        return maps, Carried(rest, carried, len(x))

    def head(self, maps: Tensor, carried: Carried) -> Any:
        """(N, n, h', w') maps to what the network returns for them; what one input left behind serves for all."""
        count = len(maps)
        rest = carried.rest.expand(count, *carried.rest.shape[1:])
        beside = tuple(
            carry(value, grows, carried.inputs, count)
            for value, grows in zip(carried.values, self._cut.grows, strict=True)
        )
        return self._parts.second(self._cut.layout.to_value(maps, rest).clone(), beside)


def find_cuts(program: Program, one: Mapping[Key, Any], two: Mapping[Key, Any] | None) -> tuple[Cut, ...]:
    """Every place where a network can be cut, first to last.

    Parameters
    ----------
    program : Program
    one, two : its values for one input and for two; no `two` where it takes one at a time.
    """
    steps = program.steps
    dependent = depending(steps, program.x, one)
    last = last_reads(steps, program.results)
    geometry = Geometry(program, one)
    behind = _shares_behind(steps, one)
    made: list[tuple[int, Key]] = [(-1, program.x)]
    cuts: list[Cut] = []
    names: dict[str, int] = {}
    for number, step in enumerate(steps):
        if step.kind != "prim::Constant":
            made += [(number, key) for key in step.makes]
        made = [(when, key) for when, key in made if last.get(key, -1) > number]
        for key in step.makes:
            value = one.get(key)
            if key not in dependent or last.get(key, -1) <= number or not _is_floating(value):
                continue
            batch = _batch_axis(value, None if two is None else two.get(key))
            layout = geometry.layout(key, batch) if batch is not None else None
            if layout is None or layout.size[0] * layout.size[1] < 2:
                continue
            carried = tuple(other for _, other in made if other != key)
            grows = _rules(carried, one, two)
            if grows is None or _shares_memory(value, carried, one):
                continue
            stem = f"{step.module}:{step.name}".lstrip(":")
            names[stem] = names.get(stem, 0) + 1
            cuts.append(
                Cut(
                    key=key,
                    step=number,
                    name=stem if names[stem] == 1 else f"{stem}:{names[stem]}",
                    kind=step.name,
                    shape=(value.shape[layout.channel], *layout.size),
                    carried=carried,
                    grows=grows,
                    skips=sum(other in dependent for other in carried),
                    head_cost=behind[number],
                    layout=layout,
                )
            )
    return tuple(cuts)


def _is_floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.ndim >= 3


def _batch_axis(one: Tensor, two: Any) -> int | None:
    """The axis of the inputs: of length 1 for one input, 2 for two."""
    if two is None:
        return next((axis for axis in range(one.ndim) if one.shape[axis] == 1), None)
    try:
        axis = rule(one, two)
    except CarryingError:
        return None
    return axis if axis is not None and one.shape[axis] == 1 else None


def _rules(carried: Sequence[Key], one: Mapping[Key, Any], two: Mapping[Key, Any] | None) -> tuple[Any, ...] | None:
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


_PRODUCTS = ("linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "scaled_dot_product_attention")


def _shares_behind(steps: Sequence[Step], values: Mapping[Key, Any]) -> list[float]:
    """For every step, the share of all multiplications that is done behind it: a convolution or matrix product does as
    many for each number that it makes as it sums up; anything else is taken to do one."""
    work = [_work(step, values) for step in steps]
    total = max(sum(work), 1.0)
    return [1 - done / total for done in accumulate(work)]


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
    return float(made.numel())
