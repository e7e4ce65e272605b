"""A graph read once: its blocks and nodes, which branch and loop as they are executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from napari_attribution.classifiers.splitting.steps import Key
from napari_attribution.classifiers.splitting.techniques.interpreter.operations import operation
from napari_attribution.classifiers.splitting.techniques.interpreter.run import Run
from napari_attribution.classifiers.splitting.techniques.torchscript_graph import TorchScriptGraph
from napari_attribution.errors import LayerError


class Code:
    """A graph on a device, read once."""

    def __init__(self, graph: TorchScriptGraph, device: torch.device) -> None:
        self.kept = graph.kept_on(device)
        self._graph = graph.on(device)  # owns what the nodes refer to
        self.entrance, *self.entrances = [value.unique() for value in self._graph.inputs()]
        self.block = _Block(self._graph, dict(zip(self.entrances, graph.owners, strict=True)))


class _Block:
    """A block of a graph, read once: its nodes in order, its arguments and results."""

    def __init__(self, block: Any, owners: Mapping[int, str]) -> None:
        self.arguments = [value.unique() for value in block.inputs()]
        self.results = [value.unique() for value in block.outputs()]
        self.nodes = [_Node(node, owners) for node in block.nodes()]

    def execute(self, run: Run) -> None:
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
        self.call = None if self.blocks or self.kind == "prim::Constant" else operation(node)

    def execute(self, run: Run) -> None:
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

    def _branch(self, run: Run) -> None:
        taken = run.decide(self.kind, self.reads[0], lambda: bool(run.get(self.reads[0])))
        block = self.blocks[0 if taken else 1]
        block.execute(run)
        self._bind(run, self.makes, [run.keys[unique] for unique in block.results])

    def _loop(self, run: Run) -> None:
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
    def _bind(run: Run, uniques: Sequence[int], keys: Sequence[Key]) -> None:
        """The same values under other names."""
        for unique, key in zip(uniques, keys, strict=True):
            run.keys[unique] = key
