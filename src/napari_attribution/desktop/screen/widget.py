"""The dock "Screen": a plate of explanations, coloured, ranked, one click away."""

import napari.viewer
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_attribution.desktop.explain import files
from napari_attribution.desktop.jobs import qt_post
from napari_attribution.desktop.screen import words
from napari_attribution.desktop.screen.keys import Keys
from napari_attribution.desktop.screen.run.resuming import Unfinished
from napari_attribution.desktop.screen.run.running import Running
from napari_attribution.desktop.screen.run.view import RunView
from napari_attribution.desktop.screen.screening import Screening
from napari_attribution.desktop.screen.views.overview import Overview
from napari_attribution.desktop.screen.views.pictures_view import PicturesView
from napari_attribution.desktop.screen.views.table_view import TableView
from napari_attribution.desktop.screen.views.well_view import WellView
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.dock import WIDTH, Dock, scrolled
from napari_attribution.desktop.widgets.placing import Settler, enlarge
from napari_attribution.desktop.widgets.section import Section
from napari_attribution.desktop.widgets.style import paper_and_ink

WIDE = 860
"""From this width on, in pixels, the wells' table stands beside the plate."""


class Screen(Dock):
    """The dock "Screen".

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        napari hands it over; a `ViewerModel` will do in a test.
    """

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(viewer, "screen", parent)
        post = qt_post()
        self.screening = Screening(self.controller, post, self.render_state)
        self.running = Running(self.controller, post, self.render_state, self._finished)
        self._wide: bool | None = None
        self.settler = Settler(self)
        self._build()
        self._lay_out()
        self._connect()
        self.attend(self.render_run, self.keys.close, self.screening.close, self.running.close)
        self.render_state()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Tall enough for a plate and a well."""
        return QSize(WIDTH, 760)

    # ----------------------------------------------------------------------------------------------------- build

    def _build(self) -> None:
        self.headline = parts.text("headline", "What is missing, and how to supply it")
        self.open = parts.button("open_results", "Open results …", "Open the folder that a run of a screen wrote")
        self.sample = parts.button("sample_plate", "Try the sample plate", "Take the sample plate and its classifier")
        self.large = parts.button("large", "Large", "Show this dock as a window of its own, or put it back")
        self.run_view = RunView(self.running)
        self.run_section = Section("run_section", "Run a screen", self.run_view, "Explain every field of a plate")
        self.overview = Overview(self.screening)
        self.well = WellView(self.screening)
        self.table = TableView(self.screening)
        self.table_section = Section(
            "table_section", "Wells", self.table, "All wells as a table: sort, filter, select, copy"
        )
        self.pictures = PicturesView(self.screening)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(6)
        for part in (self.open, self.sample):
            top.addWidget(part)
        top.addStretch(1)
        top.addWidget(self.large)
        self.plates = _column(self.overview, self.well)
        self.lists = _column(self.pictures, self.table_section)
        inside = QWidget()
        self._inside = QVBoxLayout(inside)
        self._inside.setContentsMargins(8, 6, 8, 6)
        self._inside.setSpacing(8)
        self._inside.addLayout(top)
        for part in (self.headline, self.run_section, self.plates):
            self._inside.addWidget(part)
        self._inside.addStretch(1)
        self.scroll = scrolled(inside, "screen_scroll")
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
        self.open.clicked.connect(self._ask)
        self.sample.clicked.connect(self._sample)
        self.large.clicked.connect(lambda: enlarge(self))
        self.overview.again.clicked.connect(self._try_again)
        self.keys = Keys(self.screening)

    # --------------------------------------------------------------------------------------------------- actions

    def _ask(self) -> None:
        folder = files.ask_folder(self, "The folder of the results", self.screening.state.folder)
        if folder is not None:
            self.open_folder(folder)

    def _finished(self, folder) -> None:
        """The run is done: its plate takes the place of the form."""
        self.run_section.heading.setChecked(False)
        self.screening.open(folder)

    def open_folder(self, folder) -> None:
        """Open results; a run that was begun there and not finished is offered to go on."""
        from napari_attribution.desktop.screen.run.resuming import unfinished
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

    def _try_again(self) -> None:
        results = self.screening.state.results
        if results is not None:
            self.run_section.heading.setChecked(True)
            self.running.try_again(Unfinished(results.path, results.record))

    def dress(self, _event: object = None) -> None:
        """Take the viewer's colours."""
        super().dress()
        self.setStyleSheet(self.styleSheet() + "QLabel#well_name { font-size: 13pt; font-weight: bold; }")
        self.overview.set_colors(*paper_and_ink(self.viewer.theme))

    # ---------------------------------------------------------------------------------------------------- render

    def render_run(self) -> None:
        """Show how the run stands: all that the other docks have a say in."""
        self.run_view.render_state()
        state = self.running.state
        level = "busy" if state.running else "wrong" if state.failure else "ok"
        told = self.running.told() if state.running else ""
        self.run_section.summary.set_whole(told)
        self.run_section.mark.setText({"busy": "…", "wrong": "✗"}.get(level, ""))
        self.overview.again.setEnabled(not state.running)
        self.overview.render_layers()

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
        for part in (self.overview, self.well, self.table, self.pictures):
            part.render_state()

    def _render_headline(self) -> None:
        state = self.screening.state
        if state.failure is not None:
            parts.say(self.headline, f"✗ {state.failure.sentence}", "wrong")
        elif state.opening:
            parts.say(self.headline, f"Opening {state.opening} ...", "busy")
        else:
            parts.say(self.headline, words.NOTHING_YET if state.wells is None else "", "todo")

    # ----------------------------------------------------------------------------------------------- come and go

    def resizeEvent(self, event):  # noqa: N802 - Qt's name
        """Use the room there is."""
        super().resizeEvent(event)
        self._arrange(wide=self.width() >= WIDE)


def _column(*rows: QWidget) -> QWidget:
    """One below the other."""
    made = QWidget()
    layout = QVBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    for part in rows:
        layout.addWidget(part)
    return made
