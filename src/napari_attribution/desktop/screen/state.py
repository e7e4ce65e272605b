"""What the dock "Screen" shows, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_attribution.desktop.screen.choosing import Filter

if TYPE_CHECKING:
    from napari_attribution.desktop.jobs import Failure
    from napari_attribution.desktop.screen.montage import Montage
    from napari_attribution.screens.report.wells import Wells
    from napari_attribution.screens.results import Results
    from napari_attribution.screens.results.notes import Note


@dataclass
class State:
    """Everything that the dock shows, but for the run (see `running`).

    Parameters
    ----------
    results : Results, optional
    wells : Wells, optional
        The same, a row a well.
    notes : mapping of well to Note
    failed : int
        Fields that failed and can be tried again.
    opening : str
        Name of the folder that is being opened; empty where none is.
    failure : Failure, optional
        Why the last thing that was asked for could not be done.
    column : str
        By which the plate is coloured and its wells are ranked.
    filter : Filter
    ranked : list of int
        The wells that pass the filter, highest first.
    selected : tuple of str
        The wells that are chosen.
    current : str
        The well that is open; empty where none is.
    field : int
        Of that well.
    method : str
        Whose map is shown.
    loading : bool
        Whether that field is being read.
    trouble : str
        Why the field's pixels, or its map, are not to be seen.
    keep_limits : bool
        Whether colours and contrast stay from well to well.
    montage : Montage, optional
        The thumbnails that are shown.
    drawing : bool
        Whether thumbnails are being made.
    reporting : bool
        Whether a report is being written.
    report : Path, optional
        The last report that was written.
    said : str
        What happened last, where it left no other trace.
    folder : str
        Where the last results were opened.
    """

    results: Results | None = None
    wells: Wells | None = None
    notes: dict[str, Note] = field(default_factory=dict)
    failed: int = 0
    opening: str = ""
    failure: Failure | None = None
    column: str = ""
    filter: Filter = field(default_factory=Filter)
    ranked: list[int] = field(default_factory=list)
    selected: tuple[str, ...] = ()
    current: str = ""
    field: int = 0
    method: str = ""
    loading: bool = False
    trouble: str = ""
    keep_limits: bool = True
    montage: Montage | None = None
    drawing: bool = False
    reporting: bool = False
    progress: tuple[int, int] = (0, 0)
    report: Path | None = None
    said: str = ""
    folder: str = ""
