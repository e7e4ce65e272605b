"""The two pictures: which part of the well, the place in it, the scale bar, the whole field in a corner."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_attribution.keeping.figure import text
from napari_attribution.keeping.figure.looks import Floats, Look, composite
from napari_attribution.keeping.figure.page import SMALL, Page
from napari_attribution.methods.attribution import Attribution
from napari_attribution.wells import Well

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def shown_part(well: Well, attribution: Attribution) -> tuple[tuple[slice, slice], bool]:
    """The rows and columns to show: all, or those around a place that would be too small to see; whether it is that."""
    whole = (slice(0, well.shape[0]), slice(0, well.shape[1]))
    if attribution.place is None:
        return whole, False
    box = attribution.place.box
    # As wide as high on the page: where pixels are not square, in um.
    size = attribution.pixel_size or (1.0, 1.0)
    side = 2.2 * max((one.stop - one.start) * each for one, each in zip(box, size, strict=True))
    window = tuple(_around(one, max(24, round(side / each)), length)
                   for one, each, length in zip(box, size, well.shape, strict=True))  # fmt: skip
    area = math.prod(one.stop - one.start for one in window)
    return ((window[0], window[1]), True) if area < 0.4 * math.prod(well.shape) else (whole, False)


def _around(box: slice, side: int, length: int) -> slice:
    """`side` pixels around the middle of a box, within `length`."""
    side = min(side, length)
    start = min(max(0, round((box.start + box.stop - side) / 2)), length - side)
    return slice(start, start + side)


def draw_picture(axes: Axes, picture: Floats) -> None:
    height, width = picture.shape[:2]
    # Pixel centres at whole numbers; the axes have the right shape already, in um.
    axes.imshow(picture, aspect="auto", extent=(-0.5, width - 0.5, height - 0.5, -0.5))


def draw_place(axes: Axes, attribution: Attribution, part: tuple[slice, slice]) -> None:
    if attribution.place is None or attribution.place.mask.all():
        return
    mask = np.pad(attribution.place.mask[part].astype(np.float32), 1)
    rows, columns = (np.arange(-1, side - 1) for side in mask.shape)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.contour(columns, rows, mask, levels=[0.5], colors="white", linewidths=0.7)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])


def draw_corner(
    page: Page, well: Well, look: Look, attribution: Attribution, part: tuple[slice, slice],
    corner: tuple[float, float], side: float,
) -> None:  # fmt: skip
    """The whole field, small, with a frame around what is shown large."""
    from matplotlib.patches import Rectangle

    step = max(1, max(well.shape) // 400)
    every = (slice(None, None, step), slice(None, None, step))
    size = attribution.pixel_size or (1.0, 1.0)
    tall = well.shape[0] * size[0] / (well.shape[1] * size[1])
    width, height = (side, side * tall) if tall <= 1 else (side / tall, side)
    axes = page.axes(corner[0] - width - 0.6, corner[1] + 0.6, width, height)
    draw_picture(axes, composite(well, look, every))
    rows, columns = part
    box = ((columns.start - 0.5) / step, (rows.start - 0.5) / step)
    axes.add_patch(Rectangle(box, (columns.stop - columns.start) / step, (rows.stop - rows.start) / step,
                             fill=False, edgecolor="white", linewidth=0.8))  # fmt: skip
    axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, edgecolor="white", linewidth=1.0,
                             clip_on=False))  # fmt: skip


def round_length(most: float) -> float:
    """The longest of 1, 2, 5, 10, ... that is not longer."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9))


def draw_scale(axes: Axes, across: float, width: float, height: float) -> None:
    """A bar of a round number of um in the lower left corner.

    Parameters
    ----------
    across : float
        Of the picture, in um.
    width, height : float
        Of the picture on the page, in mm.
    """
    from matplotlib.patches import Rectangle

    length = round_length(0.28 * across)
    told = f"{length:g} µm" if length < 1000 else f"{length / 1000:g} mm"
    bar = width * length / across
    box = max(bar, text.width(told, SMALL)) + 2.4
    to_axes = axes.transAxes
    for left, bottom, wide, high, color, alpha in (
        (1.2, 1.2, box, 5.0, "black", 0.55),
        (1.2 + (box - bar) / 2, 2.2, bar, 0.7, "white", 1.0),
    ):
        axes.add_patch(Rectangle((left / width, bottom / height), wide / width, high / height, transform=to_axes,
                                 facecolor=color, alpha=alpha, linewidth=0))  # fmt: skip
    axes.text((1.2 + box / 2) / width, 3.4 / height, told, transform=to_axes, fontsize=SMALL, family=text.FAMILY,
              color="white", ha="center", va="bottom", parse_math=False)  # fmt: skip
