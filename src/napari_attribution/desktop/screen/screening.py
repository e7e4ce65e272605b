"""What the dock "Screen" does: no widget, so that it runs on a `ViewerModel` in a test as it does in the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.jobs import Failure, Jobs, Post, Report
from napari_attribution.desktop.screen.choosing import Filter, beside, neighbour, ranked
from napari_attribution.desktop.screen.heating import Heating
from napari_attribution.desktop.screen.showing import Showing
from napari_attribution.desktop.screen.state import State
from napari_attribution.errors import AttributionError, RecordError

if TYPE_CHECKING:
    from napari_attribution.screens.report.wells import Wells
    from napari_attribution.screens.results import Results

OPEN, REPORT = "open results", "report"
"""Kinds of jobs."""


class Screening:
    """Results, and what a person looks at in them.

    Parameters
    ----------
    controller : Controller
        Of the viewer: what is shown of a well is its answer, for the other docks too.
    post : callable
        Runs a call on the thread of the window, soon (see `Jobs`).
    changed : callable
        Called after every change of `state`.
    """

    def __init__(self, controller: Controller, post: Post, changed: Callable[[], None]) -> None:
        self.controller = controller
        self.state = State()
        # A worker of its own: a well is looked at while another is explained, or a plate is run.
        self.jobs = Jobs(post)
        self._changed = changed
        self.showing = Showing(controller, self.state, self.jobs, changed)
        self.heating = Heating(controller.viewer, self.state, changed)

    def close(self) -> None:
        """Stop all work."""
        self.jobs.close()

    # ------------------------------------------------------------------------------------------------------ open

    def open(self, path: Path) -> None:
        """Open the results in this folder."""

        def work(_report: Report) -> _Read:
            return _read(path)

        def done(found: _Read) -> None:
            self._take(found)

        def failed(failure: Failure) -> None:
            self.state.opening, self.state.failure = "", failure
            self._changed()

        state = self.state
        state.opening, state.failure, state.said = path.name, None, ""
        state.folder = str(path.parent)
        self.jobs.start(OPEN, work, done, failed)
        self._changed()

    def _take(self, found: _Read) -> None:
        state, wells = self.state, found.wells
        same = state.results is not None and state.results.path == found.results.path
        before = state.current if same else ""
        self.jobs.cancel()
        self.showing.forget()
        state.opening, state.failure = "", found.failure
        state.results, state.wells, state.notes, state.failed = found.results, wells, found.notes, found.failed
        state.column = state.column if state.column in wells.offered else _first_column(wells)
        state.filter, state.selected, state.current, state.field = Filter(), (), "", 0
        state.method = wells.methods[0] if wells.methods else ""
        state.drawing = state.reporting = False
        state.report = None
        self.heating.update()
        self._rank()
        if state.ranked:
            # Something to look at, and the layers that every well is then shown in: napari needs a second to make them.
            well = before if before in wells.index else wells.positions[state.ranked[0]]
            self.showing.show(well, wells.numbers_of(well)[0])

    # ---------------------------------------------------------------------------------------------------- choose

    def choose_column(self, column: str) -> None:
        """Colour and rank the wells by this column."""
        self.state.column = column
        self.heating.update()
        self._rank()

    def narrow(self, **values: Any) -> None:
        """Change the filter: text, predicted, flag, excluded."""
        self.state.filter = replace(self.state.filter, **values)
        self._rank()

    def _rank(self) -> None:
        state = self.state
        if state.wells is not None and state.column:
            state.ranked = ranked(state.wells, state.column, state.filter, state.notes)
        self._changed()

    def select(self, wells: Sequence[str]) -> None:
        """Choose these wells, and no others."""
        self.state.selected = tuple(dict.fromkeys(wells))
        self._changed()

    def add(self, wells: Sequence[str]) -> None:
        """Choose these wells as well; those that are all chosen already, no longer."""
        chosen = dict.fromkeys(self.state.selected)
        if all(well in chosen for well in wells):
            self.select([well for well in chosen if well not in wells])
        else:
            self.select([*chosen, *wells])

    def select_where(self, column: str, values: Sequence[str | float]) -> None:
        """Choose the wells that have one of these values in a column: the controls, or a class."""
        wells = self.state.wells
        if wells is not None:
            told = wells.values(column)
            self.select([well for well, value in zip(wells.positions, told, strict=True) if value in values])

    # ------------------------------------------------------------------------------------------------- one well

    def open_well(self, well: str) -> None:
        """Show a well's first field, and choose the well."""
        wells = self.state.wells
        if wells is None or well not in wells.index:
            return
        numbers = wells.numbers_of(well)
        self.state.selected = (well,)
        self.showing.show(well, self.state.field if self.state.field in numbers else numbers[0])

    def step(self, by: int) -> None:
        """Go on to the well that comes next by rank, among those that pass the filter."""
        state = self.state
        if state.wells is None:
            return
        at = neighbour(state.ranked, state.wells.index.get(state.current), by)
        if at is not None:
            self.open_well(state.wells.positions[at])

    def move(self, rows: int, columns: int) -> None:
        """Go to the neighbour on the plate."""
        state = self.state
        if state.wells is None or not state.current:
            return
        if well := beside(state.wells, state.current, rows, columns):
            self.open_well(well)

    # ---------------------------------------------------------------------------------------------------- notes

    def note(self, well: str, words: str) -> None:
        """Note something of a well; kept at once."""
        told = self.state.notes.get(well)
        self._keep({well: {"note": words, "excluded": told["excluded"] if told else None}})

    def leave_out(self, wells: Sequence[str], reason: str | None) -> None:
        """Leave wells out for a reason; None to take them in again. Kept at once."""
        notes = self.state.notes
        self._keep({well: {"note": notes[well]["note"] if well in notes else "", "excluded": reason} for well in wells})

    def _keep(self, changes: dict[str, Any]) -> None:
        from napari_attribution.screens.results.notes import write_notes

        state = self.state
        if state.results is None:
            return
        try:
            # A file of a few kB: faster than a worker could be told of it.
            state.notes = write_notes(state.results.path, changes)
            state.failure = None
        except AttributionError as error:
            state.failure = Failure(f"{error} Nothing was noted.", error)
        self._rank()

    # --------------------------------------------------------------------------------------------------- report

    def write_report(self) -> None:
        """Write the HTML report beside the results."""
        state = self.state
        results, column = state.results, state.column
        if results is None:
            return

        def work(report: Report) -> Path:
            from napari_attribution.screens.report import write_report

            return write_report(results, column=column, progress=report)

        def done(path: Path) -> None:
            state.reporting, state.report = False, path
            self._changed()

        def failed(failure: Failure) -> None:
            state.reporting, state.failure = False, failure
            self._changed()

        def progressed(done: int, total: int) -> None:
            state.progress = (done, total)
            self._changed()

        state.reporting, state.failure, state.report, state.progress = True, None, None, (0, 0)
        self.jobs.start(REPORT, work, done, failed, progressed)
        self._changed()

    def cancel_report(self) -> None:
        """Stop writing the report; an earlier one stays."""
        self.jobs.cancel(REPORT)
        self.state.reporting = False
        self._changed()


class _Read(NamedTuple):
    """What there is in a folder of results."""

    results: Results
    wells: Wells
    notes: dict[str, Any]
    failed: int
    failure: Failure | None


def _read(path: Path) -> _Read:
    """In the worker: the results; notes that cannot be read do not keep them from being seen."""
    from napari_attribution.screens.report.wells import Wells
    from napari_attribution.screens.results import open_results
    from napari_attribution.screens.results.notes import read_notes

    results = open_results(path)
    wells, failed = Wells.of(results), 0
    # Where it is not known how the fields are read, none can be tried again.
    with suppress(RecordError):
        failed = results.failed
    try:
        return _Read(results, wells, read_notes(results.path), failed, None)
    except AttributionError as error:
        return _Read(results, wells, {}, failed, Failure(str(error), error))


def _first_column(wells: Wells) -> str:
    """What a person wants to see first: what the classifier says."""
    wanted = ("predicted", *wells.offered)
    return next((column for column in wanted if column in wells.offered), "")
