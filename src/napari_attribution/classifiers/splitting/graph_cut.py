"""Cut a loaded TorchScript network in two: features(x) and head(activation).

Hooks do not work on a loaded file, so the network's graph itself is cut:

1. the graph is inlined, and every tensor that it takes from `self` becomes a trailing input, every other attribute a
   constant (`Lowered`);
2. a *cut* is a top-level tensor value; all that stands before it is the feature half, all behind it the head;
3. the half that is not wanted is destroyed node by node. Dead-code elimination would keep in-place operations
   (`add_`, `relu_`) of the other half alive by aliasing, and silently change the numbers;
4. values that are computed before the cut and still read behind it (skips) travel beside the activation.

Values are identified by their position in the graph, never by name: `Graph.copy()` keeps the order, not the names.
Nothing here trusts its own result: `Classifier` compares head(features(x)) with the network before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.splitting.geometry import Grid, grids
from napari_attribution.errors import LayerError

# Operations that only rearrange, pool or thin out what the block before them has made.
_NOT_A_BLOCK = (
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
)


_PRODUCTS = ("conv", "linear", "matmul", "::mm", "addmm", "bmm")


@dataclass(frozen=True)
class Cut:
    """A top-level tensor value of the graph at which the network can be cut.

    Parameters
    ----------
    node, output : int
        Position of the value: which top-level node, which of its outputs.
    name : str
        The module whose weights were used last, and the operation: "layers.2.norm2:relu".
    kind : str
        The operation that makes the value: "relu".
    shape : tuple of int
        (n, h', w') of the value for one input of the shape that it was probed with.
    crossing : int
        How many values (skips) cross the cut beside it.
    head_cost : float
        Share of a forward's arithmetic that is behind the cut.
    grid : Grid
        Where its locations lie in the input.
    """

    node: int
    output: int
    name: str
    kind: str
    shape: tuple[int, int, int]
    crossing: int
    head_cost: float
    grid: Grid

    @property
    def is_block_output(self) -> bool:
        """Whether all that the rest of the network reads is this one value, and a block made it."""
        return self.crossing == 0 and not any(word in self.kind for word in _NOT_A_BLOCK)


@dataclass(frozen=True)
class Halves:
    """The two halves of a network at one cut."""

    features: Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]]
    head: Callable[[Tensor, tuple[Tensor, ...]], Any]


class GraphCut:
    """The graph of a TorchScript module, made ready for cutting.

    Parameters
    ----------
    module : torch.jit.ScriptModule
        In eval mode, on its device.

    Raises
    ------
    LayerError
        Where the graph holds what cannot be turned into inputs (packed or scripted objects).
    """

    def __init__(self, module: torch.jit.ScriptModule) -> None:
        self._graph, self._parameters, self._modules = _lower(module)

    def cuts(self, x: Tensor) -> tuple[Cut, ...]:
        """Every place to cut, first to last, found by running the graph on x, a (2, C, h, w) tensor."""
        nodes = list(self._graph.nodes())
        positions, made = self._values(x)
        inputs = list(self._graph.inputs())
        values = dict(zip((value.unique() for value in inputs[1:]), self._parameters, strict=True))
        values |= {nodes[n].outputsAt(o).unique(): value for (n, o), value in zip(positions, made, strict=True)}
        values[inputs[0].unique()] = x
        known = grids(nodes, inputs[0], values)
        behind = _shares_behind(nodes, values)
        crossings = _Crossings(nodes, self._graph)
        modules = self._modules_before(nodes)
        cuts: list[Cut] = []
        names: dict[str, int] = {}
        for (position, output), value in zip(positions, made, strict=True):
            unique = nodes[position].outputsAt(output).unique()
            if not isinstance(value, Tensor) or not value.is_floating_point() or unique not in known:
                continue
            if value.ndim != 4 or len(value) != len(x) or value.shape[2] * value.shape[3] < 2:
                continue
            crossing = crossings.at(position, output)
            if crossing is None:
                continue
            kind = nodes[position].kind().split("::")[-1].strip("_")
            stem = f"{modules[position]}:{kind}".lstrip(":")
            names[stem] = names.get(stem, 0) + 1
            name = stem if names[stem] == 1 else f"{stem}:{names[stem]}"
            shape = (value.shape[1], value.shape[2], value.shape[3])
            cuts.append(Cut(position, output, name, kind, shape, len(crossing), behind[position], known[unique]))
        return tuple(cuts)

    def _values(self, x: Tensor) -> tuple[list[tuple[int, int]], list[Any]]:
        """Every top-level tensor that is read again: (node, output) and value, all from one run. In-place operations that
        follow may have changed their numbers: only their shapes are to be used."""
        graph = self._graph.copy()
        positions = []
        outputs = []
        for position, node in enumerate(graph.nodes()):
            for output, value in enumerate(node.outputs()):
                if value.type().isSubtypeOf(torch._C.TensorType.get()) and value.uses():
                    positions.append((position, output))
                    outputs.append(value)
        _clear_outputs(graph)
        for value in outputs:
            graph.registerOutput(value)
        with torch.no_grad():
            made = _function("probe", graph)(x.clone(), *self._parameters)
        return positions, [made] if len(outputs) == 1 else list(made)

    def split(self, cut: Cut) -> Halves:
        """The two halves at a cut."""
        parameters = self._parameters
        features = _function("features", self._features_graph(cut))
        head = _function("head", self._head_graph(cut))

        def run_features(x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            made = features(x, *parameters)
            return (made, ()) if isinstance(made, Tensor) else (made[0], tuple(made[1:]))

        def run_head(activation: Tensor, skips: tuple[Tensor, ...]) -> Any:
            return head(activation, *skips, *parameters)

        return Halves(run_features, run_head)

    def _features_graph(self, cut: Cut) -> Any:
        graph = self._graph.copy()
        nodes = list(graph.nodes())
        crossing = _Crossings(nodes, graph).at(cut.node, cut.output) or []
        _clear_outputs(graph)
        for value in (nodes[cut.node].outputsAt(cut.output), *crossing):
            graph.registerOutput(value)
        for node in reversed(nodes[cut.node + 1 :]):
            node.destroy()
        return graph

    def _head_graph(self, cut: Cut) -> Any:
        graph = self._graph.copy()
        nodes = list(graph.nodes())
        crossing = _Crossings(nodes, graph).at(cut.node, cut.output) or []
        values = [nodes[cut.node].outputsAt(cut.output), *crossing]
        # The halves' inputs stand in front of the parameters: the trailing inputs are added anew, in their order.
        old = list(graph.inputs())
        for value in values:
            entrance = graph.addInput()
            entrance.setType(value.type())
            value.replaceAllUsesWith(entrance)
        for parameter in old[1:]:
            again = graph.addInput()
            again.setType(parameter.type())
            parameter.replaceAllUsesWith(again)
        for node in reversed(nodes[: cut.node + 1]):
            if node.kind() != "prim::Constant":
                node.destroy()
        for _ in old:
            graph.eraseInput(0)
        return graph

    def _modules_before(self, nodes: list[Any]) -> list[str]:
        """For every node, the path of the module whose weights were read last, there or before."""
        parameters = {
            value.unique(): path for value, path in zip(list(self._graph.inputs())[1:], self._modules, strict=True)
        }
        last, paths = "", []
        for node in nodes:
            last = next((parameters[v.unique()] for v in _reads(node) if v.unique() in parameters), last)
            paths.append(last)
        return paths


class _Crossings:
    """What crosses a cut beside it, for every cut of a graph, from one pass over it."""

    def __init__(self, nodes: list[Any], graph: Any) -> None:
        self._nodes = nodes
        x = next(iter(graph.inputs()))
        self._made: list[tuple[int, Any]] = [(-1, x)]
        self._last_read: dict[int, int] = {}
        for position, node in enumerate([*nodes, graph.return_node()]):
            for value in _reads(node):
                self._last_read[value.unique()] = position
            if position < len(nodes) and node.kind() != "prim::Constant":
                self._made += [(position, value) for value in node.outputs()]

    def at(self, node: int, output: int) -> list[Any] | None:
        """Values made before the cut and read behind it, the cut's own apart; None if one is no tensor."""
        own = self._nodes[node].outputsAt(output).unique()
        crossing = [
            value
            for made, value in self._made
            if made <= node < self._last_read.get(value.unique(), -1) and value.unique() != own
        ]
        if any(not value.type().isSubtypeOf(torch._C.TensorType.get()) for value in crossing):
            return None
        return crossing


