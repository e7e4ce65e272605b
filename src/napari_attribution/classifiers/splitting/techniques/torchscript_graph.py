"""The graph of a loaded TorchScript network, made ready for cutting and for another device.

The graph is inlined; every tensor in it, weight or constant, and every other thing that it keeps and that is no plain
constant (packed weights of a quantised network) becomes a trailing input; every device that a trace has baked in becomes
the one that is asked for. Into every loop a step is put that heeds a time limit (`heeding`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.heeding import put_into_loops
from napari_attribution.classifiers.splitting.steps import Key, Program, Step
from napari_attribution.errors import LayerError


class TorchScriptGraph:
    """An inlined graph and what it keeps.

    Parameters
    ----------
    module : torch.jit.ScriptModule
        In eval mode.

    Attributes
    ----------
    graph : torch.Graph
        Its inputs are the network's input, then `kept`.
    kept : list
        Weights, constants and objects.
    owners : list of str
        The module path that each of `kept` belongs to.
    loops : bool
        Whether it holds loops; they heed a time limit then.

    Raises
    ------
    LayerError
        Where the network calls methods of its own that cannot be inlined.
    """

    def __init__(self, module: torch.jit.ScriptModule) -> None:
        forward: Any = module.forward
        self._module = module
        self.graph = forward.graph.copy()
        self.kept: list[Any] = []
        self.owners: list[str] = []
        torch._C._jit_pass_inline(self.graph)
        torch._C._jit_pass_inline_fork_wait(self.graph)
        torch._C._jit_pass_inline(self.graph)  # what was forked calls modules too
        self._lift_defaults(forward.schema)
        self._lift_attributes(module)
        torch._C._jit_pass_constant_propagation(self.graph)
        self._lift_constants()
        _drop_moves(self.graph)
        self.loops = put_into_loops(self.graph)

    @cached_property
    def devices(self) -> set[torch.device]:
        """The devices that are baked in."""
        return {torch.device(node.output().toIValue()) for node in all_nodes(self.graph) if _is_device(node)}

    def on(self, device: torch.device) -> Any:
        """A copy of the graph in which every baked device is this one."""
        graph = self.graph.copy()
        if not self.devices - {device}:
            return graph
        for node in [node for node in all_nodes(graph) if _is_device(node)]:
            graph.setInsertPoint(node)
            node.output().replaceAllUsesWith(graph.insertConstant(device))
            node.destroy()  # the new one stands at its place, so that every step keeps its number
        graph.setInsertPoint(graph.return_node())
        return graph

    def whole(self, device: torch.device) -> Callable[[Tensor], Any]:
        """The whole network on a device, whatever it was traced on."""
        function, kept = self.function("forward", self.on(device)), self.kept_on(device)
        return lambda x: function(x, *kept)

    def function(self, name: str, graph: Any) -> Callable[..., Any]:
        """What runs a graph that was made from this one."""
        if len(list(graph.outputs())) > 1:
            graph.makeMultiOutputIntoTuple()
        created = torch._C._create_function_from_graph(name, graph)
        # A graph points into its module without owning it: torch would crash where an error names a place in the code.
        owner = self

        def run(*values: Any) -> Any:
            # A plan that the optimising executor once made is kept for good, and leaves out the steps that heed.
            with torch.jit.optimized_execution(False):
                return created(*values) if owner else None

        return run

    def kept_on(self, device: torch.device) -> list[Any]:
        """What the graph keeps, its tensors on this device; numbers that traces keep as tensors stay where sizes are."""
        return [_moved(value, device) for value in self.kept]

    def steps(self) -> tuple[Step, ...]:
        """The graph's top level."""
        keys = positions(self.graph)
        owner = {value.unique(): path for value, path in zip(_inputs(self.graph)[1:], self.owners, strict=True) if path}
        steps = []
        last = ""
        for number, node in enumerate(self.graph.nodes()):
            read = [value.unique() for value in node.inputs()]
            within = [value.unique() for block in node.blocks() for value in reads_of(block)]
            last = next((owner[unique] for unique in (*read, *within) if unique in owner), last)
            steps.append(
                Step(
                    kind=node.kind(),
                    reads=tuple(keys[unique] for unique in read),
                    makes=tuple((number, output) for output in range(node.outputsSize())),
                    inner=tuple(keys[unique] for unique in within if unique in keys),
                    module=last,
                )
            )
        return tuple(steps)

    def program(self, run: Callable[[int], Mapping[Key, Any]]) -> Program:
        """The network as steps."""
        keys = positions(self.graph)
        results = tuple(keys[value.unique()] for value in self.graph.outputs())
        return Program(self.steps(), (-1, 0), results, run)

    def known(self, x: Any) -> dict[Key, Any]:
        """The values that need no run: the input, what is kept, and constants."""
        values: dict[Key, Any] = {(-1, number): value for number, value in enumerate([x, *self.kept])}
        for number, node in enumerate(self.graph.nodes()):
            if node.kind() == "prim::Constant":
                values[(number, 0)] = node.output().toIValue()
        return values

    def _lift_defaults(self, schema: Any) -> None:
        """Arguments beside the input keep their defaults."""
        self.graph.setInsertPoint(next(iter(self.graph.nodes())))
        for number in reversed(range(2, len(_inputs(self.graph)))):
            constant = self.graph.insertConstant(schema.arguments[number].default_value)
            _inputs(self.graph)[number].replaceAllUsesWith(constant)
            self.graph.eraseInput(number)

    def _lift_attributes(self, module: Any) -> None:
        graph = self.graph
        homes: dict[int, tuple[Any, str]] = {_inputs(graph)[0].unique(): (module._c, "")}
        entrances: dict[str, Any] = {}
        done = []
        for node in list(all_nodes(graph)):
            if node.kind() == "prim::SetAttr":
                node.destroy()  # what a network counts for itself changes no answer; the guard compares
                continue
            if node.kind() != "prim::GetAttr" or node.input().unique() not in homes:
                continue
            home, path = homes[node.input().unique()]
            value = home.getattr(node.s("name"))
            here = f"{path}.{node.s('name')}".lstrip(".")
            if isinstance(value, torch._C.ScriptModule):
                homes[node.output().unique()] = (value, here)
            elif isinstance(value, bool | int | float | str | None):
                graph.setInsertPoint(node)
                node.output().replaceAllUsesWith(graph.insertConstant(value))
            else:
                if here not in entrances:
                    entrances[here] = self._entrance(node.output(), value, path)
                node.output().replaceAllUsesWith(entrances[here])
            done.append(node)
        # The insertion point must not be left at a node that is about to go.
        graph.setInsertPoint(graph.return_node())
        for node in reversed(done):
            node.destroy()
        if any(node.kind() in ("prim::fork", "aten::wait") for node in all_nodes(graph)):
            raise LayerError("The network does several things at once, in no certain order, so it cannot be cut.")
        if _inputs(graph)[0].uses():
            raise LayerError("The network calls methods of its own that cannot be inlined, so it cannot be cut.")
        graph.eraseInput(0)

    def _lift_constants(self) -> None:
        """Tensors that stand in the graph itself."""
        tensor = torch._C.TensorType.get()
        for node in list(all_nodes(self.graph)):
            if node.kind() == "prim::Constant" and node.output().type().isSubtypeOf(tensor):
                value = node.output().toIValue()
                if isinstance(value, Tensor):
                    node.output().replaceAllUsesWith(self._entrance(node.output(), value, ""))
                    node.destroy()

    def _entrance(self, like: Any, value: Any, path: str) -> Any:
        entrance = self.graph.addInput()
        entrance.setType(like.type())
        self.kept.append(value)
        self.owners.append(path)
        return entrance


