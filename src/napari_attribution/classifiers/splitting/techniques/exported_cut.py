"""The cut of an exported program (torch.export): part its fx graph in two, on torch's public interface."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from napari_attribution.classifiers.splitting.crossing import Crossing
from napari_attribution.classifiers.splitting.cuts import Place
from napari_attribution.classifiers.splitting.steps import Key, Program, Step, tensors
from napari_attribution.classifiers.splitting.techniques.doubling import MOST_DOUBLED, doubled
from napari_attribution.classifiers.splitting.techniques.technique import Parts


class ExportedCut:
    """Parts an exported network at values of its graph.

    Parameters
    ----------
    module : torch.fx.GraphModule
        What `ExportedProgram.module(check_guards=False)` gives: one placeholder, weights by get_attr.
    x : (1, C, h, w) Tensor
    """

    name = "exported graph"
    last_resort = False

    def __init__(self, module: fx.GraphModule, x: Tensor) -> None:
        self.source = module
        self._module = module
        self._x = x
        self._entrance = next(node for node in module.graph.nodes if node.op == "placeholder")
        self._nodes = [
            node for node in module.graph.nodes if node.op in ("call_function", "call_module", "call_method")
        ]
        # The network's own tensors.
        self.attributes: dict[Key, Any] = {
            node.name: _attribute(module, node.target) for node in module.graph.nodes if node.op == "get_attr"
        }

    @property
    def entrance(self) -> Key:
        """The network's input."""
        return str(self._entrance.name)

    def steps(self) -> tuple[tuple[Step, ...], dict[Key, Any]]:
        """The network's steps, and the arguments that stand in the graph as they are."""
        literals: dict[Key, Any] = {}
        return tuple(self._steps(literals)), literals

    def program(self) -> Program:
        steps, literals = self.steps()
        (result,) = (node for node in self._module.graph.nodes if node.op == "output")
        results = tuple(node.name for node in result.all_input_nodes)

        def run(count: int) -> Mapping[Key, Any]:
            recorder = _Recorder(self._module)
            with torch.no_grad():
                recorder.run(self._x.repeat(count, 1, 1, 1))
            values = {**self.attributes, **literals, **recorder.values}
            for step in steps:
                if step.kind == "prim::ListConstruct":
                    values[step.makes[0]] = [values[key] for key in step.reads]
            return values

        return Program(steps, self.entrance, results, run)

    def part(self, place: Place) -> Parts:
        """The two halves at a place."""
        last = self._number(place)
        crossing = (place.key, *place.carried)
        first_half = self._half([self._entrance.name], self._nodes[: last + 1], crossing)
        second_half = self._half(list(crossing), self._nodes[last + 1 :], None)

        def first(x: Tensor) -> Crossing:
            made = first_half(x)
            return made[0], tuple(made[1:])

        def second(activation: Tensor, carried: tuple[Any, ...]) -> Any:
            answer = second_half(activation, *carried)
            # What the whole would put back into its dictionary, or tuple, is flat here.
            return answer[0] if len(answer) == 1 else answer

        return Parts(first, second)

    def between(self, first: Place, second: Place) -> Callable[[Tensor, tuple[Any, ...]], Crossing]:
        """What stands between two places."""
        nodes = self._nodes[self._number(first) + 1 : self._number(second) + 1]
        part = self._half([first.key, *first.carried], nodes, (second.key, *second.carried))

        def run(value: Tensor, carried: tuple[Any, ...]) -> Crossing:
            made = part(value, *carried)
            return made[0], tuple(made[1:])

        return run

    def exactly(self, place: Place) -> Callable[[Tensor, tuple[Any, ...]], Any] | None:
        """The second half in double precision."""
        if self._x.device.type == "mps":
            return None  # there is none
        graph = self._graph_of([place.key, *place.carried], self._nodes[self._number(place) + 1 :], None)
        read = [_attribute(self._module, node.target) for node in graph.nodes if node.op == "get_attr"]
        if sum(2 * tensor.nbytes for tensor in tensors(read)) > MOST_DOUBLED:
            return None
        run = _InDoubles(self._module, graph=graph).run

        def second(value: Tensor, carried: tuple[Any, ...]) -> Any:
            answer = run(value, *doubled(list(carried)))
            return answer[0] if len(answer) == 1 else answer

        return second

    def weight(self, key: Key) -> Any:
        """One of the network's own tensors."""
        return self.attributes.get(str(key))

    def _number(self, place: Place) -> int:
        return next(number for number, node in enumerate(self._nodes) if node.name == place.key)

    def _half(self, entrances: list[Any], nodes: list[fx.Node], exits: tuple[Key, ...] | None) -> Callable[..., Any]:
        """What runs some of the nodes."""
        # Interpreted, not compiled: making Python code of every half takes longer than a small network's forward.
        return _Half(self._module, graph=self._graph_of(entrances, nodes, exits)).run

    def _graph_of(self, entrances: list[Any], nodes: list[fx.Node], exits: tuple[Key, ...] | None) -> fx.Graph:
        """Some of the nodes: what enters them, what leaves them (what the whole returns, if none is named)."""
        graph = fx.Graph()
        copies: dict[str, fx.Node] = {name: graph.placeholder(f"entrance_{i}") for i, name in enumerate(entrances)}
        attributes = [node for node in self._module.graph.nodes if node.op == "get_attr" and node.name not in copies]
        for node in (*attributes, *nodes):
            if node.target != "_guards_fn":
                copies[node.name] = graph.node_copy(node, lambda read: copies[read.name])
        if exits is None:
            (result,) = (node for node in self._module.graph.nodes if node.op == "output")
            graph.output(fx.map_arg(result.args[0], lambda read: copies[read.name]))
        else:
            graph.output(tuple(copies[str(key)] for key in exits))
        for node in reversed(list(graph.nodes)):
            if node.op == "get_attr" and not node.users:
                graph.erase_node(node)
        return graph

    def _steps(self, literals: dict[Key, Any]) -> Iterator[Step]:
        for node in self._nodes:
            if node.target == "_guards_fn":
                continue
            reads: list[Key] = []
            for argument in _arguments(node):
                if isinstance(argument, fx.Node):
                    reads.append(argument.name)
                    continue
                key: Key = ("literal", len(literals))
                nodes = (
                    [item for item in argument if isinstance(item, fx.Node)]
                    if isinstance(argument, list | tuple)
                    else []
                )
                literals[key] = None if nodes else argument
                reads.append(key)
                if nodes:
                    items = [_key(item, literals) for item in argument]
                    yield Step("prim::ListConstruct", tuple(items), (key,))
            yield Step(_kind(node), tuple(reads), (node.name,), module=_owner(node))


