"""Where the cells of a made-up field lie: outlines, nuclei, nucleoli, and coordinates to paint stains by.

Everything is float64: rounding errors are then so far below one detector unit that a seed gives the same pixels
on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
Labels = NDArray[np.uint16]

PIXEL_SIZE = 0.65
"""Size of a pixel in um."""
SHAPE = (512, 512)
"""Height and width of a field in pixels."""

_REACH = 96  # no cell reaches further from its centre, in pixels
_SPACING = 45.0  # centres of cells are no nearer than this, in pixels
_MIN_AREA = 500  # smaller slivers at the rim of the field are left out


@dataclass(frozen=True)
class Layout:
    """The cells of one field and, for every pixel, where in its own cell it lies (distances in pixels).

    Attributes
    ----------
    cells : (H, W) ndarray of uint16
        Labels 1 to n; 0 outside the cells.
    rim : (H, W) ndarray
        Distance to the nearest outline of a cell; 0 outside the cells.
    nucleus : (H, W) ndarray
        1 in a nucleus, 0 outside, soft in between.
    beyond : (H, W) ndarray
        Distance beyond the outline of the own nucleus, about; negative within.
    along, across : (H, W) ndarray
        Coordinates in the own cell, along and across its long axis.
    height : (H, W) ndarray
        How thick the cell is: about 1 near the nucleus, thin at the rim.
    nucleoli : (H, W) ndarray
        1 in a nucleolus, 0 outside, soft in between.
    centres : (n, 2) ndarray
        Centres of the nuclei, (y, x).
    """

    cells: Labels
    rim: Floats
    nucleus: Floats
    beyond: Floats
    along: Floats
    across: Floats
    height: Floats
    nucleoli: Floats
    centres: Floats

    @property
    def count(self) -> int:
        """How many cells there are."""
        return len(self.centres)

    def spread(self, per_cell: Floats, outside: float = 0.0) -> Floats:
        """A value per cell, (n,), as a value per pixel, (H, W)."""
        return np.concatenate([[outside], per_cell])[self.cells]

    def totals(self, image: Floats) -> Floats:
        """The sum of an image over each cell, (n,)."""
        return np.bincount(self.cells.ravel(), image.ravel(), self.count + 1)[1:]

    def match(self, image: Floats, to: Floats) -> Floats:
        """An image scaled, cell by cell, to the total brightness that another has in that cell."""
        return image * self.spread(self.totals(to) / np.maximum(self.totals(image), 1e-9))

    def places(self, rng: np.random.Generator, weight: Floats, counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Random places in the cells, `counts` of them per cell, drawn in proportion to a weight per pixel.

        Returns
        -------
        y, x : (sum of counts,) ndarray
            The places, cell after cell.
        """
        order = np.argsort(self.cells, axis=None, kind="stable")
        edges = np.searchsorted(self.cells.ravel()[order], np.arange(1, self.count + 2))
        mass = np.concatenate([[0.0], np.cumsum(np.maximum(weight, 0).ravel()[order])])
        owner = np.repeat(np.arange(self.count), counts)
        low, high = mass[edges[owner]], mass[edges[owner + 1]]
        drawn = low + rng.random(len(owner)) * (high - low)
        pixel = order[np.clip(np.searchsorted(mass, drawn, side="right") - 1, edges[owner], edges[owner + 1] - 1)]
        y, x = np.divmod(pixel, self.cells.shape[1])
        jitter = rng.random((2, len(owner))) - 0.5
        return y + jitter[0], x + jitter[1]


def smooth_noise(rng: np.random.Generator, length: float, shape: tuple[int, int] = SHAPE) -> Floats:
    """Noise of mean 0 and standard deviation 1 whose values belong together over about `length` pixels."""
    coarse = rng.standard_normal([int(np.ceil(side / length)) + 3 for side in shape])
    start = rng.random(2)
    grid = [start[axis] + 1 + np.arange(side) / length for axis, side in enumerate(shape)]
    weights = [_cubic_weights(at, n) for at, n in zip(grid, coarse.shape, strict=True)]
    noise = weights[0] @ coarse @ weights[1].T
    return (noise - noise.mean()) / noise.std()


def _cubic_weights(at: Floats, n: int) -> Floats:
    """(len(at), n) ndarray of cubic B-spline weights of n knots at the places `at`."""
    t = np.abs(at[:, None] - np.arange(n))
    left = 2 - t
    return np.where(t < 1, 2 / 3 - t * t * (1 - t / 2), np.where(t < 2, left * left * left / 6, 0.0))


