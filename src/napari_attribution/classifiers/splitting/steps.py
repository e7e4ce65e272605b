"""Steps: a network as what it does, one operation after the other, whatever file it came from.

TorchScript graphs and torch.export graphs are both read into steps; where locations lie (`geometry`) and where a network
can be cut (`finding`) is found out on these alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Key = Hashable
"""Names a value: for instance (number of the step, number of its output)."""


@dataclass(frozen=True)
class Step:
    """One operation at the top level of a network.

    Parameters
    ----------
    kind : str
        "aten::conv2d", "prim::If".
    reads : tuple of Key
        Its arguments, in the order of the operator's schema.
    makes : tuple of Key
    inner : tuple of Key
        What blocks inside it (the branches of an if, the body of a loop) read.
    module : str
        Path of the module that it belongs to, or of the one whose weights were read last.
    """

    kind: str
    reads: tuple[Key, ...]
    makes: tuple[Key, ...]
    inner: tuple[Key, ...] = ()
    module: str = ""

    @property
    def name(self) -> str:
        """The kind without its namespace and without the mark of an operation in place: "relu"."""
        return self.kind.rpartition("::")[2].rstrip("_")


@dataclass(frozen=True)
class Program:
    """A network's steps.

    Parameters
    ----------
    steps : tuple of Step
    x : Key
        The network's input.
    results : tuple of Key
        What it returns.
    run : callable
        Takes a number of inputs, runs the network on so many and returns all values by key, weights and constants too.
        Only their shapes are to be trusted: they may be on the meta device, or changed in place by later steps.
    reruns : bool
        Whether a second half runs the whole network again, and so needs nothing but the input beside the activation.
    """

    steps: tuple[Step, ...]
    x: Key
    results: tuple[Key, ...]
    run: Callable[[int], Mapping[Key, Any]]
    reruns: bool = False

    @property
    def opaque(self) -> bool:
        """Whether some of its steps are whole programs themselves that were not looked into."""
        return any(step.kind.startswith("python::") for step in self.steps)


def tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor in a value, lists, tuples and dictionaries gone through."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)


_ONLY_LIKE = (
    *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"),
    *("new_zeros", "new_ones", "new_full", "new_empty", "new_tensor", "size", "sym_size"),
)
"""Operations that take only the shape of what they read."""


def depending(steps: Sequence[Step], x: Key, values: Mapping[Key, Any]) -> set[Key]:
    """Every value that holds tensors computed from the input (its size alone does not count)."""
    found = {x}
    for step in steps:
        if step.name in _ONLY_LIKE:
            continue
        if any(key in found for key in (*step.reads, *step.inner)):
            found |= {key for key in step.makes if next(tensors(values.get(key)), None) is not None}
            # A list that is appended to holds what it was given.
            if step.name in ("append", "insert", "extend", "_set_item"):
                found.add(step.reads[0])
    return found


def leading_to(steps: Sequence[Step], wanted: Key) -> set[int]:
    """The numbers of the steps that a value is made by, directly or not."""
    needed, found = {wanted}, set()
    for number in reversed(range(len(steps))):
        step = steps[number]
        # What is changed in place is made under another name, but read under its own.
        changes = step.kind.endswith("_") and not step.kind.endswith("__")
        if any(key in needed for key in (*step.makes, *(step.reads[:1] if changes else ()))):
            found.add(number)
            needed.update(step.reads, step.inner)
    return found


def last_reads(steps: Sequence[Step], results: Sequence[Key]) -> dict[Key, int]:
    """For every value, the number of the last step that reads it; what the network returns is read behind them all."""
    last: dict[Key, int] = {}
    for number, step in enumerate(steps):
        for key in (*step.reads, *step.inner):
            last[key] = number
    return last | dict.fromkeys(results, len(steps))
