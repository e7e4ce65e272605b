"""What the colours mean, and what the stains count for: the legend, the colour bar, the bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_attribution.keeping.figure import text, words
from napari_attribution.keeping.figure.looks import Look, colour_of, evenly
from napari_attribution.keeping.figure.page import PICTURE, SMALL, Page, line_height
from napari_attribution.methods.attribution import Attribution


class Legend:
    """A swatch and a name for each stain that is shown, in as many rows as they need."""

    ROW, SWATCH = 3.6, 2.2

    def __init__(self, page: Page, stains: Sequence[str], room: float) -> None:
        self.rows: list[list[tuple[str, str, float]]] = [[]]
        at = 0.0
        for stain in stains:
            name = text.shortened(stain, SMALL, room - 4.0)
            wide = self.SWATCH + 1.0 + text.width(name, SMALL) + 2.5
            if at and at + wide - 2.5 > room:
                self.rows.append([])
                at = 0.0
            self.rows[-1].append((stain, name, at))
            at += wide
        self.height = 1.5 + self.ROW * len(self.rows)

    def draw(self, page: Page, left: float, top: float, look: Look) -> None:
        for number, row in enumerate(self.rows):
            for stain, name, at in row:
                y = top + number * self.ROW
                page.box(left + at, y - 0.05, self.SWATCH, self.SWATCH, colour_of(look, stain))
                page.text(left + at + self.SWATCH + 1.0, y, name, SMALL)


def draw_colour_bar(page: Page, left: float, top: float, attribution: Attribution, look: Look) -> None:
    """What the map's colours mean: over black, as in the picture."""
    axes = page.axes(left, top, PICTURE, 2.2)
    colours = evenly(look.evidence)
    over_black = colours[:, :3] * (colours[:, 3:] * look.opacity)
    axes.imshow(over_black[None], aspect="auto", extent=(0, 1, 0, 1), interpolation="nearest")
    low, high = look.evidence_limits
    top += 2.9
    page.text(left, top, words.number(low), SMALL, ha="left")
    page.text(left + PICTURE, top, words.number(high), SMALL, ha="right")
    if low < 0 < high:
        page.text(left + PICTURE * -low / (high - low), top, "0", SMALL, ha="center")
    top += line_height(SMALL) + 0.2
    against, favour = "against", "for"
    room = PICTURE - 2 * (text.width(against, SMALL) + 2)
    if low < 0:
        page.text(left, top, against, SMALL, ha="left")
    if high > 0:
        page.text(left + PICTURE, top, favour, SMALL, ha="right")
    page.text(left + PICTURE / 2, top, text.shortened(attribution.units, SMALL, room), SMALL, ha="center")


class Bars:
    """The stains' importance: a name, a value with its spread, and a bar in the stain's own colour each."""

    BAR, LEAST, MOST = 2.2, 6.4, 10.0

    def __init__(self, page: Page, attribution: Attribution, width: float, height: float) -> None:
        self.width = width
        self.shares = dict(attribution.channel_importance)
        self.spread = dict(attribution.channel_spread)
        self.asked = any(self.shares.values())
        self.order = sorted(
            self.shares, key=lambda stain: -self.shares[stain] if math.isfinite(self.shares[stain]) else math.inf
        )
        self.row = min(self.MOST, max(self.LEAST, (height - 2) / max(len(self.order), 1)))
        self.height = self.row * len(self.order) + 1 if self.asked else 2 * line_height(SMALL)

    def draw(self, page: Page, left: float, top: float, look: Look) -> None:
        if not self.asked:
            page.text(left, top, "not asked for", SMALL, color="#606060")
            return
        reach = [
            (self.shares[s] - self.spread.get(s, 0.0), self.shares[s] + self.spread.get(s, 0.0)) for s in self.order
        ]
        finite = [value for pair in reach for value in pair if math.isfinite(value)]
        low, high = min([0.0, *finite]), max([1.0, *finite])
        at = [left + self.width * (value - low) / (high - low) for value in (0.0, 1.0)]
        length = at[1] - at[0]
        for number, stain in enumerate(self.order):
            value, spread, y = self.shares[stain], self.spread.get(stain), top + number * self.row
            told = words.share(value, spread)
            page.text(left + self.width, y, told, SMALL, ha="right")
            room = self.width - text.width(told, SMALL) - 2
            page.text(left, y, text.shortened(stain, SMALL, room), SMALL)
            y += line_height(SMALL) + 0.1
            middle = y + self.BAR / 2
            page.line((at[0], middle), (at[1], middle), "#c8c8c8", 0.5, over=False)
            if math.isfinite(value):
                start, stop = sorted((at[0], at[0] + length * value))
                page.box(start, y, max(stop - start, 0.15), self.BAR, colour_of(look, stain))
                if spread is not None and math.isfinite(spread) and spread > 0:
                    ends = [at[0] + length * (value + sign * spread) for sign in (-1, 1)]
                    page.line((ends[0], middle), (ends[1], middle), "#202020", 0.8, over=True)
            page.line((at[0], y - 0.5), (at[0], y + self.BAR + 0.5), "#404040", 0.5, over=True)
