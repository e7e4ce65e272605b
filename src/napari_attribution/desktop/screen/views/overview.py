"""The plate at a glance: the column that colours it, the heat map, the signs, the scale, and what is under the mouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCompleter, QVBoxLayout, QWidget

from napari_attribution.desktop.screen import words
from napari_attribution.desktop.screen.choosing import is_out
from napari_attribution.desktop.screen.screening import Screening
from napari_attribution.desktop.screen.views.plate_picture import Marked, Place, row_name
from napari_attribution.desktop.screen.views.plate_view import PlateView
from napari_attribution.desktop.screen.views.scale_view import ScaleView
from napari_attribution.desktop.widgets import parts
from napari_attribution.screens.report.columns import group, title
from napari_attribution.screens.report.scale import Scale
from napari_attribution.screens.report.told import overview

if TYPE_CHECKING:
    from napari_attribution.screens.report.wells import Wells
    from napari_attribution.screens.results.notes import Note


AS_LAYER, LOOK = "As layer", "Look"
AS_LAYER_TIP = "Show the plate in these colours as a layer too, above the well; a click there opens a well"
LOOK_TIP = "Move the view so that the layer of the plate and the well below it are seen whole"


class Overview(QWidget):
    """All wells in the colours of one column.

    Parameters
    ----------
    screening : Screening
    """

    def __init__(self, screening: Screening, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("plate_overview")
        self.screening = screening
        self._shown: tuple[object, ...] = ()
        self._scale = Scale()
        self.told = parts.text("overview", "The wells of these results")
        self.again = parts.button(
            "retry_failed",
            "",
            "Try the fields again that could not be explained, such as those whose files were not there yet. Fields that are "
            "computed together with them are done anew, too; all else stays",
        )
        self.column = parts.combo("column", "By what the wells are coloured and ranked; type to search")
        self.as_layer = parts.button("heat_layer", AS_LAYER, "")
        self.column.setEditable(True)
        self.column.setInsertPolicy(self.column.InsertPolicy.NoInsert)
        self.column.completer().setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.column.completer().setFilterMode(Qt.MatchFlag.MatchContains)
        self.plate = PlateView()
        self.marks = parts.text("marks", "What the signs on the plate mean", quiet=True)
        self.scale = ScaleView()
        self.readout = parts.text("readout", "The well under the mouse", quiet=True)
        self.readout.setAlignment(Qt.AlignmentFlag.AlignTop)
        # What is below does not jump while the mouse goes over the plate.
        self.readout.setMinimumHeight(3 * self.readout.fontMetrics().lineSpacing())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(parts.row(self.told, self.again))
        layout.addLayout(parts.row(self.column, self.as_layer))
        for part in (self.plate, self.marks, self.scale, self.readout):
            layout.addWidget(part)
        self._connect()

    def _connect(self) -> None:
        screening = self.screening
        self.column.activated.connect(lambda at: screening.choose_column(self.column.itemData(at)))
        self.column.lineEdit().editingFinished.connect(self._settle_search)
        self.as_layer.clicked.connect(screening.heating.show)
        self.plate.hovered.connect(self._hover)
        self.plate.clicked.connect(self._click)
        self.plate.boxed.connect(self._box)
        self.plate.stepped.connect(screening.move)
        self.scale.chosen.connect(lambda names: screening.select_where(screening.state.column, names))

    def set_colors(self, paper: str, ink: str) -> None:
        """Of the theme, as "#rrggbb"."""
        for view in (self.plate, self.scale):
            view.set_colors(paper, ink)

    # --------------------------------------------------------------------------------------------------- actions

    def _settle_search(self) -> None:
        """What was typed and is no column gives way to the one that is shown."""
        self.column.setEditText(self.column.itemText(self.column.currentIndex()))

    def _hover(self, place: Place | None) -> None:
        state = self.screening.state
        if place is None or state.wells is None:
            parts.say(self.readout, words.HINT)
            return
        name = self._name_of(place) or f"{row_name(place[0])}{place[1] + 1:02d}"
        parts.say(self.readout, state.wells.told(name, state.column, state.notes))

    def _click(self, place: Place, adds: bool) -> None:
        if name := self._name_of(place):
            if adds:
                self.screening.add([name])
            else:
                self.screening.open_well(name)

    def _box(self, places: Sequence[Place], adds: bool) -> None:
        names = [name for name in map(self._name_of, places) if name]
        if names:
            (self.screening.add if adds else self.screening.select)(names)

    def _name_of(self, place: Place) -> str:
        """The well there; empty where there are no results of one."""
        wells = self.screening.state.wells
        return wells.at.get(place, "") if wells is not None else ""

    # ---------------------------------------------------------------------------------------------------- render

    def render_layers(self) -> None:
        """Offer the layer of the heat map, or to look at it where it is there."""
        there = self.screening.heating.there
        self.as_layer.setText(LOOK if there else AS_LAYER)
        self.as_layer.setToolTip(LOOK_TIP if there else AS_LAYER_TIP)

    def render_state(self) -> None:
        """Show the results; changes only what is not so already."""
        state = self.screening.state
        wells = state.wells
        if wells is None:
            return
        parts.say(self.told, overview(wells, state.notes))
        self.again.setText(words.tried_again(state.failed))
        self.again.setVisible(state.failed > 0)
        order = dict.fromkeys(group(column) for column in wells.offered)
        offered = sorted(wells.offered, key=lambda column: list(order).index(group(column)))
        parts.offer(self.column, [(title(column, wells.methods), column) for column in offered], state.column)
        wanted = (wells, state.column, tuple(state.ranked), str(state.notes))
        if wanted != self._shown:
            if self._shown[:2] != wanted[:2]:
                self._scale = wells.scale(state.column)
                self.scale.show_scale(self._scale, wells.values(state.column), state.column)
            self._shown = wanted
            self.plate.show_plate(marked(wells, state.column, self._scale, state.ranked, state.notes))
            parts.say(self.marks, words.marks(wells, state.notes))
            parts.say(self.readout, words.HINT)
        chosen = [wells.index[well] for well in state.selected if well in wells.index]
        places = wells.places.tolist()
        current = tuple(places[wells.index[state.current]]) if state.current else None
        self.plate.show_selection([tuple(places[at]) for at in chosen], current)
        self.scale.show_selection(chosen)


def marked(wells: Wells, column: str, scale: Scale, passing: Sequence[int], notes: Mapping[str, Note]) -> Marked:
    """What the plate shows of these wells.

    Parameters
    ----------
    wells : Wells
    column : str
    scale : Scale
        Its colours.
    passing : sequence of int
        Those that pass the filter.
    notes : mapping of well to Note
    """
    colours = np.zeros((*wells.layout, 4), dtype=np.uint8)
    rows, columns = wells.places.T
    colours[rows, columns] = scale.colours(wells.values(column))
    places = [tuple(place) for place in wells.places.tolist()]
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
