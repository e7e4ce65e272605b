"""Dispatch capture: watch the operations of a running network, and exchange what one of them made.

The last resort, where no graph can be read: it works with whatever torch can run, but saves no computation. The second
half runs the whole network again and puts the activation in its place; it gives no gradients by the activation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from napari_attribution.classifiers.splitting.crossing import Crossing
from napari_attribution.classifiers.splitting.cuts import Place
from napari_attribution.classifiers.splitting.steps import Key, Program, Step
from napari_attribution.classifiers.splitting.techniques.technique import Parts
from napari_attribution.errors import LayerError

_X: Key = "x"


class DispatchCapture:
    """Parts any network at what its operations make.

    Parameters
    ----------
    run : callable
        The network.
    x : (1, C, h, w) Tensor
    """

    name = "dispatch capture"
    last_resort = True

    def __init__(self, run: Callable[[Tensor], Any], x: Tensor) -> None:
        self.source = self
        self._run = run
        self._x = x

    def program(self) -> Program:
        recorded = self._record(1)

        def run(count: int) -> Mapping[Key, Any]:
            if count == 1:
                return recorded.values
            again = self._record(count)
            if [step.kind for step in again.steps] != [step.kind for step in recorded.steps]:
                raise LayerError("The network goes other ways for two inputs than for one.")
            return again.values

        return Program(tuple(recorded.steps), _X, recorded.results, run, reruns=True)

    def part(self, place: Place) -> Parts:
        """The two halves at a place."""

        def first(x: Tensor) -> Crossing:
            mine, exchange = x.clone(), _Exchange(place.key, None)
            with torch.no_grad(), exchange:
                self._run(mine)
            if exchange.found is None:
                raise LayerError("The network went another way than when it was watched.")
            return exchange.found, (x,)

        def second(activation: Tensor, carried: tuple[Any, ...]) -> Any:
            with torch.no_grad(), _Exchange(place.key, activation):
                return self._run(carried[0])

        return Parts(first, second, gradients=False)

    def between(self, first: Place, second: Place) -> Callable[[Tensor, tuple[Any, ...]], Crossing]:
        """Nothing can be run by itself."""
        raise LayerError("A network that is watched can only be run as a whole.")

    def exactly(self, place: Place) -> None:
        """None: its halves hold more of the network than stands behind the place."""
        return

    def weight(self, key: Key) -> Any:
        """None: a network that is watched shows what it reads, not whose it is."""
        return None

    def _record(self, count: int) -> _Recorder:
        x = self._x.repeat(count, 1, 1, 1)
        recorder = _Recorder(x)
        with torch.no_grad(), recorder:
            answer = self._run(x)
        recorder.results = tuple(
            recorder.key_of(value) for value in tree_flatten(answer)[0] if isinstance(value, Tensor)
        )
        return recorder


class _Recorder(TorchDispatchMode):
    """Keeps every operation and every value."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[Step] = []
        self.values: dict[Key, Any] = {_X: x}
        self.results: tuple[Key, ...] = ()
        self._keys = {id(x): _X}
        self._number = 0

    def key_of(self, value: Any) -> Key:
        """The key of a tensor that was made before, or a new one for what comes from elsewhere: weights, numbers."""
        if isinstance(value, Tensor) and id(value) in self._keys:
            return self._keys[id(value)]
        key: Key = ("given", len(self.values))
        self.values[key] = value
        if isinstance(value, Tensor):
            self._keys[id(value)] = key
        return key

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        reads = tuple(self._read(argument) for argument in args)
        makes: list[Key] = []
        for output, value in enumerate(made if isinstance(made, tuple | list) else [made]):
            key = (self._number, output)
            makes.append(key)
            self.values[key] = value
            self._keys[id(value)] = key
        self.steps.append(Step(str(function._schema.name), reads, tuple(makes)))
        self._number += 1
        return made

    def _read(self, argument: Any) -> Key:
        if not isinstance(argument, list | tuple) or not any(isinstance(item, Tensor) for item in argument):
            return self.key_of(argument)
        key: Key = ("list", len(self.values))
        self.values[key] = list(argument)
        self.steps.append(Step("prim::ListConstruct", tuple(self.key_of(item) for item in argument), (key,)))
        return key


class _Exchange(TorchDispatchMode):
    """Keeps what one operation makes, or puts something else in its place."""

    def __init__(self, key: Any, instead: Tensor | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._wanted, self._output = key
        self._instead = instead
        self._number = 0
        self.found: Tensor | None = None

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        here = self._number == self._wanted
        self._number += 1
        if not here:
            return made
        values = list(made) if isinstance(made, tuple | list) else [made]
        self.found = values[self._output].clone()
        if self._instead is None:
            return made
        if values[self._output].shape != self._instead.shape:
            raise LayerError("The network went another way than when it was watched.")
        # In place: whatever shares this memory is to feel it, as it would have.
        values[self._output].copy_(self._instead)
        return made
