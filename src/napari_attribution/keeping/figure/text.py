"""Text of a known width: what matplotlib does not do by itself is done here, so that nothing is cut or overlaps."""

from __future__ import annotations

from functools import cache

FAMILY = "DejaVu Sans"
"""Comes with matplotlib: a figure looks the same wherever it is made."""

MM_PER_POINT = 25.4 / 72


def width(text: str, size: float, bold: bool = False) -> float:
    """Of a line of text, in mm."""
    return sum(_advance(letter, bold) for letter in text) * size * MM_PER_POINT


@cache
def _advance(letter: str, bold: bool) -> float:
    """From a letter to the next, in the size of the letters."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=FAMILY, weight="bold" if bold else "normal")))
    font.set_size(100, 72)
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 65536 / 100


def shortened(text: str, size: float, room: float, bold: bool = False) -> str:
    """The text, with an ellipsis in place of what is too long."""
    if width(text, size, bold) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle].rstrip() + "…", size, bold) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrapped(text: str, size: float, room: float) -> list[str]:
    """Lines of at most that width; words that are longer are broken."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        for piece in _pieces(word, size, room):
            tried = f"{line} {piece}" if line and piece is not None else piece
            if line and width(tried, size) > room:
                lines.append(line)
                line = piece
            else:
                line = tried
    return [*lines, line] if line else lines


def _pieces(word: str, size: float, room: float) -> list[str]:
    pieces: list[str] = []
    while width(word, size) > room and len(word) > 1:
        fits = max(1, next((n for n in range(len(word), 0, -1) if width(word[:n], size) <= room), 1))
        pieces.append(word[:fits])
        word = word[fits:]
    return [*pieces, word]
