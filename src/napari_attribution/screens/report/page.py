"""The page of the report: plain HTML, its style in it, its pictures in it; it asks nothing of any server."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

STYLE = """
:root { color-scheme: light; }
body { font: 14px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1e1f22; background: #fff;
       max-width: 1080px; margin: 2em auto; padding: 0 1.5em; }
h1 { font-size: 1.7em; margin: 0 0 .2em; }
h2 { font-size: 1.25em; margin: 1.8em 0 .5em; border-bottom: 1px solid #c8ccd2; padding-bottom: .2em; }
h3 { font-size: 1em; margin: 1.2em 0 .4em; }
p { margin: .4em 0; max-width: 80ch; }
.quiet { color: #5b5f66; }
table { border-collapse: collapse; width: 100%; font-size: .93em; }
th, td { text-align: left; vertical-align: top; padding: .3em .8em .3em 0; border-bottom: 1px solid #e3e6ea; }
th { font-weight: 600; border-bottom: 1px solid #9aa0a8; }
table.facts td { overflow-wrap: anywhere; }
table.facts th { width: 13em; border-bottom: 1px solid #e3e6ea; }
td { overflow-wrap: break-word; min-width: 6em; }
td.well, td.number { white-space: nowrap; min-width: 0; }
.plates, .wells { display: flex; flex-wrap: wrap; gap: 14px; }
.plates img { width: 340px; height: auto; }
.wells figure { width: 166px; }
.wells.pairs figure { width: 336px; }
.wells img { width: 160px; height: auto; background: #000; }
figure { margin: 0; break-inside: avoid; }
figcaption { font-size: .86em; line-height: 1.35; margin-top: .2em; overflow-wrap: anywhere; }
img.wide { max-width: 100%; height: auto; }
tr { break-inside: avoid; }
h2, h3 { break-after: avoid; }
@page { margin: 14mm; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } .plates img { width: 30%; } }
"""


def page(title: str, parts: Sequence[str]) -> str:
    """The whole file.

    Parameters
    ----------
    title : str
    parts : sequence of str
        HTML.
    """
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def heading(words: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escape(words)}</h{level}>"


def paragraph(words: str, quiet: bool = False) -> str:
    """A paragraph."""
    return f'<p class="quiet">{escape(words)}</p>' if quiet else f"<p>{escape(words)}</p>"


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """A table of names and what they are."""
    told = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows if value)
    return f'<table class="facts">{told}</table>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], kinds: Sequence[str] = ()) -> str:
    """A table; `kinds` are the classes of its columns: "well" and "number" do not wrap."""
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    kinds = [*kinds, *[""] * (len(head) - len(kinds))]
    told = "".join(
        "<tr>"
        + "".join(f'<td class="{kind}">{escape(cell)}</td>' for cell, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{names}</tr></thead><tbody>{told}</tbody></table>"


def image(source: str, alternative: str, kind: str = "") -> str:
    """A picture from its data."""
    named = f' class="{kind}"' if kind else ""
    return f'<img{named} src="{source}" alt="{escape(alternative, quote=True)}">'


def figure(images: Sequence[str], caption: str) -> str:
    """Pictures with words under them."""
    return f"<figure>{' '.join(images)}<figcaption>{escape(caption)}</figcaption></figure>"


def gallery(figures: Sequence[str], kind: str) -> str:
    """Figures side by side, as many as there is room for."""
    return f'<div class="{kind}">{"".join(figures)}</div>'


def as_png(data: bytes) -> str:
    """The source of a picture that is a PNG already."""
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def as_jpeg(pixels: npt.NDArray[np.uint8]) -> str:
    """The source of an (H, W, 3) picture."""
    from imagecodecs import jpeg8_encode

    return "data:image/jpeg;base64," + base64.b64encode(jpeg8_encode(np.ascontiguousarray(pixels), level=88)).decode(
        "ascii"
    )
