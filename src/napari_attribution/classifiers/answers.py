"""What networks answer: the scores in it, whether two answers are the same, and why there is none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from napari_attribution.errors import ClassifierError


def sole_scores(output: Any, k: int) -> Tensor:
    """The one tensor in a network's answer that can be the class scores."""
    if isinstance(output, Tensor):
        return output
    values = (
        list(output.values()) if isinstance(output, dict) else list(output) if isinstance(output, tuple | list) else []
    )
    tensors = [value for value in values if isinstance(value, Tensor)]
    fitting = [tensor for tensor in tensors if tensor.ndim == 2 and tensor.shape[1] == k]
    if len(fitting) == 1:
        return fitting[0]
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors) or type(output).__name__
    raise ClassifierError(
        f"The network answers with several things ({shapes}), and it is not clear which of them are the {k} class scores. "
        "Export it with one output."
    )


def same(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> bool:
    """Equal to rounding in float32: to a share of the largest number, `tolerance`, and ten times that of each one."""
    if a.shape != b.shape:
        return False
    scale = float(a.abs().max()) if a.numel() else 1.0
    if not bool(torch.isfinite(a).all() and torch.isfinite(b).all()):
        return False
    return bool(torch.allclose(a, b, rtol=10 * tolerance, atol=tolerance * max(scale, 1e-6)))


def reason(error: BaseException) -> str:
    """What a (TorchScript) error says, without the listing of code around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("RuntimeError:", "Error:"))]
    text = (told[-1] if told else lines[0] if lines else type(error).__name__).removeprefix("RuntimeError:").strip()
    return text if text.endswith(".") else text + "."
