"""The graph interpreter: run a TorchScript graph node by node, stop at any of them, and go on from there.

The fallback where the graph cannot be parted: it enters branches and loops, so a cut can lie inside them, and it holds
what cannot be handed to a graph. The first half is a run that stops; the second half runs the program again from the
start, takes the values that crossed the cut for those that it would compute before it, and decides at every branch as the
first half did. It costs about a quarter of a forward more than the network itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.splitting.crossing import Crossing
from napari_attribution.classifiers.splitting.cuts import Place
from napari_attribution.classifiers.splitting.steps import Key, Program, Step
from napari_attribution.classifiers.splitting.techniques.interpreter.code import Code
from napari_attribution.classifiers.splitting.techniques.interpreter.run import (
    DECISIONS,
    Decisions,
    Run,
    StopHere,
    run_from,
)
from napari_attribution.classifiers.splitting.techniques.technique import Parts
from napari_attribution.classifiers.splitting.techniques.torchscript_graph import TorchScriptGraph
from napari_attribution.errors import LayerError

_X: Key = "x"


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
    def _code(self) -> Code:
        return Code(self._graph, self._x.device)

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
            return self._until(Run(stop=place.step), x, place)

        def second(activation: Tensor, carried: tuple[Any, ...]) -> Any:
            run = run_from(place, activation, carried)
            return self._execute(run, run.given.get(_X))

        return Parts(first, second)

    def between(self, first: Place, second: Place) -> Callable[[Tensor, tuple[Any, ...]], Crossing]:
        """What stands between two places."""

        def run(value: Tensor, carried: tuple[Any, ...]) -> Crossing:
            started = run_from(first, value, carried)
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

    def _until(self, run: Run, x: Tensor | None, place: Place) -> Crossing:
        with suppress(StopHere):
            self._execute(run, x)
        run.values[DECISIONS] = Decisions(run.taken)
        if not isinstance(run.values.get(place.key), Tensor):
            raise LayerError("The network went another way than when it was looked at.")
        return run.values[place.key], tuple(run.values[key] for key in place.carried)

    def _record(self, count: int) -> Run:
        run = Run()
        run.values[DECISIONS] = Decisions(())
        run.steps.append(Step("prim::Decisions", (), (DECISIONS,)))
        with torch.no_grad():
            self._execute(run, self._x.repeat(count, 1, 1, 1))
        run.steps.append(Step("prim::Decisions", (DECISIONS,), ()))
        return run

    def _execute(self, run: Run, x: Tensor | None) -> Any:
        run.number = 0
        code = self._code
        run.set(code.entrance, _X, x)
        for unique, value in zip(code.entrances, code.kept, strict=True):
            run.set(unique, ("kept", unique), value)
        code.block.execute(run)
        run.results = tuple(run.keys[unique] for unique in code.block.results)
        return run.values[run.results[0]]