def _shares_behind(nodes: list[Any], values: dict[int, Any]) -> list[float]:
    """For every node, the share of all multiplications that is done behind it: a convolution or matrix product does as
    many for each number that it makes as its weight has for an output channel; anything else is taken to do one."""
    work = []
    for node in nodes:
        made = next((values.get(value.unique()) for value in node.outputs()), None)
        each = 1.0
        if any(word in node.kind() for word in _PRODUCTS):
            weights = [values.get(value.unique()) for value in list(node.inputs())[1:]]
            each = max((w.numel() / len(w) for w in weights if isinstance(w, Tensor) and w.ndim >= 2), default=1.0)
        work.append(made.numel() * each if isinstance(made, Tensor) else 0.0)
    total = max(sum(work), 1.0)
    return [1 - done / total for done in accumulate(work)]


def _lower(module: torch.jit.ScriptModule) -> tuple[Any, list[Tensor], list[str]]:
    """The inlined graph with its tensors as trailing inputs, those tensors, and the module path that each belongs to."""
    forward: Any = module.forward
    graph = forward.graph.copy()
    torch._C._jit_pass_inline(graph)
    owners: dict[int, tuple[Any, str]] = {next(iter(graph.inputs())).unique(): (module._c, "")}
    entrances: dict[str, Any] = {}
    parameters: list[Tensor] = []
    paths: list[str] = []
    read = []
    for node in list(_all_nodes(graph)):
        if node.kind() != "prim::GetAttr":
            continue
        owner, path = owners[node.input().unique()]
        name = node.s("name")
        value = owner.getattr(name)
        here = f"{path}.{name}".lstrip(".")
        if isinstance(value, torch._C.ScriptModule):
            owners[node.output().unique()] = (value, here)
        elif isinstance(value, Tensor):
            if here not in entrances:
                entrances[here] = graph.addInput()
                entrances[here].setType(node.output().type())
                parameters.append(value)
                paths.append(path)
            node.output().replaceAllUsesWith(entrances[here])
        else:
            graph.setInsertPoint(node)
            try:
                constant = graph.insertConstant(value)
            except RuntimeError:
                graph.setInsertPoint(graph.return_node())
                raise LayerError(
                    f"The network keeps {here} in a form that cannot be cut ({type(value).__name__})."
                ) from None
            node.output().replaceAllUsesWith(constant)
        read.append(node)
    # The insertion point must not be left at a node that is about to go.
    graph.setInsertPoint(graph.return_node())
    for node in reversed(read):
        node.destroy()
    if next(iter(graph.inputs())).uses():
        raise LayerError("The network calls methods of its own that cannot be inlined, so it cannot be cut.")
    graph.eraseInput(0)
    torch._C._jit_pass_constant_propagation(graph)
    return graph, parameters, paths


def _all_nodes(block: Any) -> Iterator[Any]:
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _all_nodes(inner)


def _reads(node: Any) -> Iterator[Any]:
    """Every value that a node reads, in its inner blocks too."""
    yield from node.inputs()
    for block in node.blocks():
        for inner in block.nodes():
            yield from _reads(inner)
        yield from block.outputs()


def _clear_outputs(graph: Any) -> None:
    for index in reversed(range(len(list(graph.outputs())))):
        graph.eraseOutput(index)


def _function(name: str, graph: Any) -> Callable[..., Any]:
    if len(list(graph.outputs())) > 1:
        graph.makeMultiOutputIntoTuple()
    function: Callable[..., Any] = torch._C._create_function_from_graph(name, graph)
    return function
