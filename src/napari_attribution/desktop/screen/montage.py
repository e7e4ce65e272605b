"""Thumbnails of the wells at both ends of a column, as one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_attribution.screens.report.answers import sight_of
from napari_attribution.screens.report.thumbnails import Light, Picture, mosaic, picture, small
from napari_attribution.screens.report.wells import Wells, first_field

if TYPE_CHECKING:
    from napari_attribution.screens.results import Results

SIDE, LEAST, GAP, CAPTION = 192, 128, 6, 30
"""Pixels of a thumbnail at most and at least, between two, and for the line under each."""


@dataclass(frozen=True, eq=False)
class Montage:
    """What is shown, and where each well stands in it.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 ndarray
    wells : tuple of str
        Row by row.
    columns : int
    captions : tuple of str
        A line a well.
    side : int
        Pixels of a thumbnail.
    field : (float, str)
        Height of the first field, and its unit: how large the picture is to be beside it.
    """

    pixels: npt.NDArray[np.uint8]
    wells: tuple[str, ...]
    columns: int
    captions: tuple[str, ...]
    side: int
    field: tuple[float, str]

    def well_at(self, row: float, column: float) -> str:
        """The well at a pixel; empty between two."""
        at_row, at_column = int(row // (self.side + CAPTION + GAP)), int(column // (self.side + GAP))
        index = at_row * self.columns + at_column
        inside = row >= 0 and 0 <= at_column < self.columns and 0 <= index < len(self.wells)
        return self.wells[index] if inside else ""


def ends(ranked: Sequence[int], each: int) -> list[int]:
    """The first and the last few of an order; each once."""
    if len(ranked) <= 2 * each:
        return list(ranked)
    return [*ranked[:each], *ranked[-each:]]


def make(
    results: Results,
    wells: Wells,
    ranked: Sequence[int],
    each: int,
    column: str,
    method: str,
    columns: int,
    progress: Callable[[int, int], None],
) -> Montage:
    """Read, shrink and colour these wells, all on one scale; runs in the worker.

    Parameters
    ----------
    results : Results
    wells : Wells
    ranked : sequence of int
        Places in `wells`, highest first.
    each : int
        How many of either end.
    column : str
        Whose value stands under each.
    method : str
        Whose map is laid over them.
    columns : int
        Thumbnails in a row.
    progress : callable
        Told of every thumbnail; may raise to stop.
    """
    chosen = ends(ranked, each)
    names = [wells.positions[at] for at in chosen]
    sights = []
    for done, well in enumerate(names):
        progress(done, len(names))
        sights.append(small(sight_of(results, well, first_field(wells, well), method), SIDE))
    light = Light.over(sights)
    pictures = [enlarged(picture(one, light)) for one in sights]
    side = max((max(one.shape[:2]) for one in pictures if one is not None), default=LEAST)
    pixels = mosaic(pictures, columns, side, GAP, CAPTION)
    place = {at: number + 1 for number, at in enumerate(ranked)}
    captions = tuple(
        f"{place[at]}.  {well}  {wells.text(well, column)}" for at, well in zip(chosen, names, strict=True)
    )
    first = next((one.well for one in sights if one.well is not None), None)
    height, size = (side, None) if first is None else (first.shape[0], first.pixel_size)
    field = (float(height * size[0]), "um") if size else (float(height), "pixel")
    return Montage(pixels, tuple(names), columns, captions, side, field)


def enlarged(pixels: Picture | None) -> Picture | None:
    """A small picture as large as a thumbnail is at least: each pixel several times."""
    if pixels is None or max(pixels.shape[:2]) >= LEAST:
        return pixels
    times = -(-LEAST // max(pixels.shape[:2]))
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def captioned(montage: Montage) -> npt.NDArray[np.uint8]:
    """The picture with the lines under its thumbnails, (H, W, 3); to be called on the window's thread, which owns the letters."""
    from qtpy.QtCore import QRect, Qt
    from qtpy.QtGui import QColor, QFont, QImage, QPainter

    height, width = montage.pixels.shape[:2]
    image = QImage(montage.pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    painter = QPainter(image)
    font = QFont()
    font.setPixelSize(15)
    painter.setFont(font)
    painter.setPen(QColor("white"))
    for at, caption in enumerate(montage.captions):
        side = montage.side
        top = (at // montage.columns) * (side + CAPTION + GAP) + side
        room = QRect((at % montage.columns) * (side + GAP), top, side, CAPTION)
        told = painter.fontMetrics().elidedText(caption, Qt.TextElideMode.ElideRight, side)
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, told)
    painter.end()
    bits = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    return bits.reshape(height, image.bytesPerLine() // 4, 4)[:, :width, 2::-1].copy()