class _Half(fx.Interpreter):
    """Runs a part of the network, where values may lie in memory otherwise than in the whole."""

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # What was traced as a view of memory in one order is a copy in another: the same numbers, as nothing is changed in place.
        return super().call_function(torch.ops.aten.reshape.default if target in _VIEWS else target, args, kwargs)


_VIEWS = (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default)


class _Recorder(fx.Interpreter):
    """Keeps every value of a run."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.values: dict[Key, Any] = {}

    def run_node(self, node: fx.Node) -> Any:
        value = super().run_node(node)
        self.values[node.name] = value
        return value


class _InDoubles(_Half):
    """Runs with weights in double precision."""

    def __init__(self, module: fx.GraphModule, graph: fx.Graph) -> None:
        super().__init__(module, graph=graph)
        self._weights: dict[str, Any] = {}

    def fetch_attr(self, target: str) -> Any:
        if target not in self._weights:
            self._weights[target] = doubled(super().fetch_attr(target))
        return self._weights[target]


def _key(item: Any, literals: dict[Key, Any]) -> Key:
    if isinstance(item, fx.Node):
        return item.name
    key = ("literal", len(literals))
    literals[key] = item
    return key


def _arguments(node: fx.Node) -> list[Any]:
    """A node's arguments in the order of the operator's schema, defaults filled in."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return [*node.args, *node.kwargs.values()]
    arguments = []
    for number, argument in enumerate(schema.arguments):
        default = argument.default_value if argument.has_default_value() else None
        arguments.append(node.args[number] if number < len(node.args) else node.kwargs.get(argument.name, default))
    return arguments


def _kind(node: fx.Node) -> str:
    if node.target is operator.getitem:
        return "aten::__getitem__"
    schema = getattr(node.target, "_schema", None)
    return str(schema.name) if schema is not None else f"python::{getattr(node.target, '__name__', node.target)}"


def _owner(node: fx.Node) -> str:
    """Path of the module that the node was written in."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [entry[0] for entry in stack.values()]
    return str(paths[-1]).replace("L['self'].", "").replace("L['self']", "") if paths else ""


def _attribute(module: Any, target: Any) -> Any:
    for part in str(target).split("."):
        module = getattr(module, part)
    return module
