"""The figure's parts, laid out in mm: two pictures of the well, the bars, the caption under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_attribution.keeping.figure import text, words
from napari_attribution.keeping.figure.keys import Bars, Legend, draw_colour_bar
from napari_attribution.keeping.figure.looks import Look, composite, default_look, overlaid
from napari_attribution.keeping.figure.page import CAPTION, PICTURE, TALLEST, WIDTH, Page, line_height
from napari_attribution.keeping.figure.pictures import draw_corner, draw_picture, draw_place, draw_scale, shown_part
from napari_attribution.methods.attribution import Attribution
from napari_attribution.wells import Well

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EDGE, GAP = 1.0, 4.0

HEAD = 5.0
"""Of the titles over the pictures, in mm."""

FOOT = 8.5
"""Of the colour bar with its numbers and its unit."""


def figure(well: Well, attribution: Attribution, look: Look | None = None) -> Figure:
    """Draw it.

    Parameters
    ----------
    well : Well
        The one that was explained.
    attribution : Attribution
    look : Look, optional
        Colours and limits; by default those that the dock gives to what it opens.

    Returns
    -------
    matplotlib Figure
        180 mm wide; `write_figure` writes it. No global state of matplotlib is touched.
    """
    look = look or default_look(well, attribution)
    part, close_up = shown_part(well, attribution)
    picture = composite(well, look, part)
    over = overlaid(picture, attribution.map[part], look)
    size = attribution.pixel_size or (1.0, 1.0)
    tall = picture.shape[0] * size[0] / (picture.shape[1] * size[1])
    width, height = (PICTURE, PICTURE * tall) if PICTURE * tall <= TALLEST else (TALLEST / tall, TALLEST)
    left = (EDGE + (PICTURE - width) / 2, EDGE + PICTURE + GAP + (PICTURE - width) / 2)
    bars_left = EDGE + 2 * (PICTURE + GAP) + 1.0
    bars_width = WIDTH - EDGE - bars_left

    page = Page()
    lines = text.wrapped(words.caption(well, attribution, close_up), CAPTION, 0.99 * (WIDTH - 2 * EDGE))
    legend = Legend(page, [stain for stain in well.stains if look.shows(stain)], PICTURE)
    bars = Bars(page, attribution, bars_width, height)
    body = max(height + max(FOOT, legend.height), bars.height)
    caption_top = HEAD + body + 2.5
    page.open(caption_top + len(lines) * line_height(CAPTION) + EDGE)

    for at, letter, title in (
        (EDGE, "a", well.name),
        (EDGE + PICTURE + GAP, "b", f"why {attribution.target}"),
        (bars_left, "c", "importance of the stains"),
    ):
        page.title(at, letter, title, (PICTURE if letter != "c" else bars_width))
    for at, shown in zip(left, (picture, over), strict=True):
        axes = page.axes(at, HEAD, width, height)
        draw_picture(axes, shown)
        draw_place(axes, attribution, part)
        if attribution.pixel_size is not None:
            draw_scale(axes, shown.shape[1] * size[1], width, height)
    if close_up:
        draw_corner(page, well, look, attribution, part, (left[0] + width, HEAD), 0.27 * min(width, height))
    legend.draw(page, EDGE, HEAD + height + 1.5, look)
    draw_colour_bar(page, EDGE + PICTURE + GAP, HEAD + height + 1.5, attribution, look)
    bars.draw(page, bars_left, HEAD, look)
    for row, line in enumerate(lines):
        page.text(EDGE, caption_top + row * line_height(CAPTION), line, CAPTION)
    return page.figure
