"""The graph cut: part a TorchScript network by parting its graph.

Hooks do not work on a loaded file, so the graph itself is cut at a top-level value. All that stands before it is the
feature half, all behind it the head; the half that is not wanted is destroyed node by node. Dead-code elimination would
keep in-place operations (`add_`, `relu_`) of the other half alive by aliasing, and silently change the numbers.

Nothing here trusts its own result: `guard` compares head(features(x)) with the network before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.splitting.crossing import Crossing
from napari_attribution.classifiers.splitting.cuts import Place
from napari_attribution.classifiers.splitting.steps import Key, Program, tensors
from napari_attribution.classifiers.splitting.techniques.doubling import MOST_DOUBLED, doubled
from napari_attribution.classifiers.splitting.techniques.technique import Parts
from napari_attribution.classifiers.splitting.techniques.torchscript_graph import TorchScriptGraph

_META = torch.device("meta")
_LARGE = 2**19
"""Pixels of an input all of whose values would take gigabytes."""


class GraphCut:
    """Parts a TorchScript network at values of its graph.

    Parameters
    ----------
    graph : TorchScriptGraph
    x : (1, C, h, w) Tensor
        An input on the device that the network is to run on.
    """

    name = "graph cut"
    last_resort = False

    def __init__(self, graph: TorchScriptGraph, x: Tensor) -> None:
        self._graph = self.source = graph
        self._x = x
        self._kept = graph.kept_on(x.device)

    def program(self) -> Program:
        return self._graph.program(self._run)

    def _run(self, count: int) -> Mapping[Key, Any]:
        """Every value of a run. Large inputs are run on the meta device, where nothing is computed or kept, if the network
        allows that; small ones are not, because torch imports for seconds before its first operation there."""
        x = self._x.repeat(count, 1, 1, 1)
        if self._x.shape[-2] * self._x.shape[-1] > _LARGE:
            with suppress(RuntimeError, NotImplementedError):
                return self._values(x.to(_META))
        return self._values(x)

    def _values(self, x: Tensor) -> dict[Key, Any]:
        graph = self._graph.on(x.device)
        keys, outputs = [], []
        for number, node in enumerate(graph.nodes()):
            if node.kind() not in ("prim::Constant", "prim::Uninitialized"):
                for output, value in enumerate(node.outputs()):
                    keys.append((number, output))
                    outputs.append(value)
        _set_outputs(graph, outputs)
        with torch.no_grad():
            made = self._graph.function("probe", graph)(x.clone(), *self._graph.kept_on(x.device))
        values = self._graph.known(x)
        values.update(zip(keys, [made] if len(outputs) == 1 else made, strict=True))
        return values

    def part(self, place: Place) -> Parts:
        """The two halves at a place."""
        kept = self._kept
        graph = self._graph.on(self._x.device)
        _stop_at(graph, list(graph.nodes()), place)
        features = self._graph.function("features", graph)
        graph = self._graph.on(self._x.device)
        _start_at(graph, list(graph.nodes()), place)
        head = self._graph.function("head", graph)

        def first(x: Tensor) -> Crossing:
            return _crossing(features(x, *kept), place)

        def second(activation: Tensor, carried: tuple[Any, ...]) -> Any:
            return head(activation, *carried, *kept)

        return Parts(first, second)

    def between(self, first: Place, second: Place) -> Callable[[Tensor, tuple[Any, ...]], Crossing]:
        """What stands between two places."""
        graph = self._graph.on(self._x.device)
        nodes = list(graph.nodes())
        _stop_at(graph, nodes, second)
        _start_at(graph, nodes, first)
        function, kept = self._graph.function("between", graph), self._kept
        return lambda value, carried: _crossing(function(value, *carried, *kept), second)

    def exactly(self, place: Place) -> Callable[[Tensor, tuple[Any, ...]], Any] | None:
        """The second half in double precision."""
        if self._x.device.type == "mps":
            return None  # there is none
        graph = self._graph.on(self._x.device)
        _start_at(graph, list(graph.nodes()), place)
        entrances = list(graph.inputs())[1 + len(place.carried) :]
        read = [value for entrance, value in zip(entrances, self._kept, strict=True) if entrance.uses()]
        if sum(2 * tensor.nbytes for tensor in tensors(read)) > MOST_DOUBLED:
            return None
        kept = [
            doubled(value) if entrance.uses() else value for entrance, value in zip(entrances, self._kept, strict=True)
        ]
        head = self._graph.function("head", graph)
        return lambda value, carried: head(value, *doubled(list(carried)), *kept)

    def weight(self, key: Key) -> Any:
        """One of the network's own tensors."""
        number, output = key if isinstance(key, tuple) else (0, 0)
        return self._kept[output - 1] if number == -1 and output > 0 else None


def _crossing(made: Any, place: Place) -> Crossing:
    return (made[0], tuple(made[1:])) if place.carried else (made, ())


def _stop_at(graph: Any, nodes: list[Any], place: Place) -> None:
    """Leave only what leads to a place, which becomes what the graph returns."""
    _set_outputs(graph, [_value(graph, nodes, key) for key in (place.key, *place.carried)])
    for node in reversed(nodes[place.step + 1 :]):
        node.destroy()


def _start_at(graph: Any, nodes: list[Any], place: Place) -> None:
    """Leave only what stands behind a place, whose values become the first inputs."""
    # They stand in front of what is kept: the trailing inputs are added anew, in their order.
    old = list(graph.inputs())
    for value in [_value(graph, nodes, key) for key in (place.key, *place.carried)] + old[1:]:
        entrance = graph.addInput()
        entrance.setType(value.type())
        value.replaceAllUsesWith(entrance)
    for node in reversed(nodes[: place.step + 1]):
        if node.kind() != "prim::Constant":
            node.destroy()
    for _ in old:
        graph.eraseInput(0)


def _value(graph: Any, nodes: list[Any], key: Any) -> Any:
    number, output = key
    return list(graph.inputs())[output] if number < 0 else nodes[number].outputsAt(output)


def _set_outputs(graph: Any, values: list[Any]) -> None:
    for index in reversed(range(len(list(graph.outputs())))):
        graph.eraseOutput(index)
    for value in values:
        graph.registerOutput(value)
