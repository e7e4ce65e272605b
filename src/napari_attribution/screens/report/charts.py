"""The pictures of the report that are drawn by matplotlib: plates, and what the stains count for."""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_attribution.keeping.colours import stain_colors
from napari_attribution.screens.report.columns import number, title
from napari_attribution.screens.report.scale import Scale, ramp
from napari_attribution.screens.report.wells import Wells

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 200
INK, EMPTY = "#1e1f22", "#eceef1"
WIDTH = 3.5
"""Of a plate, in inches."""


def plate_chart(wells: Wells, column: str, excluded: Collection[str]) -> bytes:
    """The plate in the colours of one column, as PNG.

    Parameters
    ----------
    wells : Wells
    column : str
    excluded : collection of str
        Wells that are left out; they are struck through.
    """
    values = wells.values(column)
    scale = wells.scale(column)
    rows, columns = wells.layout
    # 0.3 in for the title, 0.45 in for the scale below.
    height = 0.32 + (WIDTH - 0.35) * rows / columns + 0.5 + 0.16 * max(0, math.ceil(_entries(scale) / 2) - 1)
    figure = _figure(WIDTH, height)
    axes = figure.add_axes((0.3 / WIDTH, 1 - (0.42 + (WIDTH - 0.35) * rows / columns) / height,
                            (WIDTH - 0.35) / WIDTH, (WIDTH - 0.35) * rows / columns / height))  # fmt: skip
    _draw_wells(axes, wells, scale.colours(values))
    _draw_marks(axes, wells, excluded)
    axes.set_title(title(column, wells.methods), fontsize=8, color=INK, loc="left", pad=11, parse_math=False)
    _draw_scale(figure, scale, column, height)
    return _png(figure)


def stains_chart(wells: Wells, method: str, stains: Sequence[str]) -> bytes:
    """What each stain counts for, class by class: the mean over the wells, and their standard deviation; as PNG."""
    predicted = wells.values("predicted")
    classes = [name for name in wells.classes if (predicted == name).any()]
    figure = _figure(7.4, 0.45 + 0.21 * len(stains) + 0.2)
    colours = stain_colors(stains)
    everything = {stain: wells.values(f"importance.{method}.{stain}") for stain in stains}
    reach = max((_reach(values, predicted, classes) for values in everything.values()), default=1.0)
    low = min(0.0, *(float(np.nanmin([0.0, *values])) for values in everything.values())) if everything else 0.0
    all_axes = figure.subplots(1, max(1, len(classes)), sharey=True, squeeze=False)[0]
    for axes, name in zip(all_axes, classes, strict=False):
        chosen = predicted == name
        means, spreads = _summary(everything, chosen)
        axes.barh(range(len(stains)), means, xerr=spreads, color=colours, edgecolor="#606060", linewidth=0.4,
                  error_kw={"elinewidth": 0.8, "capsize": 2, "ecolor": INK})  # fmt: skip
        axes.set_yticks(range(len(stains)), stains, fontsize=7, parse_math=False)
        axes.set_ylim(len(stains) - 0.4, -0.6)
        axes.set_xlim(1.05 * low, 1.05 * reach)
        axes.axvline(0, color=INK, linewidth=0.6)
        axes.tick_params(labelsize=6.5, length=2)
        axes.xaxis.set_major_formatter(lambda value, _at: f"{100 * value:.0f} %".replace("-", "−"))
        axes.xaxis.set_major_locator(_few())
        axes.set_title(f"{name} ({int(chosen.sum())} wells)", fontsize=7.5, color=INK, parse_math=False)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    figure.tight_layout(pad=0.4, w_pad=1.2)
    return _png(figure)