def spots(y: Floats, x: Floats, radius: Floats, weight: Floats, shape: tuple[int, int] = SHAPE) -> Floats:
    """Soft round spots, added up: each is `weight` at its middle and fades out around its radius (pixels)."""
    reach = int(np.ceil(radius.max(initial=1.0))) + 2
    offset = np.arange(-reach, reach + 1)
    py = np.rint(y).astype(int)[:, None, None] + offset[:, None]
    px = np.rint(x).astype(int)[:, None, None] + offset
    distance = np.hypot(py - y[:, None, None], px - x[:, None, None])
    value = weight[:, None, None] * np.clip(radius[:, None, None] - distance + 0.5, 0, 1)
    return _add_up(py, px, value, shape)


def splat(y: Floats, x: Floats, weight: Floats, shape: tuple[int, int] = SHAPE) -> Floats:
    """Points, added up, each shared out among the four pixels around it."""
    py, px = np.floor(y).astype(int), np.floor(x).astype(int)
    fy, fx = y - py, x - px
    image = np.zeros(shape)
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            image += _add_up(py + dy, px + dx, weight * wy * wx, shape)
    return image


def _add_up(py: NDArray[np.int64], px: NDArray[np.int64], value: Floats, shape: tuple[int, int]) -> Floats:
    py, px, value = np.broadcast_arrays(py, px, value)
    inside = (py >= 0) & (py < shape[0]) & (px >= 0) & (px < shape[1])
    flat = np.bincount(py[inside] * shape[1] + px[inside], value[inside], shape[0] * shape[1])
    return flat.reshape(shape)


def lay_out(rng: np.random.Generator, shape: tuple[int, int] = SHAPE) -> Layout:
    """Cells at random: spread unevenly, stretched, bent, and flattened against each other where they touch."""
    slow = [9 * smooth_noise(rng, 34, shape) for _ in range(2)]
    warp = [w + 2.2 * smooth_noise(rng, 11, shape) for w in slow]
    centres = _centres(rng, shape)
    n = len(centres)
    radius = np.clip(rng.normal(37, 4.5, n), 27, 46)
    aspect = rng.uniform(1.05, 1.75, n)
    angle = rng.uniform(0, np.pi, n)
    lobes = rng.normal(0, 1, (n, 4, 2)) * np.array([0.07, 0.09, 0.06, 0.05])[:, None]

    label = np.zeros(shape, np.int64)
    best = np.full(shape, 1.0)
    for i, centre in enumerate(centres):
        patch, dy, dx = _around(centre, warp, shape)
        u, v = _turned(dy, dx, angle[i])
        reach = radius[i] * _lobed(u, v, lobes[i])
        distance = np.hypot(u / np.sqrt(aspect[i]), v * np.sqrt(aspect[i])) / reach
        nearer = distance < best[patch]
        for image, value in ((best, distance), (label, i + 1)):
            image[patch] = np.where(nearer, value, image[patch])

    areas = np.bincount(label.ravel(), minlength=n + 1)[1:]
    kept = np.flatnonzero(areas >= _MIN_AREA)
    renumber = np.zeros(n + 1, np.uint16)
    renumber[kept + 1] = np.arange(1, len(kept) + 1)
    cells = renumber[label]
    rim = _to_rim(cells)
    bulk, axis = _axes(cells, rim, len(kept))
    y, x = np.mgrid[: shape[0], : shape[1]] - np.concatenate([[[0, 0]], bulk])[cells].transpose(2, 0, 1)
    along, across = _turned(y, x, np.concatenate([[0], axis])[cells])
    along, across = along * (cells > 0), across * (cells > 0)

    long = np.clip(rng.normal(14.6, 1.3, n), 11.5, 18)
    short = long * rng.uniform(0.7, 0.95, n)
    shift = rng.normal(0, 2.0, (n, 2))
    turn = rng.normal(0, 0.35, n)
    turn[kept] += axis
    dents = rng.normal(0, 0.018, (n, 4, 2))
    spots_per_cell = rng.integers(2, 6, n)
    places = rng.uniform(-1, 1, (n, 6, 2))
    sizes = rng.uniform(1.6, 3.3, (n, 6))
    nucleus, nucleoli = np.zeros(shape), np.zeros(shape)
    beyond = np.full(shape, float(_REACH))
    gentle = [0.3 * w for w in slow]
    middles = []
    for new, i in enumerate(kept, start=1):
        middle = bulk[new - 1] + shift[i]
        middles.append(middle)
        patch, dy, dx = _around(middle, [w - w[_nearest(middle, shape)] for w in gentle], shape)
        u, v = _turned(dy, dx, turn[i])
        outline = _lobed(u, v, dents[i])
        distance = np.hypot(u / long[i], v / short[i]) / outline
        mine = cells[patch] == new
        past = (distance - 1) * np.sqrt(long[i] * short[i])
        past = np.maximum(past, 2.0 - rim[patch])  # a nucleus keeps clear of the rim of its cell
        beyond[patch] = np.where(mine, past, beyond[patch])
        nucleus[patch] = np.where(mine, np.clip(0.5 - past, 0, 1), nucleus[patch])
        some = places[i, : spots_per_cell[i]] * 0.55
        ny, nx = _turned(some[:, 1] * short[i], some[:, 0] * long[i], -turn[i])[::-1]
        size = sizes[i, : spots_per_cell[i]]
        nucleoli += spots(middle[0] + ny, middle[1] + nx, size, np.ones(len(size)), shape)
    nucleoli = np.clip(nucleoli, 0, 1) * nucleus
    thin = 1 - np.exp(-rim / 7.0)
    height = thin * (0.32 + 0.68 * np.exp(-np.maximum(beyond, 0) / 15.0)) * (cells > 0)
    return Layout(cells, rim, nucleus, beyond, along, across, height, nucleoli, np.array(middles))


