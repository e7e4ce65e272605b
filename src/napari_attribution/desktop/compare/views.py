"""Views that look at the same place: move one, and the others follow. Numbers only; `canvas` draws them.

Two views are linked by length where both wells know the size of their pixels: as many um on the screen, about points that are as
far from the middle of the well in the one as in the other. Else they are linked by share: points at the same share of the
well's height and width, and the longer side of both wells equally long on the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Point = tuple[float, float]

CLOSEST = 64.0
"""Screen pixels a well pixel, at most."""

FARTHEST = 0.25
"""How small the well may become, as a share of the size at which it fills the view."""


@dataclass(frozen=True)
class Frame:
    """A well, as it lies in its view.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel : (float, float)
        Height and width of a pixel: in um, or 1 where the well does not know.
    in_um : bool
    """

    shape: tuple[int, int]
    pixel: Point = (1.0, 1.0)
    in_um: bool = False

    @property
    def size(self) -> Point:
        """Height and width of the well, in um or in pixels."""
        return self.shape[0] * self.pixel[0], self.shape[1] * self.pixel[1]

    @property
    def middle(self) -> Point:
        """Of the well."""
        return self.size[0] / 2, self.size[1] / 2

    def at(self, point: Point) -> tuple[int, int] | None:
        """The pixel in which a point lies: row, column; None outside."""
        row, column = (int(part // side) for part, side in zip(point, self.pixel, strict=True))
        return (row, column) if 0 <= row < self.shape[0] and 0 <= column < self.shape[1] else None


@dataclass(frozen=True)
class Look:
    """What a view shows.

    Parameters
    ----------
    center : (float, float)
        The point in its middle, from the well's upper left corner: down, right; in um or in pixels.
    zoom : float
        Screen pixels a um, or a well pixel.
    """

    center: Point
    zoom: float


def by_length(frames: Sequence[Frame]) -> bool:
    """Whether views of these wells are linked by um, and else by the share of the well."""
    return all(frame.in_um for frame in frames)


def counterpart(point: Point, one: Frame, other: Frame, length: bool) -> Point:
    """The point of another well that is at the same place."""
    if length:
        down, right = (at - middle for at, middle in zip(point, one.middle, strict=True))
        return other.middle[0] + down, other.middle[1] + right
    return point[0] * other.size[0] / one.size[0], point[1] * other.size[1] / one.size[1]


def follow(look: Look, one: Frame, other: Frame, length: bool) -> Look:
    """What another view shows, to show the same."""
    zoom = look.zoom if length else look.zoom * max(one.size) / max(other.size)
    return Look(counterpart(look.center, one, other, length), zoom)


class Views:
    """Where two views look.

    Parameters
    ----------
    changed : callable
        Called after every move.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.changed = changed
        self.frames: tuple[Frame, ...] = ()
        self.looks: tuple[Look, ...] = ()
        self.sizes: list[tuple[int, int]] = [(1, 1), (1, 1)]
        self.fitted = True

    @property
    def linked_by_length(self) -> bool:
        return by_length(self.frames)

    def show(self, frames: tuple[Frame, ...]) -> None:
        """Show these wells; where they are as large as the last ones, the views stay where they are."""
        anew, self.frames = frames != self.frames, frames
        if anew:
            self.fit()

    def resize(self, view: int, size: tuple[int, int]) -> None:
        """A view has another size, height and width in screen pixels; what filled it fills it again."""
        self.sizes[view] = size
        if self.fitted and self.frames:
            self.fit()

    def fit(self) -> None:
        """The larger well fills its view, and the other is shown beside it at the same scale."""
        if not self.frames:
            return
        self._move(0, Look(self.frames[0].middle, self._filling()))
        self.fitted = True
        self.changed()

    def move(self, view: int, look: Look) -> None:
        """Look elsewhere in one view; the others follow."""
        closest = CLOSEST / max(self.frames[view].pixel)
        filling = follow(Look((0, 0), self._filling()), self.frames[0], self.frames[view], self.linked_by_length).zoom
        self._move(view, Look(look.center, min(max(look.zoom, FARTHEST * filling), max(closest, filling))))
        self.fitted = False
        self.changed()

    def drag(self, view: int, down: float, right: float) -> None:
        """Move a view's picture by screen pixels."""
        look = self.looks[view]
        self.move(view, Look((look.center[0] - down / look.zoom, look.center[1] - right / look.zoom), look.zoom))

    def zoom(self, view: int, factor: float, at: Point) -> None:
        """Magnify about a place on the screen, from the view's upper left: what is there stays there."""
        before = self.point(view, at)
        look = self.looks[view]
        self.move(view, Look(look.center, look.zoom * factor))
        after, look = self.point(view, at), self.looks[view]
        center = tuple(c + b - a for c, b, a in zip(look.center, before, after, strict=True))
        self.move(view, Look(center, look.zoom))

    def point(self, view: int, at: Point) -> Point:
        """The point of the well under a place on the screen."""
        look, size = self.looks[view], self.sizes[view]
        return (
            look.center[0] + (at[0] - size[0] / 2) / look.zoom,
            look.center[1] + (at[1] - size[1] / 2) / look.zoom,
        )

    def place(self, view: int, point: Point) -> Point:
        """Where on the screen a point of the well is."""
        look, size = self.looks[view], self.sizes[view]
        return (
            size[0] / 2 + (point[0] - look.center[0]) * look.zoom,
            size[1] / 2 + (point[1] - look.center[1]) * look.zoom,
        )

    def _filling(self) -> float:
        """The first view's zoom at which both wells fit into their views."""
        length = self.linked_by_length
        fits = []
        for frame, size in zip(self.frames, self.sizes, strict=True):
            zoom = min(side / whole for side, whole in zip(size, frame.size, strict=True))
            fits.append(follow(Look((0, 0), zoom), frame, self.frames[0], length).zoom)
        return 0.97 * min(fits)

    def _move(self, view: int, look: Look) -> None:
        length = self.linked_by_length
        self.looks = tuple(
            look if index == view else follow(look, self.frames[view], frame, length)
            for index, frame in enumerate(self.frames)
        )
