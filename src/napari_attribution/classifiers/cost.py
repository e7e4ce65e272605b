"""What a run costs: arithmetic and memory, counted and not timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True)
class Cost:
    """Floating point operations of the convolutions and matrix products, and the bytes of all that a run makes."""

    operations: int
    largest_bytes: int


class _Counting(TorchDispatchMode):
    """Sees every operation, in a loaded TorchScript network too, where hooks do not work."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.operations += count(*args, **(kwargs or {}), out_val=made)
        elif isinstance(made, torch.Tensor):
            self.operations += made.numel()
        sizes = [t.numel() * t.element_size() for t in tree_leaves((args, made)) if isinstance(t, torch.Tensor)]
        self.largest = max(self.largest, sum(sizes))
        return made


def flops(run: Callable[[], Any]) -> Cost:
    """Count what one call costs."""
    with _Counting() as counting:
        run()
    return Cost(counting.operations, counting.largest)