def _centres(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """(n, 2) ndarray of centres, (y, x): crowded in some parts of the field and sparse in others."""
    crowd = np.exp(0.9 * smooth_noise(rng, 120, shape))
    crowd /= crowd.max()
    wanted = int(rng.integers(33, 46))
    tries = rng.uniform(-14, np.array(shape) + 14, (4000, 2))
    luck = rng.random(4000)
    centres = np.empty((0, 2))
    for place, chance in zip(tries, luck, strict=True):
        if len(centres) == wanted:
            break
        if chance > crowd[_nearest(place, shape)] + 0.1:
            continue
        if not len(centres) or np.hypot(*(centres - place).T).min() > _SPACING:
            centres = np.vstack([centres, place])
    return centres


def _nearest(place: Floats, shape: tuple[int, int]) -> tuple[int, int]:
    """The pixel nearest to a place that may lie outside the field."""
    return tuple(int(np.clip(np.rint(at), 0, side - 1)) for at, side in zip(place, shape, strict=True))


def _around(centre: Floats, warp: list[Floats], shape: tuple[int, int]) -> tuple[tuple[slice, slice], Floats, Floats]:
    """The patch around a centre, and in it the warped offsets from the centre in y and in x."""
    low = np.clip(np.floor(centre).astype(int) - _REACH, 0, np.array(shape) - 1)
    high = np.clip(np.floor(centre).astype(int) + _REACH, 1, shape)
    patch = (slice(low[0], high[0]), slice(low[1], high[1]))
    dy, dx = np.mgrid[low[0] : high[0], low[1] : high[1]] - centre[:, None, None]
    return patch, dy + warp[0][patch], dx + warp[1][patch]


def _axes(cells: Labels, rim: Floats, n: int) -> tuple[Floats, Floats]:
    """Where the bulk of each cell is, (n, 2), and the angle of its long axis, (n,)."""
    y, x = np.mgrid[: cells.shape[0], : cells.shape[1]].astype(float)
    terms = np.stack([np.ones_like(x), y, x, y * y, x * x, x * y]) * rim**2
    mass, *moments = (np.bincount(cells.ravel(), term.ravel(), n + 1)[1:] for term in terms)
    my, mx, yy, xx, xy = (moment / mass for moment in moments)
    yy, xx, xy = yy - my**2, xx - mx**2, xy - mx * my
    return np.stack([my, mx], 1), 0.5 * np.arctan2(2 * xy, xx - yy)


def _turned(dy: Floats, dx: Floats, angle: float | Floats) -> tuple[Floats, Floats]:
    """Offsets in a frame turned by an angle: along its axis and across."""
    return dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)


def _lobed(u: Floats, v: Floats, lobes: Floats) -> Floats:
    """An outline around 1, in each direction (u, v), with harmonics 2 to 5 of (4, 2) cosine and sine parts."""
    away = np.maximum(np.hypot(u, v), 1e-9)
    cos, sin = u / away, v / away
    outline = np.ones_like(away)
    cos_k, sin_k = cos, sin
    for c, s in lobes:
        cos_k, sin_k = cos_k * cos - sin_k * sin, sin_k * cos + cos_k * sin
        outline += c * cos_k + s * sin_k
    return np.clip(outline, 0.6, 1.5)


def _to_rim(cells: Labels) -> Floats:
    """Distance of each pixel of a cell to the nearest pixel that is not of that cell."""
    inner = cells > 0
    for axis in (0, 1):
        change = np.diff(cells.astype(int), axis=axis) != 0
        first, second = [slice(None)] * 2, [slice(None)] * 2
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        inner[tuple(first)] &= ~change
        inner[tuple(second)] &= ~change
    padded = np.pad(inner, 1, constant_values=True)  # a cell goes on beyond the rim of the field
    return ndimage.distance_transform_edt(padded)[1:-1, 1:-1] + 0.5 * (cells > 0)
