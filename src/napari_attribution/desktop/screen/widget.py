"""The dock "Screen": a plate of explanations, coloured, ranked, one click away."""

import napari.viewer
from napari.components import ViewerModel
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import QCompleter, QFrame, QHBoxLayout, QProgressBar, QScrollArea, QSpinBox, QVBoxLayout, QWidget

from napari_attribution.desktop.compare.placing import enlarge, find_room
from napari_attribution.desktop.jobs import qt_post
from napari_attribution.desktop.screen import words
from napari_attribution.desktop.screen.choosing import is_out
from napari_attribution.desktop.screen.keys import Keys
from napari_attribution.desktop.screen.plate_view import Marked, PlateView
from napari_attribution.desktop.screen.run_view import RunView, ask_folder
from napari_attribution.desktop.screen.running import Running
from napari_attribution.desktop.screen.scale_view import ScaleView
from napari_attribution.desktop.screen.screening import Screening
from napari_attribution.desktop.screen.table_view import TableView
from napari_attribution.desktop.screen.well_view import WellView
from napari_attribution.desktop.sessions import controller_of, leave
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.parting import Parting
from napari_attribution.desktop.widgets.section import Section
from napari_attribution.desktop.widgets.style import paper_and_ink, style_sheet
from napari_attribution.screens.report.columns import group, title
from napari_attribution.screens.report.scale import Scale
from napari_attribution.screens.report.told import overview

WIDE = 860
"""From this width on, in pixels, the wells' table stands beside the plate."""

EACH = 8
"""Thumbnails of either end."""


