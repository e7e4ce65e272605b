"""Where in the input a location of a feature map lies: receptive field arithmetic on the graph.

A convolution or pooling with kernel k, dilation d, stride s and padding p turns a map whose locations are `jump` input
pixels apart, the first one centred at `start`, into one with

    start' = start + ((k - 1) / 2 * d - p) * jump,     jump' = jump * s

(Araujo et al., Computing Receptive Fields of Convolutional Neural Networks, Distill 2019). Three convolutions with
stride 2, kernel 3 and padding 1 leave the first location centred at pixel 0, not in the middle of its eight pixels.

Only values that are reached through such operations, and through others that keep the shape, are maps of locations: what
was flattened, permuted or reshaped (channels last, tokens) is not, and has no geometry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

_REARRANGE = (
    "permute",
    "transpose",
    "view",
    "reshape",
    "flatten",
    "unflatten",
    "movedim",
    "swapaxes",
    "roll",
    "unfold",
)
# Position of (kernel, stride, padding, dilation) among the inputs; a convolution's kernel is its weight's shape.
_WINDOWS = {
    "aten::conv2d": (None, 3, 4, 5),
    "aten::_convolution": (None, 3, 4, 5),
    "aten::convolution": (None, 3, 4, 5),
    "aten::max_pool2d": (1, 2, 3, 4),
    "aten::avg_pool2d": (1, 2, 3, None),
}


@dataclass(frozen=True)
class Grid:
    """Where the locations of a map lie in the input, in input pixels, rows then columns.

    Parameters
    ----------
    start : (float, float)
        Centre of the first location; pixel 0 is centred at 0.
    jump : (float, float)
        From one location to the next.
    """

    start: tuple[float, float]
    jump: tuple[float, float]

    @classmethod
    def even(cls, size: tuple[int, int], locations: tuple[int, int]) -> Grid:
        """Locations that share out an input evenly, each in the middle of its pixels."""
        jump = (size[0] / locations[0], size[1] / locations[1])
        return cls(((jump[0] - 1) / 2, (jump[1] - 1) / 2), jump)


def grids(nodes: list[Any], x: Any, values: Mapping[int, Any]) -> dict[int, Grid]:
    """The grid of every value of a graph that is a map of locations.

    Parameters
    ----------
    nodes : top-level nodes of the graph.
    x : the graph's first input.
    values : what every value was in a probe run, by its unique number; weights too.
    """
    found = {x.unique(): Grid((0.0, 0.0), (1.0, 1.0))}
    for node in nodes:
        for output in node.outputs():
            made = values.get(output.unique())
            if isinstance(made, Tensor) and made.ndim == 4 and (grid := _grid(node, made, found, values)) is not None:
                found[output.unique()] = grid
    return found


def _grid(node: Any, made: Tensor, found: Mapping[int, Grid], values: Mapping[int, Any]) -> Grid | None:
    kind = node.kind().rstrip("_")
    inputs = list(node.inputs())
    source = next((value for value in inputs if value.unique() in found), None)
    if source is None or any(word in kind for word in _REARRANGE):
        return None
    grid, before = found[source.unique()], values.get(source.unique())
    if kind in _WINDOWS:
        window = _window(kind, inputs, values)
        if window is None or not isinstance(before, Tensor):
            return None if before is None else _shared_out(grid, before, made)
        start, jump = [], []
        for axis, (kernel, stride, padding, dilation) in enumerate(window):
            start.append(grid.start[axis] + ((kernel - 1) / 2 * dilation - padding) * grid.jump[axis])
            jump.append(grid.jump[axis] * stride)
        return Grid((start[0], start[1]), (jump[0], jump[1]))
    if not isinstance(before, Tensor):
        return None
    if before.shape[2:] == made.shape[2:]:
        # Layer norms and linear layers work on the last axis: a map that they are given has its channels there.
        return None if "layer_norm" in kind or "linear" in kind or "matmul" in kind else grid
    return _shared_out(grid, before, made) if "pool" in kind or "upsample" in kind else None


def _window(kind: str, inputs: list[Any], values: Mapping[int, Any]) -> list[tuple[float, ...]] | None:
    """(kernel, stride, padding, dilation) for rows and columns, or None where they are not constants."""
    at = _WINDOWS[kind]
    if at[0] is None:
        weight = values.get(inputs[1].unique())
        transposed = kind != "aten::conv2d" and _constant(inputs[6])
        if not isinstance(weight, Tensor) or weight.ndim != 4 or transposed:
            return None
        kernel: Any = list(weight.shape[2:])
    else:
        kernel = _pair(inputs[at[0]])
    stride, padding = _pair(inputs[at[1]]), _pair(inputs[at[2]])
    dilation = [1, 1] if at[3] is None else _pair(inputs[at[3]])
    if kernel is None or padding is None or dilation is None or stride is None:
        return None
    return list(zip(kernel, stride or kernel, padding, dilation, strict=True))


def _pair(value: Any) -> list[int] | None:
    """Two whole numbers that a graph holds as a constant list (of one or two; none gives none)."""
    numbers = _constant(value)
    if isinstance(numbers, list) and all(isinstance(number, int) for number in numbers):
        return numbers * 2 if len(numbers) == 1 else numbers
    return None


def _constant(value: Any) -> Any:
    if value.node().kind() == "prim::ListConstruct":
        return [item.toIValue() for item in value.node().inputs()]
    return value.toIValue()


def _shared_out(grid: Grid, before: Tensor, made: Tensor) -> Grid:
    """A map of another size that covers the same ground evenly."""
    start, jump = [], []
    for axis in (0, 1):
        factor = before.shape[2 + axis] / made.shape[2 + axis]
        start.append(grid.start[axis] + (factor - 1) / 2 * grid.jump[axis])
        jump.append(grid.jump[axis] * factor)
    return Grid((start[0], start[1]), (jump[0], jump[1]))
