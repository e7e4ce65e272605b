"""A figure into a file: PNG of 300 dpi, SVG whose text is text, PDF with its fonts inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.errors import OutputError
from napari_attribution.keeping.files import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 300
ENDINGS = (".png", ".svg", ".pdf")

_EDITABLE: Any = {"svg.fonttype": "none", "pdf.fonttype": 42}
"""Letters as letters, not as outlines; whole TrueType fonts, which journals ask for."""


def check_ending(path: Path) -> None:
    """See that a figure can be written so, before any work is done.

    Raises
    ------
    OutputError
        For an ending of another kind of file.
    """
    if path.suffix.lower() not in ENDINGS:
        what = f"written as {path.suffix}" if path.suffix else "written without an ending"
        raise OutputError(
            f"A figure is not {what}. Choose a name that ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}."
        )


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a figure; what it is follows from the ending.

    Raises
    ------
    OutputError
        For an ending of another kind of file, or where it cannot be written.
    """
    import matplotlib

    check_ending(path)
    with written_whole(path) as temporary, matplotlib.rc_context(_EDITABLE):
        figure.savefig(temporary, dpi=DPI, format=path.suffix[1:].lower(), facecolor="white")
    return path
