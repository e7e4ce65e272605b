"""The report: one HTML file that holds all it shows, to be read, printed and sent without anything else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_attribution.screens.report.wells import Wells

if TYPE_CHECKING:
    from napari_attribution.screens.results import Results

NAME = "report.html"

EACH = 6
"""Wells that are pictured of either end, and of the flagged ones."""

Progress = Callable[[int, int], None]


def write_report(
    results: Results,
    out: str | Path | None = None,
    *,
    column: str = "margin",
    method: str | None = None,
    each: int = EACH,
    progress: Progress | None = None,
) -> Path:
    """Write the report of results.

    Parameters
    ----------
    results : Results
    out : path, optional
        By default `report.html` beside the results.
    column : str
        The number by which the wells at both ends are pictured; the margin of the prediction where it is text.
    method : str, optional
        Whose map and importances are shown; the run's first by default.
    each : int
        How many wells are pictured of either end, and of the flagged ones.
    progress : callable, optional
        Called with (steps done, steps in all); may raise `Cancelled` to stop.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    RequestError
        For a column or a method that the results do not have.
    OutputError
        Where it cannot be written.
    """
    from napari_attribution.errors import RequestError
    from napari_attribution.keeping.files import written_whole
    from napari_attribution.screens.report.page import page
    from napari_attribution.screens.report.sections import sections

    wells = Wells.of(results)
    if column not in wells.frame:
        raise RequestError(f"These results have no column {column!r}; they have {', '.join(wells.offered)}.")
    chosen = method or (wells.methods[0] if wells.methods else "")
    if method is not None and method not in wells.methods:
        raise RequestError(f"These results have no method {method!r}; they have {', '.join(wells.methods)}.")
    made = sections(results, wells, _number(wells, column), chosen, each, progress or (lambda _done, _total: None))
    path = results.path / NAME if out is None else Path(out)
    with written_whole(path) as temporary:
        temporary.write_text(page(made.title, made.parts), "utf-8")
    return path


def _number(wells: Wells, column: str) -> str:
    """A column by which wells can be ranked."""
    return "margin" if wells.values(column).dtype == object and "margin" in wells.frame else column
