"""Batches sized by bytes: memory is asked for in bytes, and halved where there is less than hoped."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from napari_attribution.errors import DeviceError

BUDGET = 128 * 2**20
"""Bytes that a batch may take beside the network, for its largest operation."""


_CACHED = 24 * 2**20
"""A processor is fastest with batches whose numbers stay near it; only GPUs want larger ones."""


NEAR = 8 * 2**20
"""For whole forwards on a processor: from this on, each operation's memory is asked of the system anew, page by page."""


def batch_bytes(budget: int, device: torch.device) -> int:
    """What a batch should take of a budget on a device."""
    return min(budget, _CACHED) if device.type == "cpu" else budget


def in_batches(
    run: Callable[[slice], Tensor], count: int, bytes_each: int, budget: int = BUDGET, most: int = 2**31
) -> Tensor:
    """Run over range(count) in slices whose largest operation stays within a budget.

    Parameters
    ----------
    run : callable
        Takes a slice, returns a Tensor whose first axis is as long as the slice.
    count : int
    bytes_each : int
        What one item takes.
    budget : int
    most : int
        Never more items than this at once.

    Raises
    ------
    DeviceError
        Where there is no room even for one item.
    """
    size = max(1, min(count, most, budget // max(bytes_each, 1)))
    parts: list[Tensor] = []
    start = 0
    while start < count:
        try:
            parts.append(run(slice(start, min(start + size, count))))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise DeviceError(no_room("the device")) from error
            size = (size + 1) // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        start += size
    return torch.cat(parts)


def no_room(device: str) -> str:
    """The sentence for a device that is full."""
    return (
        f"There is no room on {device} for even one input. Close other programs that use it, choose another device, or check "
        "that the input size on the card is right."
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that the device is full."""
    text = str(error).lower()
    return isinstance(error, torch.cuda.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text