def _summary(everything: Mapping[str, npt.NDArray[Any]], chosen: npt.NDArray[Any]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each stain over the wells that have a value."""
    means, spreads = [], []
    for values in everything.values():
        some = values[chosen & np.isfinite(values.astype(float))].astype(float)
        means.append(float(some.mean()) if some.size else 0.0)
        spreads.append(float(some.std(ddof=1)) if some.size > 1 else 0.0)
    return means, spreads


def _reach(values: npt.NDArray[Any], predicted: npt.NDArray[Any], classes: Sequence[str]) -> float:
    """How far the bars of a stain go, with their spread."""
    found = [0.05]
    for name in classes:
        (mean,), (spread,) = _summary({"": values}, predicted == name)
        found.append(mean + spread)
    return max(found)


def _draw_wells(axes: Axes, wells: Wells, colours: npt.NDArray[np.uint8]) -> None:
    from matplotlib.patches import Rectangle

    rows, columns = wells.layout
    picture = np.zeros((rows, columns, 4), dtype=np.uint8)
    at = wells.places
    picture[at[:, 0], at[:, 1]] = np.where(colours[:, 3:] == 0, _rgba(EMPTY), colours)
    axes.imshow(picture, interpolation="nearest", aspect="equal")
    there = {(int(row), int(column)) for row, column in at}
    for place in ((row, column) for row in range(rows) for column in range(columns)):
        if place not in there:
            axes.add_patch(Rectangle((place[1] - 0.5, place[0] - 0.5), 1, 1, fill=False, edgecolor="#b0b5bc", linewidth=0,
                                     hatch="/" * (6 if columns < 30 else 12)))  # fmt: skip
    if columns <= 24:
        for row in range(rows + 1):
            axes.axhline(row - 0.5, color="white", linewidth=0.5)
        for column in range(columns + 1):
            axes.axvline(column - 0.5, color="white", linewidth=0.5)
    every = max(1, columns // 12)
    shown = [column for column in range(columns) if (column + 1) % every == 0 or column == 0]
    axes.set_xticks(shown, [str(column + 1) for column in shown], fontsize=5.5)
    every = max(1, rows // 8)
    axes.set_yticks(range(0, rows, every), [_row(row) for row in range(0, rows, every)], fontsize=5.5)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=1.5, colors=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_marks(axes: Axes, wells: Wells, excluded: Collection[str]) -> None:
    """Corners for flags (dark: about the explanation), strokes for what is left out, crosses for failures."""
    from matplotlib.collections import LineCollection, PolyCollection

    corners: dict[str, list[Any]] = {INK: [], "white": []}
    strokes = []
    size = 0.42 if wells.layout[1] > 6 else 0.24
    for at, (row, column) in enumerate(wells.places):
        left, top = column - 0.47, row - 0.47
        if wells.flagged[at]:
            corners[INK if wells.doubted[at] else "white"].append([(left, top), (left + size, top), (left, top + size)])
        if wells.failed[at] or wells.positions[at] in excluded:
            strokes.append([(left + 0.1, row + 0.37), (column + 0.37, top + 0.1)])
        if wells.failed[at]:
            strokes.append([(left + 0.1, top + 0.1), (column + 0.37, row + 0.37)])
    for color, some in corners.items():
        edge = "white" if color == INK else INK
        axes.add_collection(PolyCollection(some, facecolors=color, edgecolors=edge, linewidths=0.3))
    for color, width in (("white", 1.8), (INK, 0.9)):
        axes.add_collection(LineCollection(strokes, colors=color, linewidths=width))


def _draw_scale(figure: Figure, scale: Scale, column: str, height: float) -> None:
    """A colour bar between the percentiles, or the categories."""
    from matplotlib.patches import Rectangle

    if not scale.categories:
        axes = figure.add_axes((0.3 / WIDTH, 0.27 / height, (WIDTH - 0.35) / WIDTH, 0.09 / height))
        axes.imshow(ramp()[None], aspect="auto")
        axes.set_yticks([])
        axes.set_xticks([0, 255], [number(limit, column) for limit in scale.limits], fontsize=6)
        low, high = axes.get_xticklabels()
        low.set_horizontalalignment("left")
        high.set_horizontalalignment("right")
        axes.tick_params(length=0, pad=2)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return
    for at in range(_entries(scale)):
        x = 0.3 + (at % 2) * (WIDTH - 0.35) / 2
        y = 0.06 + 0.16 * (math.ceil(_entries(scale) / 2) - 1 - at // 2)
        last = scale.merged and at == _entries(scale) - 1
        told = f"{scale.merged} others" if last else scale.categories[at]
        figure.add_artist(Rectangle((x / WIDTH, y / height), 0.09 / WIDTH, 0.09 / height, transform=figure.transFigure,
                                    color=scale.colour(scale.categories[at])))  # fmt: skip
        figure.text(
            (x + 0.14) / WIDTH, (y + 0.005) / height, told[:34], fontsize=6, va="bottom", color=INK, parse_math=False
        )


def _entries(scale: Scale) -> int:
    """Lines of the key of categories."""
    return len(scale.categories) - (scale.merged - 1 if scale.merged else 0)


def _few() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=4)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def _row(row: int) -> str:
    return chr(65 + row) if row < 26 else "A" + chr(65 + row - 26)


def _rgba(color: str) -> npt.NDArray[np.uint8]:
    return np.array([int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 255], dtype=np.uint8)