class Screen(QWidget):
    """The dock "Screen".

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        napari hands it over; a `ViewerModel` will do in a test.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # napari hands plugins a proxy, which hides what layers are placed by.
        self.viewer: ViewerModel = getattr(viewer, "__wrapped__", viewer)
        self.setObjectName("screen")
        self.controller = controller_of(self.viewer)
        post = qt_post()
        self.screening = Screening(self.controller, post, self.render_state)
        self.running = Running(self.controller, post, self.render_state, self._finished)
        self._shown: tuple[object, ...] = ()
        self._scale = Scale()
        self._wide: bool | None = None
        self._placed = False
        self._settler = QTimer(self)
        self._settler.setSingleShot(True)
        self._settler.timeout.connect(lambda: find_room(self))
        self._build()
        self._lay_out()
        self._connect()
        self._theme()
        self.render_state()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as the other docks."""
        return QSize(420, 760)

    # ----------------------------------------------------------------------------------------------------- build

    def _build(self) -> None:
        self.headline = parts.text("headline", "What is missing, and how to supply it")
        self.open = parts.button("open_results", "Open results …", "Open the folder that a run of a screen wrote")
        self.sample = parts.button("sample_plate", "Try the sample plate", "Take the sample plate and its classifier")
        self.large = parts.button("large", "Large", "Show this dock as a window of its own, or put it back")
        self.run_view = RunView(self.running)
        self.run_section = Section("run_section", "Run a screen", self.run_view, "Explain every field of a plate")
        self.overview = parts.text("overview", "The wells of these results")
        self.column = parts.combo("column", "By what the wells are coloured and ranked; type to search")
        self.column.setEditable(True)
        self.column.setInsertPolicy(self.column.InsertPolicy.NoInsert)
        self.column.completer().setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.column.completer().setFilterMode(Qt.MatchFlag.MatchContains)
        self.plate = PlateView()
        self.marks = parts.text("marks", "What the signs on the plate mean", quiet=True)
        self.scale = ScaleView()
        self.readout = parts.text("readout", "The well under the mouse", quiet=True)
        self.readout.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.well = WellView(self.screening)
        self.table = TableView(self.screening)
        self.table_section = Section(
            "table_section", "Wells", self.table, "All wells as a table: sort, filter, select, copy"
        )
        self.each = QSpinBox()
        self.each.setObjectName("montage_each")
        self.each.setRange(1, 32)
        self.each.setValue(EACH)
        self.each.setToolTip("How many wells of either end of the ranking")
        self.montage = parts.button(
            "montage",
            "Montage",
            "Thumbnails of the highest and the lowest wells that pass the filter, in the viewer; click one to open it",
        )
        self.report = parts.button("report", "Report", "Write an HTML report beside the results")
        self.stop = parts.button("stop_drawing", "Cancel", "Stop; what is there stays")
        self.progress = QProgressBar()
        self.progress.setObjectName("drawing_progress")
        self.progress.setToolTip("Wells drawn")
        self.written = parts.text("written", "Where the report is")
        self.written.setOpenExternalLinks(True)
        self.written.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(6)
        for part in (self.open, self.sample):
            top.addWidget(part)
        top.addStretch(1)
        top.addWidget(self.large)
        pictures = QHBoxLayout()
        pictures.setSpacing(6)
        for part in (self.montage, self.each, self.report):
            pictures.addWidget(part)
        pictures.addWidget(self.progress, 1)
        pictures.addWidget(self.stop)
        pictures.addStretch(1)
        self.plates = _column(self.overview, self.column, self.plate, self.marks, self.scale, self.readout, self.well)
        self.lists = _column(pictures, self.written, self.table_section)
        inside = QWidget()
        self._inside = QVBoxLayout(inside)
        self._inside.setContentsMargins(8, 6, 8, 6)
        self._inside.setSpacing(8)
        self._inside.addLayout(top)
        for part in (self.headline, self.run_section, self.plates):
            self._inside.addWidget(part)
        self._inside.addStretch(1)
        self.scroll = QScrollArea()
        self.scroll.setObjectName("screen_scroll")
        self.scroll.setWidgetResizable(True)
        self.scroll.setFrameShape(QFrame.Shape.NoFrame)
        self.scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll.setWidget(inside)
        self._outside = QHBoxLayout(self)
        self._outside.setContentsMargins(0, 0, 0, 0)
        self._outside.addWidget(self.scroll, 1)
        self.setMinimumWidth(340)
        self._arrange(wide=False)

    def _arrange(self, wide: bool) -> None:
        """The table below the plate, or beside it where there is room."""
        if wide == self._wide:
            return
        self._wide = wide
        self.lists.layout().setContentsMargins(0, 6 if wide else 0, 0, 0)
        if wide:
            self._outside.addWidget(self.lists, 1)
            self._outside.setContentsMargins(0, 0, 8, 6)
            self.table_section.heading.setChecked(True)
        else:
            self._inside.insertWidget(self._inside.count() - 1, self.lists)
            self._outside.setContentsMargins(0, 0, 0, 0)

    def _connect(self) -> None:
        screening, controller, events = self.screening, self.controller, self.viewer.events
        self.open.clicked.connect(self._ask)
        self.sample.clicked.connect(self._sample)
        self.large.clicked.connect(lambda: enlarge(self))
        self.column.activated.connect(lambda at: screening.choose_column(self.column.itemData(at)))
        self.column.lineEdit().editingFinished.connect(self._settle_search)
        self.plate.hovered.connect(self._hover)
        self.plate.clicked.connect(self._click)
        self.plate.boxed.connect(self._box)
        self.plate.stepped.connect(screening.move)
        self.scale.chosen.connect(lambda names: screening.select_where(screening.state.column, names))
        self.montage.clicked.connect(lambda: screening.showing.draw(self.each.value()))
        self.report.clicked.connect(screening.write_report)
        self.stop.clicked.connect(self._stop)
        self.keys = Keys(screening)
        render, theme, keys, running = self.render_run, self._theme, self.keys, self.running
        controller.watchers.append(render)
        events.theme.connect(theme)

        def gone() -> None:
            events.theme.disconnect(theme)
            keys.close()
            screening.close()
            running.close()
            leave(controller, render)

        Parting(self)
        self.destroyed.connect(gone)

    # --------------------------------------------------------------------------------------------------- actions

    def _ask(self) -> None:
        folder = ask_folder(self, "The folder of the results", self.screening.state.folder)
        if folder is not None:
            self.open_folder(folder)

    def _finished(self, folder) -> None:
        """The run is done: its plate takes the place of the form."""
        self.run_section.heading.setChecked(False)
        self.screening.open(folder)

    def open_folder(self, folder) -> None:
        """Open results; a run that was begun there and not finished is offered to go on."""
        from napari_attribution.desktop.screen.resuming import unfinished
        from napari_attribution.errors import RecordError

        try:
            begun = unfinished(folder)
        except RecordError:
            # Said by whoever opens it.
            begun = None
        self.running.state.unfinished = begun
        if begun is None:
            self.screening.open(folder)
        else:
            self.running.state.said = f"The run in {folder.name} was begun and is not finished."
            self.run_section.heading.setChecked(True)
            self.render_state()

    def _sample(self) -> None:
        self.run_section.heading.setChecked(True)
        self.running.want_sample()

    def _settle_search(self) -> None:
        """What was typed and is no column gives way to the one that is shown."""
        self.column.setEditText(self.column.itemText(self.column.currentIndex()))

    def _stop(self) -> None:
        if self.screening.state.drawing:
            self.screening.showing.stop_drawing()
        else:
            self.screening.cancel_report()

    def _name_of(self, place) -> str:
        wells = self.screening.state.wells
        if wells is None or place is None:
            return ""
        found = (name for name, at in zip(wells.positions, wells.places, strict=True) if tuple(at) == tuple(place))
        return next(found, "")

    def _hover(self, place) -> None:
        state = self.screening.state
        if place is None or state.wells is None:
            parts.say(self.readout, words.HINT)
            return
        from napari_attribution.desktop.screen.plate_view import row_name

        name = self._name_of(place) or f"{row_name(place[0])}{place[1] + 1:02d}"
        parts.say(self.readout, state.wells.told(name, state.column, state.notes))

    def _click(self, place, adds: bool) -> None:
        if name := self._name_of(place):
            if adds:
                self.screening.add([name])
            else:
                self.screening.open_well(name)

    def _box(self, places, adds: bool) -> None:
        names = [name for name in map(self._name_of, places) if name]
        if names:
            (self.screening.add if adds else self.screening.select)(names)

    def _theme(self, _event: object = None) -> None:
        bold = "QLabel#well_name { font-size: 13pt; font-weight: bold; }"
        self.setStyleSheet(style_sheet(self.viewer.theme) + bold)
        for view in (self.plate, self.scale):
            view.set_colors(*paper_and_ink(self.viewer.theme))

    # ---------------------------------------------------------------------------------------------------- render

    def render_run(self) -> None:
        """Show how the run stands: all that the other docks have a say in."""
        self.run_view.render_state()
        state = self.running.state
        level = "busy" if state.running else "wrong" if state.failure else "ok"
        told = self.running.told() if state.running else ""
        self.run_section.summary.set_whole(told)
        self.run_section.mark.setText({"busy": "…", "wrong": "✗"}.get(level, ""))

    def render_state(self) -> None:
        """Show the results, and what is chosen in them."""
        state = self.screening.state
        wells = state.wells
        self.render_run()
        self._render_headline()
        self.sample.setVisible(wells is None and not self.running.state.running)
        for part in (self.plates, self.lists):
            part.setVisible(wells is not None)
        if wells is None:
            return
        parts.say(self.overview, overview(wells, state.notes))
        self._render_columns(wells)
        self._render_plate(wells)
        self.well.render_state()
        self.table.render_state()
        self._render_pictures()

    def _render_headline(self) -> None:
        state = self.screening.state
        if state.failure is not None:
            parts.say(self.headline, f"✗ {state.failure.sentence}", "wrong")
        elif state.opening:
            parts.say(self.headline, f"Opening {state.opening} ...", "busy")
        else:
            parts.say(self.headline, words.NOTHING_YET if state.wells is None else "", "todo")

    def _render_columns(self, wells) -> None:
        order = dict.fromkeys(group(column) for column in wells.offered)
        offered = sorted(wells.offered, key=lambda column: list(order).index(group(column)))
        parts.offer(
            self.column, [(title(column, wells.methods), column) for column in offered], self.screening.state.column
        )

    def _render_plate(self, wells) -> None:
        state = self.screening.state
        wanted = (wells, state.column, tuple(state.ranked), tuple(sorted(state.notes)), str(state.notes))
        if wanted != self._shown:
            if self._shown[:2] != wanted[:2]:
                values = wells.values(state.column)
                self._scale = wells.scale(state.column)
                self.scale.show_scale(self._scale, values, state.column)
            self._shown = wanted
            self.plate.show_plate(marked(wells, state.column, self._scale, state.ranked, state.notes))
            parts.say(self.marks, words.marks(wells, state.notes))
            parts.say(self.readout, words.HINT)
            self.readout.setMinimumHeight(3 * self.readout.fontMetrics().lineSpacing())
        index = [wells.index[well] for well in state.selected if well in wells.index]
        current = tuple(map(int, wells.places[wells.index[state.current]])) if state.current else None
        self.plate.show_selection([tuple(map(int, wells.places[at])) for at in index], current)
        self.scale.show_selection(index)

    def _render_pictures(self) -> None:
        state = self.screening.state
        busy = state.drawing or state.reporting
        for part in (self.progress, self.stop):
            part.setVisible(busy)
        for part in (self.montage, self.each, self.report):
            part.setVisible(not busy)
        self.montage.setEnabled(bool(state.ranked))
        done, total = state.progress
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        if state.report is None:
            parts.say(self.written, "")
        else:
            parts.say(self.written, f'The report is written: <a href="{state.report.as_uri()}">{state.report.name}</a>')

    # ----------------------------------------------------------------------------------------------- come and go

    def showEvent(self, event):  # noqa: N802 - Qt's name
        """napari puts a new dock under the others, where a plate would be low: it shares their place instead."""
        super().showEvent(event)
        if not self._placed:
            self._placed = True
            self._settler.start(0)

    def resizeEvent(self, event):  # noqa: N802 - Qt's name
        """Use the room there is."""
        super().resizeEvent(event)
        self._arrange(wide=self.width() >= WIDE)


def marked(wells, column: str, scale: Scale, passing, notes) -> Marked:
    """What the plate shows of these wells."""
    import numpy as np

    colours = np.zeros((*wells.layout, 4), dtype=np.uint8)
    rows, columns = wells.places.T
    colours[rows, columns] = scale.colours(wells.values(column))
    places = [(int(row), int(column)) for row, column in wells.places]
    shown = set(passing)
    return Marked(
        layout=wells.layout,
        colours=colours,
        there=places,
        doubted=[places[at] for at in np.flatnonzero(wells.doubted)],
        flagged=[places[at] for at in np.flatnonzero(wells.flagged)],
        failed=[places[at] for at in np.flatnonzero(wells.failed)],
        excluded=[places[at] for at, well in enumerate(wells.positions) if is_out(well, notes)],
        dimmed=[place for at, place in enumerate(places) if at not in shown],
    )


def _column(*rows) -> QWidget:
    """One below the other."""
    made = QWidget()
    layout = QVBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    for part in rows:
        layout.addWidget(part) if isinstance(part, QWidget) else layout.addLayout(part)
    return made
