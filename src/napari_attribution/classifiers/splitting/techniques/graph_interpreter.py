"""The graph interpreter: run a TorchScript graph node by node, stop at any of them, and go on from there.

The fallback where the graph cannot be parted: it enters branches and loops, so a cut can lie inside them, and it holds
what cannot be handed to a graph. The first half is a run that stops; the second half runs the program again from the
start, takes the values that crossed the cut for those that it would compute before it, and decides at every branch as the
first half did. It costs about a quarter of a forward more than the network itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.splitting.crossing import Crossing
from napari_attribution.classifiers.splitting.cuts import Place
from napari_attribution.classifiers.splitting.steps import Key, Program, Step
from napari_attribution.classifiers.splitting.techniques.technique import Parts
from napari_attribution.classifiers.splitting.techniques.torchscript_graph import TorchScriptGraph
from napari_attribution.errors import LayerError

_X: Key = "x"
_DECISIONS: Key = "decisions"


class GraphInterpreter:
    """Parts a TorchScript network by interpreting its graph.

    Parameters
    ----------
    graph : TorchScriptGraph
    x : (1, C, h, w) Tensor
        An input on the device that the network is to run on.
    """

    name = "graph interpreter"
    last_resort = False

    def __init__(self, graph: TorchScriptGraph, x: Tensor) -> None:
        # Its steps are those that are executed, not those of the graph: it cannot help out other techniques.
        self.source = self
        self._x = x
        self._graph = graph

    @cached_property
    def _code(self) -> _Code:
        return _Code(self._graph, self._x.device)

    def program(self) -> Program:
        recorded = self._record(1)

        def run(count: int) -> Mapping[Key, Any]:
            if count == 1:
                return recorded.values
            again = self._record(count)
            if again.steps != recorded.steps:
                raise LayerError("The network goes other ways for two inputs than for one.")
            return again.values

        return Program(tuple(recorded.steps), _X, recorded.results, run)

    def part(self, place: Place) -> Parts:
        """The two halves at a place."""

        def first(x: Tensor) -> Crossing:
            return self._until(_Run(stop=place.step), x, place)

        def second(activation: Tensor, carried: tuple[Any, ...]) -> Any:
            run = _from(place, activation, carried)
            return self._execute(run, run.given.get(_X))

        return Parts(first, second)

    def between(self, first: Place, second: Place) -> Callable[[Tensor, tuple[Any, ...]], Crossing]:
        """What stands between two places."""

        def run(value: Tensor, carried: tuple[Any, ...]) -> Crossing:
            started = _from(first, value, carried)
            started.stop = second.step
            return self._until(started, started.given.get(_X), second)

        return run

    def exactly(self, place: Place) -> None:
        """None: its halves hold more of the network than stands behind the place."""
        return

    def weight(self, key: Key) -> Any:
        """One of the network's own tensors."""
        if not isinstance(key, tuple) or key[0] != "kept" or key[1] not in self._code.entrances:
            return None
        return self._code.kept[self._code.entrances.index(key[1])]

    def _until(self, run: _Run, x: Tensor | None, place: Place) -> Crossing:
        with suppress(_StopHere):
            self._execute(run, x)
        run.values[_DECISIONS] = _Decisions(run.taken)
        if not isinstance(run.values.get(place.key), Tensor):
            raise LayerError("The network went another way than when it was looked at.")
        return run.values[place.key], tuple(run.values[key] for key in place.carried)

    def _record(self, count: int) -> _Run:
        run = _Run()
        run.values[_DECISIONS] = _Decisions(())
        run.steps.append(Step("prim::Decisions", (), (_DECISIONS,)))
        with torch.no_grad():
            self._execute(run, self._x.repeat(count, 1, 1, 1))
        run.steps.append(Step("prim::Decisions", (_DECISIONS,), ()))
        return run

    def _execute(self, run: _Run, x: Tensor | None) -> Any:
        run.number = 0
        code = self._code
        run.set(code.entrance, _X, x)
        for unique, value in zip(code.entrances, code.kept, strict=True):
            run.set(unique, ("kept", unique), value)
        code.block.execute(run)
        run.results = tuple(run.keys[unique] for unique in code.block.results)
        return run.values[run.results[0]]


