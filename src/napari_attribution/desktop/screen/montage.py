"""Thumbnails of the wells at both ends of a column, as one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_attribution.screens.report.answers import sight_of
from napari_attribution.screens.report.thumbnails import Light, mosaic, picture, small
from napari_attribution.screens.report.wells import Wells, first_field

if TYPE_CHECKING:
    from napari_attribution.screens.results import Results

SIDE, GAP, CAPTION = 192, 6, 30
"""Pixels of a thumbnail, between two, and for the line under each."""


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
    """

    pixels: npt.NDArray[np.uint8]
    wells: tuple[str, ...]
    columns: int
    captions: tuple[str, ...]

    def well_at(self, row: float, column: float) -> str:
        """The well at a pixel; empty between two."""
        at_row, at_column = int(row // (SIDE + CAPTION + GAP)), int(column // (SIDE + GAP))
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
    pixels = mosaic([picture(one, light) for one in sights], columns, SIDE, GAP, CAPTION)
    place = {at: number + 1 for number, at in enumerate(ranked)}
    captions = tuple(
        f"{place[at]}.  {well}  {wells.text(well, column)}" for at, well in zip(chosen, names, strict=True)
    )
    return Montage(pixels, tuple(names), columns, captions)


def captioned(montage: Montage) -> npt.NDArray[np.uint8]:
    """The picture with the lines under its thumbnails, (H, W, 3); to be called on the window's thread, which owns the letters."""
    from qtpy.QtCore import QRect, Qt
    from qtpy.QtGui import QColor, QFont, QImage, QPainter

    height, width = montage.pixels.shape[:2]
    image = QImage(montage.pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    painter = QPainter(image)
    font = QFont()
    font.setPixelSize(CAPTION - 11)
    painter.setFont(font)
    painter.setPen(QColor("white"))
    for at, caption in enumerate(montage.captions):
        top = (at // montage.columns) * (SIDE + CAPTION + GAP) + SIDE
        room = QRect((at % montage.columns) * (SIDE + GAP), top, SIDE, CAPTION)
        told = painter.fontMetrics().elidedText(caption, Qt.TextElideMode.ElideRight, SIDE)
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, told)
    painter.end()
    bits = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    return bits.reshape(height, image.bytesPerLine() // 4, 4)[:, :width, 2::-1].copy()
