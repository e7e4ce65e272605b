"""Where in the input the elements of a network's values lie, followed step by step.

Maps, (N, n, h', w'): receptive field arithmetic. A convolution or pooling with kernel k, dilation d, stride s and padding
p turns a map whose locations are `jump` input pixels apart, the first one centred at `start`, into one with

    start' = start + ((k - 1) / 2 * d - p) * jump,     jump' = jump * s

(Araujo et al., Computing Receptive Fields of Convolutional Neural Networks, Distill 2019). Three convolutions with
stride 2, kernel 3 and padding 1 leave the first location centred at pixel 0, not in the middle of its eight pixels.

What is rearranged (flattened into tokens, channels last, rolled, cut into windows, merged): a tensor of places, row +
i * column for every element, is sent through the very same operation. A class token that is put in front lies nowhere
(NaN). A linear layer makes each of its outputs lie in the middle of what it reads, attention makes them lie where its
queries do, a branch or a loop where what goes into it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.splitting.layouts import Grid, Layout, layout_of, plain_grid
from napari_attribution.classifiers.splitting.steps import Key, Program, Step

_MOST_ELEMENTS = 2**23
"""Values larger than this are not followed once they are rearranged: 64 MiB of places."""

# Position of (kernel, stride, padding, dilation) among the arguments; a convolution's kernel is its weight's shape.
_WINDOWS = {
    "conv2d": (None, 3, 4, 5),
    "conv3d": (None, 3, 4, 5),
    "_convolution": (None, 3, 4, 5),
    "convolution": (None, 3, 4, 5),
    "conv2d_relu": (None, 3, 4, 5),
    "max_pool2d": (1, 2, 3, 4),
    "max_pool3d": (1, 2, 3, 4),
    "max_pool2d_with_indices": (1, 2, 3, 4),
    "avg_pool2d": (1, 2, 3, None),
    "avg_pool3d": (1, 2, 3, None),
}
_RESHAPE = ("view", "reshape", "_unsafe_view", "unflatten", "flatten", "expand")
_REARRANGE = (
    *_RESHAPE,
    *("permute", "transpose", "t", "movedim", "moveaxis", "swapaxes", "swapdims", "mT", "numpy_T"),
    *("slice", "select", "narrow", "index_select", "roll", "flip", "unsqueeze", "squeeze", "contiguous", "clone"),
    *(
        "chunk",
        "split",
        "split_with_sizes",
        "unbind",
        "tensor_split",
        "cat",
        "concat",
        "stack",
        "constant_pad_nd",
        "pad",
    ),
)
_PADS = ("constant_pad_nd", "pad", "reflection_pad2d", "replication_pad2d", "zero_pad2d")
_PRODUCTS = ("linear", "matmul", "mm", "addmm", "bmm")

Places = Grid | Tensor | list["Places | None"]
"""A map's grid; or the place of every element of a value; or those of a list's items."""


class Geometry:
    """Follows the places of a program's values.

    Parameters
    ----------
    program : Program
    values : every value's shape and every argument, from a run on one input.
    """

    def __init__(self, program: Program, values: Mapping[Key, Any]) -> None:
        self._values = values
        self._layouts: dict[tuple[int, int], Layout | None] = {}
        self._found: dict[Key, Places] = {program.x: Grid((0.0, 0.0), (1.0, 1.0))}
        for step in program.steps:
            self._follow(step)

    def layout(self, key: Key, batch: int) -> Layout | None:
        """How the value holds its locations, if it lies anywhere; `batch` is its batch axis."""
        places, value = self._found.get(key), self._values.get(key)
        if not isinstance(value, Tensor) or places is None or isinstance(places, list):
            return None
        if isinstance(places, Grid):
            return Layout.of_map(tuple(value.shape), places) if value.ndim >= 4 and batch == 0 else None
        if (id(places), batch) not in self._layouts:
            self._layouts[id(places), batch] = layout_of(places, batch)
        return self._layouts[id(places), batch]

    def _follow(self, step: Step) -> None:
        source = next((key for key in (*step.reads, *step.inner) if key in self._found), None)
        if source is None:
            return
        made = [self._values.get(key) for key in step.makes]
        found: list[Places | None]
        try:
            if step.kind in ("prim::ListConstruct", "prim::TupleConstruct"):
                found = [[self._found.get(key) for key in step.reads]]
            elif step.kind in ("prim::ListUnpack", "prim::TupleUnpack"):
                places = self._found[source]
                found = list(places) if isinstance(places, list) else []
            elif step.name in ("append", "insert"):
                self._append(step)
                return
            elif step.name == "add" and isinstance(made[0], list):
                found = [[each for key in step.reads for each in self._of_list(key)]]
            elif step.kind == "aten::__getitem__":
                places, index = self._found[source], self._values.get(step.reads[1])
                found = [places[index]] if isinstance(places, list) and isinstance(index, int) else []
            elif step.name in _PADS and isinstance(self._found[source], Grid):
                found = [self._padded(step, source)]
            elif step.name in _REARRANGE:
                found = self._rearranged(step, made)
            elif step.inner:
                found = [self._out_of_block(step, value) for value in made]
            else:
                found = [self._computed(step, source, made[0])] if made and isinstance(made[0], Tensor) else []
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):
            return  # an operation that cannot be followed makes values that lie nowhere
        for key, places_of_it in zip(step.makes, found, strict=False):
            if places_of_it is not None:
                self._found[key] = places_of_it

    def _of_list(self, key: Key) -> list[Places | None]:
        places, value = self._found.get(key), self._values.get(key)
        return places if isinstance(places, list) else [None] * (len(value) if isinstance(value, list) else 0)

    def _append(self, step: Step) -> None:
        places = self._found.get(step.reads[0], [])
        if isinstance(places, list):
            self._found[step.reads[0]] = self._found[step.makes[0]] = [*places, self._found.get(step.reads[-1])]

    # ------------------------------------------------------------------------------------------------ rearranged values

    def _rearranged(self, step: Step, made: list[Any]) -> list[Places | None]:
        known = self._cat_of_maps(step, made)
        if known is not None:
            return [known]
        arguments = [self._argument(key) for key in step.reads]
        name = "reshape" if step.name in _RESHAPE[:3] else step.name
        if step.name in ("contiguous", "clone"):
            places: Any = arguments[0]
        else:
            if name in ("constant_pad_nd", "pad"):
                arguments = [arguments[0], arguments[1], *(["constant"] if name == "pad" else []), float("nan")]
            operation: Callable[..., Any] = getattr(torch.ops.aten, name)
            places = operation(*arguments)
        if isinstance(places, list | tuple):
            return [list(places)]
        shape = made[0].shape if made and isinstance(made[0], Tensor) else None
        return [places if places.shape == shape and not bool(torch.isnan(places.real).all()) else None]

    def _padded(self, step: Step, source: Key) -> Grid | None:
        """A map with more, or fewer, rows and columns at its borders."""
        grid, amounts = self._found[source], self._values.get(step.reads[1])
        if not isinstance(grid, Grid) or not isinstance(amounts, list | tuple) or len(amounts) > 4:
            return None
        left, top = amounts[0], amounts[2] if len(amounts) == 4 else 0
        return Grid((grid.start[0] - top * grid.jump[0], grid.start[1] - left * grid.jump[1]), grid.jump)

    def _cat_of_maps(self, step: Step, made: list[Any]) -> Grid | None:
        """Maps on one grid, joined or split along their channels, or padded nowhere, stay maps on that grid."""
        if step.name in ("contiguous", "clone"):
            grid = self._found.get(step.reads[0])
            return grid if isinstance(grid, Grid) else None
        if step.name not in ("cat", "concat"):
            return None
        parts, axis = self._found.get(step.reads[0]), self._values.get(step.reads[1])
        if axis not in (1, -3) or not isinstance(parts, list) or not made or made[0].ndim != 4:
            return None
        grids = [part for part in parts if isinstance(part, Grid)]
        return grids[0] if grids and all(isinstance(part, Grid | None) for part in parts) else None

    def _argument(self, key: Key) -> Any:
        """A step's argument, tensors replaced by the places of their elements."""
        value, places = self._values.get(key), self._found.get(key)
        if isinstance(value, Tensor):
            return self._of_each(value, places)
        if isinstance(value, list | tuple) and any(isinstance(item, Tensor) for item in value):
            each = places if isinstance(places, list) else []
            each = [*each, *[None] * (len(value) - len(each))]
            return [self._of_each(item, each[i]) if isinstance(item, Tensor) else item for i, item in enumerate(value)]
        return value

    @staticmethod
    def _of_each(value: Tensor, places: Places | None) -> Tensor:
        """The place of every element of a value."""
        if isinstance(places, Tensor):
            return places
        if value.numel() > _MOST_ELEMENTS:
            raise ValueError("too large to follow")
        if isinstance(places, Grid) and value.ndim >= 4:
            return places.places(value.shape[-2], value.shape[-1]).expand(value.shape)
        return torch.full(value.shape, complex("nan"), dtype=torch.complex64)

    # ---------------------------------------------------------------------------------------------- computed values

    def _computed(self, step: Step, source: Key, made: Tensor) -> Places | None:
        before = self._values[source]
        if step.name in _PRODUCTS:
            return self._mixed_last(step, made)
        if not isinstance(before, Tensor) or made.ndim < 3:
            return None
        if step.name in _WINDOWS:
            return self._windowed(step, before, made)
        places = self._found[source]
        # What is read along with it may be of another shape: a mask, a gate, a scale.
        for key in step.reads:
            other = self._values.get(key)
            if key in self._found and isinstance(other, Tensor) and other.shape == made.shape:
                before, places = other, self._found[key]
                break
        if isinstance(places, list):
            return None
        if isinstance(places, Tensor):
            if before.shape == made.shape:
                return places
            as_map = self._as_map(places)
            return self._resized(step, as_map, before, made) if as_map is not None else None
        if before.shape[-2:] == made.shape[-2:] and made.ndim >= 4:
            # A layer norm of the last axis alone is given its channels there.
            axes = self._values.get(step.reads[1]) if "layer_norm" in step.name else None
            return None if isinstance(axes, list | tuple) and len(axes) < 3 else places
        return self._resized(step, places, before, made)

    def _out_of_block(self, step: Step, made: Any) -> Places | None:
        """What comes out of a branch or a loop lies where something of its shape went in, or shares that ground out."""
        if not isinstance(made, Tensor):
            return None
        entering = [key for key in (*step.reads, *step.inner) if key in self._found]
        known = [(self._found[key], self._values[key]) for key in entering]
        for places, value in known:
            if isinstance(value, Tensor) and value.shape == made.shape:
                return places
        for places, value in known:
            if isinstance(places, Grid) and isinstance(value, Tensor) and made.ndim == 4 and min(made.shape) > 0:
                return _shared_out(places, value, made)
        return None

    @staticmethod
    def _as_map(places: Tensor) -> Grid | None:
        """The grid, where the places are those of a plain map: rows and columns last, the same for all else."""
        return plain_grid(places[0]) if places.ndim >= 4 and bool((places == places[:1]).all()) else None

    def _mixed_last(self, step: Step, made: Tensor) -> Tensor | None:
        """A linear layer, or a product with weights: every output lies in the middle of what it reads, its last axis."""
        first = step.reads[1] if step.name == "addmm" else step.reads[0]
        places, before = self._found.get(first), self._values.get(first)
        if places is None or not isinstance(before, Tensor) or before.shape[:-1] != made.shape[:-1]:
            return None
        if isinstance(places, Grid):
            return None
        assert isinstance(places, Tensor)
        return places.mean(dim=-1, keepdim=True).expand(made.shape)

    def _windowed(self, step: Step, before: Tensor, made: Tensor) -> Grid | None:
        places = self._found.get(step.reads[0])
        grid = self._as_map(places) if isinstance(places, Tensor) else places
        if not isinstance(grid, Grid) or before.ndim < 4:
            return None
        window = self._window(step)
        if window is None:
            return _shared_out(grid, before, made)
        start, jump = [], []
        for axis, (kernel, stride, padding, dilation) in enumerate(window):
            start.append(grid.start[axis] + ((kernel - 1) / 2 * dilation - padding) * grid.jump[axis])
            jump.append(grid.jump[axis] * stride)
        return Grid((start[0], start[1]), (jump[0], jump[1]))

    def _window(self, step: Step) -> list[tuple[float, ...]] | None:
        """(kernel, stride, padding, dilation) for rows and columns, or None where they are not numbers."""
        if step.kind.startswith("quantized::"):
            return self._packed_window(step)
        at = _WINDOWS[step.name]
        if at[0] is None:
            weight = self._values.get(step.reads[1])
            transposed = step.name in ("convolution", "_convolution") and self._values.get(step.reads[6])
            if not isinstance(weight, Tensor) or weight.ndim != self._values[step.reads[0]].ndim or transposed:
                return None
            kernel: list[int] | None = list(weight.shape[-2:])
        else:
            kernel = self._pair(step, at[0])
        stride, padding = self._pair(step, at[1]), self._pair(step, at[2])
        dilation = [1, 1] if at[3] is None else self._pair(step, at[3])
        if kernel is None or dilation is None or stride is None:
            return None
        if padding is None:  # "same" and "valid", in words
            word = self._values.get(step.reads[at[2]])
            if word not in ("same", "valid"):
                return None
            halves = [(k - 1) * d / 2 for k, d in zip(kernel, dilation, strict=True)]
            return list(zip(kernel, stride, halves if word == "same" else [0, 0], dilation, strict=True))
        return list(zip(kernel, stride or kernel, padding, dilation, strict=True))

    def _packed_window(self, step: Step) -> list[tuple[float, ...]]:
        """A quantised convolution keeps its weights and numbers in an object of its own."""
        packed = self._values[step.reads[1]]
        kernel = packed.unpack()[0].shape[2:]
        return list(zip(kernel, packed.stride(), packed.padding(), packed.dilation(), strict=True))

    def _pair(self, step: Step, at: int) -> list[int] | None:
        """Two whole numbers, for rows and columns, the last of a list; none gives none."""
        numbers = self._values.get(step.reads[at]) if at < len(step.reads) else None
        if isinstance(numbers, list | tuple) and all(isinstance(number, int) for number in numbers):
            return list(numbers) * 2 if len(numbers) == 1 else list(numbers)[-2:]
        return None

    @staticmethod
    def _resized(step: Step, grid: Grid, before: Tensor, made: Tensor) -> Grid | None:
        if before.ndim < 4 or made.ndim != before.ndim:
            return None
        if any(word in step.name for word in ("pool", "upsample", "interpolate", "pixel", "conv")):
            return _shared_out(grid, before, made)
        return None


def _shared_out(grid: Grid, before: Tensor, made: Tensor) -> Grid:
    """A map of another size that covers the same ground evenly."""
    start, jump = [], []
    for axis in (0, 1):
        factor = before.shape[axis - 2] / made.shape[axis - 2]
        start.append(grid.start[axis] + (factor - 1) / 2 * grid.jump[axis])
        jump.append(grid.jump[axis] * factor)
    return Grid((start[0], start[1]), (jump[0], jump[1]))