class _Code:
    """A graph on a device, read once."""

    def __init__(self, graph: TorchScriptGraph, device: torch.device) -> None:
        self.kept = graph.kept_on(device)
        self._graph = graph.on(device)  # owns what the nodes refer to
        self.entrance, *self.entrances = [value.unique() for value in self._graph.inputs()]
        self.block = _Block(self._graph, dict(zip(self.entrances, graph.owners, strict=True)))


class _StopHere(Exception):  # noqa: N818 - it is no error
    pass


@dataclass(frozen=True, eq=False)
class _Decisions:
    """Which way was taken at every branch and loop."""

    taken: Sequence[bool]


@dataclass
class _Run:
    """One execution: what is known by now.

    Parameters
    ----------
    stop : number of the last step to execute, if not all.
    replay : up to this step, values are not computed but taken from `given`, and decisions from `decisions`.
    """

    stop: int | None = None
    replay: int = 0
    given: Mapping[Key, Any] = field(default_factory=dict)
    decisions: list[bool] = field(default_factory=list)
    number: int = 0
    keys: dict[int, Key] = field(default_factory=dict)
    values: dict[Key, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    taken: list[bool] = field(default_factory=list)
    results: tuple[Key, ...] = ()
    module: str = ""

    def set(self, unique: int, key: Key, value: Any) -> None:
        self.keys[unique] = key
        self.values[key] = value

    def get(self, unique: int) -> Any:
        return self.values[self.keys[unique]]

    def step(
        self, kind: str, reads: Sequence[int], makes: Sequence[int], module: str, compute: Callable[[], Any]
    ) -> None:
        """Execute one operation, or take what it made from the first half."""
        self.number += 1
        self.module = module or self.module
        keys = [(self.number, output) for output in range(len(makes))]
        self.steps.append(Step(kind, tuple(self.keys[unique] for unique in reads), tuple(keys), module=self.module))
        if self.number <= self.replay:
            made = [self.given.get(key) for key in keys]
        else:
            result = compute()
            made = [result] if len(keys) == 1 else list(result if isinstance(result, list | tuple) else [result])
        for unique, key, value in zip(makes, keys, made, strict=False):
            self.set(unique, key, value)
        if self.number == self.stop:
            raise _StopHere

    def decide(self, kind: str, unique: int | None, evaluate: Callable[[], bool]) -> bool:
        """Which way to go: as the first half went, as long as it is its way."""
        decided = self.decisions.pop(0) if self.decisions else None

        def compute() -> bool:
            nonlocal decided
            decided = evaluate() if decided is None else decided
            return decided

        self.step(kind, [] if unique is None else [unique], [], "", compute)
        self.taken.append(bool(decided))
        return bool(decided)


def _from(place: Place, value: Tensor, carried: tuple[Any, ...]) -> _Run:
    """An execution that starts at a place."""
    given = dict(zip(place.carried, carried, strict=True)) | {place.key: value}
    return _Run(replay=place.step, given=given, decisions=list(given[_DECISIONS].taken))


class _Block:
    """A block of a graph, read once: its nodes in order, its arguments and results."""

    def __init__(self, block: Any, owners: Mapping[int, str]) -> None:
        self.arguments = [value.unique() for value in block.inputs()]
        self.results = [value.unique() for value in block.outputs()]
        self.nodes = [_Node(node, owners) for node in block.nodes()]

    def execute(self, run: _Run) -> None:
        for node in self.nodes:
            node.execute(run)


class _Node:
    """A node of a graph, read once."""

    def __init__(self, node: Any, owners: Mapping[int, str]) -> None:
        self.kind = node.kind()
        self.reads = [value.unique() for value in node.inputs()]
        self.makes = [value.unique() for value in node.outputs()]
        self.blocks = [_Block(block, owners) for block in node.blocks()]
        self.module = next((owners[unique] for unique in self.reads if owners.get(unique)), "")
        self.constant = node.output().toIValue() if self.kind == "prim::Constant" else None
        self.call = None if self.blocks or self.kind == "prim::Constant" else _operation(node)

    def execute(self, run: _Run) -> None:
        if self.kind == "prim::Constant":
            run.set(self.makes[0], ("constant", self.makes[0]), self.constant)
        elif self.kind == "prim::If":
            self._branch(run)
        elif self.kind == "prim::Loop":
            self._loop(run)
        elif self.call is not None:
            call = self.call
            run.step(
                self.kind,
                self.reads,
                self.makes,
                self.module,
                lambda: call(*(run.get(unique) for unique in self.reads)),
            )
        else:
            raise LayerError(f"The network holds a {self.kind}, which cannot be followed.")

    def _branch(self, run: _Run) -> None:
        taken = run.decide(self.kind, self.reads[0], lambda: bool(run.get(self.reads[0])))
        block = self.blocks[0 if taken else 1]
        block.execute(run)
        self._bind(run, self.makes, [run.keys[unique] for unique in block.results])

    def _loop(self, run: _Run) -> None:
        (block,) = self.blocks
        most, going = self.reads[0], self.reads[1]
        state = [run.keys[unique] for unique in self.reads[2:]]
        turn = 0
        # A loop is asked before every turn: has it turns left, and does its condition hold?
        while run.decide(self.kind, most, lambda: turn < run.get(most)) and run.decide(  # noqa: B023
            self.kind,
            going,
            lambda: bool(run.get(going)),  # noqa: B023
        ):
            run.set(block.arguments[0], ("turn", run.number), turn)
            self._bind(run, block.arguments[1:], state)
            block.execute(run)
            going = block.results[0]
            state = [run.keys[unique] for unique in block.results[1:]]
            turn += 1
        self._bind(run, self.makes, state)

    @staticmethod
    def _bind(run: _Run, uniques: Sequence[int], keys: Sequence[Key]) -> None:
        """The same values under other names."""
        for unique, key in zip(uniques, keys, strict=True):
            run.keys[unique] = key


def _append(items: list[Any], item: Any) -> list[Any]:
    items.append(item)
    return items


def _set_item(items: Any, index: Any, item: Any) -> Any:
    items[index] = item
    return items


def _raise(message: Any, *_: Any) -> None:
    raise RuntimeError(str(message))


# What TorchScript has beside torch's operators.
_PLAIN: dict[str, Callable[..., Any]] = {
    "prim::ListConstruct": lambda *items: list(items),
    "prim::TupleConstruct": lambda *items: tuple(items),
    "prim::DictConstruct": lambda *items: dict(zip(items[::2], items[1::2], strict=True)),
    "prim::ListUnpack": tuple,
    "prim::TupleUnpack": tuple,
    "prim::TupleIndex": operator.getitem,
    "prim::NumToTensor": torch.tensor,
    "prim::RaiseException": _raise,
    "prim::Uninitialized": lambda: None,
    "prim::unchecked_cast": lambda value: value,
    "prim::unchecked_unwrap_optional": lambda value: value,
    "aten::_unwrap_optional": lambda value: value,
    "prim::Print": lambda *values: None,
    "prim::shape": lambda tensor: list(tensor.shape),
    "aten::Int": int,
    "aten::IntImplicit": int,
    "aten::Float": float,
    "aten::FloatImplicit": float,
    "aten::Bool": bool,
    "aten::ScalarImplicit": lambda tensor: tensor.item(),
    "aten::append": _append,
    "aten::_set_item": _set_item,
    "aten::__getitem__": operator.getitem,
    "aten::__contains__": operator.contains,
    "aten::__is__": operator.is_,
    "aten::__isnot__": operator.is_not,
    "aten::__not__": operator.not_,
    "aten::format": lambda text, *values: text.format(*values),
    "aten::warn": lambda *values: None,
}


def _operation(node: Any) -> Callable[..., Any] | None:
    """What computes a node's outputs from its inputs."""
    kind = node.kind()
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "aten::add" and "List" in str(next(iter(node.inputs())).type()):
        return operator.add
    try:
        schema = torch._C.parse_schema(node.schema())
    except RuntimeError:
        return None
    names = [argument.name for argument in schema.arguments]
    positional = sum(not argument.kwarg_only for argument in schema.arguments)
    namespace, _, name = schema.name.partition("::")
    packet = getattr(getattr(torch.ops, namespace, None), name, None)
    called = getattr(packet, schema.overload_name or "default", None)
    if called is None:
        found = torch._C._jit_get_operation(kind)[0]
        if found is None:
            return None
        called = found

    def call(*arguments: Any) -> Any:
        words = dict(zip(names[positional:], arguments[positional:], strict=False))
        return called(*arguments[:positional], **words)

    return call