def positions(graph: Any) -> dict[int, Key]:
    """For every top-level value its key: (number of the node, number of the output); inputs belong to node -1.

    `Graph.copy()` keeps the order of nodes, not the names of values.
    """
    keys: dict[int, Key] = {value.unique(): (-1, number) for number, value in enumerate(graph.inputs())}
    for number, node in enumerate(graph.nodes()):
        keys |= {value.unique(): (number, output) for output, value in enumerate(node.outputs())}
    return keys


def all_nodes(block: Any) -> Iterator[Any]:
    """Every node, those of inner blocks too."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from all_nodes(inner)


def reads_of(block: Any) -> Iterator[Any]:
    """Every value that is read in a block, and in the blocks inside it."""
    for node in block.nodes():
        yield from node.inputs()
        for inner in node.blocks():
            yield from reads_of(inner)
    yield from block.outputs()


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device) if value.ndim else value
    if isinstance(value, list | tuple):  # the weights of a recurrent layer
        return type(value)(_moved(item, device) for item in value)
    return value


def _inputs(graph: Any) -> list[Any]:
    return list(graph.inputs())


def _is_device(node: Any) -> bool:
    return (
        node.kind() == "prim::Constant"
        and str(node.output().type()) == "Device"
        and node.output().toIValue() is not None
    )


def _drop_moves(graph: Any) -> None:
    """x.cpu() and x.cuda(): every value is on the one device already."""
    for node in [node for node in all_nodes(graph) if node.kind() in ("aten::cpu", "aten::cuda")]:
        node.output().replaceAllUsesWith(next(iter(node.inputs())))
        node.destroy()
