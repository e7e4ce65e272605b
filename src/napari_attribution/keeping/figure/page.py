"""A page: places in mm from its upper left corner, letters of a known width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_attribution.keeping.figure import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 180.0
"""Two columns of a journal, in mm."""

PICTURE, TALLEST = 61.0, 85.0
"""A picture's width, and the height that a tall well may have."""

TITLE, SMALL, CAPTION = 7.5, 6.5, 7.0
"""Sizes of letters, in points."""

LINE = 1.25
"""Of a line of text to the next, in its size."""


class Page:
    """Places in mm from the upper left corner."""

    def __init__(self) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.figure = Figure()
        FigureCanvasAgg(self.figure)
        self.height = 0.0

    def open(self, height: float) -> None:
        """Now its height is known."""
        self.height = height
        self.figure.set_size_inches(WIDTH / 25.4, height / 25.4)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = self.height - top - height
        axes = self.figure.add_axes((left / WIDTH, bottom / self.height, width / WIDTH, height / self.height))
        axes.set_axis_off()
        return axes

    def text(self, left: float, top: float, words: str, size: float, **looks: Any) -> None:
        """A line whose top is there; what looks like a formula stays as it is written."""
        self.figure.text(left / WIDTH, 1 - top / self.height, words, fontsize=size, family=text.FAMILY, va="top",
                         parse_math=False, **({"color": "black"} | looks))  # fmt: skip

    def title(self, left: float, letter: str, words: str, room: float) -> None:
        """The letter of a part, and what it shows."""
        self.text(left, 0.8, letter, 9.0, weight="bold")
        self.text(left + 4.0, 1.1, text.shortened(words, TITLE, room - 4.0), TITLE)

    def box(self, left: float, top: float, width: float, height: float, color: Any) -> None:
        """A filled rectangle with a thin edge."""
        from matplotlib.patches import Rectangle

        self.figure.add_artist(
            Rectangle((left / WIDTH, 1 - (top + height) / self.height), width / WIDTH, height / self.height,
                      transform=self.figure.transFigure, facecolor=color, edgecolor="#404040", linewidth=0.3, zorder=2)
        )  # fmt: skip

    def line(
        self, start: tuple[float, float], stop: tuple[float, float], color: str, thickness: float, over: bool
    ) -> None:
        """A straight line from one place to another, over or under the boxes."""
        from matplotlib.lines import Line2D

        (left, top), (right, bottom) = start, stop
        self.figure.add_artist(
            Line2D([left / WIDTH, right / WIDTH], [1 - top / self.height, 1 - bottom / self.height], color=color,
                   linewidth=thickness, solid_capstyle="butt", transform=self.figure.transFigure, zorder=3 if over else 1)
        )  # fmt: skip


def line_height(size: float) -> float:
    """Of a line of text, in mm."""
    return size * LINE * text.MM_PER_POINT
