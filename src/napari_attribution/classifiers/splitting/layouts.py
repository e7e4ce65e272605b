"""Layouts: how a value of a network holds its locations, and where in the input they lie.

Convolutions hold them as (N, n, h', w'); channels-last networks as (N, h', w', n); transformers as tokens, (N, T, n) or
(T, N, n), in front of which a class token may stand that lies nowhere. The methods see (N, n, h', w') always.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from napari_attribution.errors import LayerError

_SAME = 1e-3
"""Places closer than this, in input pixels, are the same."""


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

    def places(self, h: int, w: int) -> Tensor:
        """(h, w) complex64: row + i * column of every location."""
        rows = self.start[0] + self.jump[0] * torch.arange(h, dtype=torch.float32)
        columns = self.start[1] + self.jump[1] * torch.arange(w, dtype=torch.float32)
        return torch.complex(rows[:, None].expand(h, w), columns[None].expand(h, w))


@dataclass(frozen=True, eq=False)
class Layout:
    """How a value holds a map of (h', w') locations.

    Parameters
    ----------
    batch, channel : int
        Axes of the value.
    size : (h', w')
        For an input of the card's size; a map's locations grow with the input, tokens do not.
    grid : Grid
    order : (h' * w',) Tensor or None
        Where the locations stand, row by row, in the value's other axes laid flat; None where they stand in that order
        and nothing else does.
    rest : (r,) Tensor
        What stands there besides (a class token).
    others : tuple of int
        Sizes of the value's other axes.
    planes : tuple of int
        Sizes of the axes between channels and rows, in a volume.
    """

    batch: int
    channel: int
    size: tuple[int, int]
    grid: Grid
    order: Tensor | None
    rest: Tensor
    others: tuple[int, ...]
    planes: tuple[int, ...] = ()

    @classmethod
    def of_map(cls, shape: tuple[int, ...], grid: Grid) -> Layout:
        """That of a (N, n, h, w) map, or of a (N, n, d, h, w) volume, whose planes are taken for channels."""
        size = (shape[-2], shape[-1])
        return cls(0, 1, size, grid, None, torch.empty(0, dtype=torch.long), size, shape[2:-2])

    @property
    def tokens(self) -> bool:
        """Whether the locations are the tokens of a transformer, not a map's."""
        return len(self.others) == 1

    def to_map(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """The value as the (N, n, h', w') map of its locations, and the (N, n, r) rest."""
        maps = value.movedim((self.batch, self.channel), (0, 1))
        if self.planes:
            maps = maps.flatten(1, 1 + len(self.planes))
        flat = maps.flatten(2)
        if self.order is None:
            return maps, flat[:, :, :0]
        if maps.shape[2:] != self.others:
            raise LayerError(
                f"This layer holds {' x '.join(map(str, self.others))} tokens for inputs of the card's size; for this input it "
                f"holds {' x '.join(map(str, maps.shape[2:]))}. Use the size that is on the card."
            )
        order, rest = self.order.to(value.device), self.rest.to(value.device)
        return flat.index_select(2, order).unflatten(2, self.size), flat.index_select(2, rest)

    def to_value(self, maps: Tensor, rest: Tensor) -> Tensor:
        """The way back."""
        if self.order is not None:
            back = torch.argsort(torch.cat([self.order, self.rest])).to(maps.device)
            maps = torch.cat([maps.flatten(2), rest], dim=2).index_select(2, back).unflatten(2, self.others)
        if self.planes:
            maps = maps.unflatten(1, (-1, *self.planes))
        return maps.movedim((0, 1), (self.batch, self.channel)).contiguous()


def layout_of(places: Tensor, batch: int) -> Layout | None:
    """The layout of a value, from the place of each of its elements.

    Parameters
    ----------
    places : complex64 Tensor of the value's shape, for one input
        Row + i * column in the input; NaN for what lies nowhere.
    batch : int
        The value's batch axis, of length 1.

    Returns
    -------
    None where the places do not make a regular grid.
    """
    item = places.select(batch, 0)
    channel = _channel_axis(item)
    if channel is None or item.ndim < 2:
        return None
    each = item.select(channel, 0)
    others = tuple(each.shape)
    found = _regular(each.contiguous().numpy().tobytes())
    if found is None:
        return None
    grid, size, order, rest = found
    axes = sorted(set(range(places.ndim)) - {batch})
    plain = not len(rest) and others == size and bool((order == torch.arange(len(order))).all())
    return Layout(batch, axes[channel], size, grid, None if plain else order, rest, others)


def plain_grid(item: Tensor) -> Grid | None:
    """The grid of a map, from the place of each of its elements: rows and columns last, the same for all else."""
    each = item.reshape(-1, *item.shape[-2:])
    if not bool((each == each[:1]).all()):
        return None
    found = _regular(each[0].contiguous().numpy().tobytes())
    if found is None or found[1] != tuple(item.shape[-2:]):
        return None
    grid, _, order, _ = found
    return grid if bool((order == torch.arange(len(order))).all()) else None


def _channel_axis(item: Tensor) -> int | None:
    """The longest axis along which nothing changes its place."""
    # What was expanded says so; only what was copied since must be compared.
    axes = [axis for axis in range(item.ndim) if item.stride(axis) == 0 and item.shape[axis] > 1]
    array = item.numpy()
    for axis in [] if axes else range(item.ndim):
        first = array.take([0], axis)
        if bool(((array == first) | (np.isnan(array) & np.isnan(first))).all()):
            axes.append(axis)
    return max(axes, key=lambda axis: item.shape[axis], default=None)


@lru_cache(maxsize=1024)
def _regular(buffer: bytes) -> tuple[Grid, tuple[int, int], Tensor, Tensor] | None:
    """The grid that places fill, its size, the index of each location's place, row by row, and that of what lies nowhere."""
    flat = np.frombuffer(buffer, dtype=np.complex64)
    lies = ~np.isnan(flat.real)
    places = flat[lies].astype(np.complex128) / _SAME
    rows, row_of = np.unique(places.real.round(), return_inverse=True)
    columns, column_of = np.unique(places.imag.round(), return_inverse=True)
    size = (len(rows), len(columns))
    number = row_of * size[1] + column_of
    within = np.argsort(number)
    if not len(places) or not np.array_equal(number[within], np.arange(size[0] * size[1])):
        return None
    starts, jumps = [], []
    for axis in (rows * _SAME, columns * _SAME):
        step = np.diff(axis)
        if len(step) and np.abs(step - step.mean()).max() > 0.01 * step.mean() + 2 * _SAME:
            return None
        starts.append(round(float(axis[0]), 3))
        jumps.append(round(float(step.mean()), 3) if len(step) else 1.0)
    grid = Grid((starts[0], starts[1]), (jumps[0], jumps[1]))
    order, rest = np.flatnonzero(lies)[within], np.flatnonzero(~lies)
    return grid, size, torch.from_numpy(order), torch.from_numpy(rest)
