"""The well that is open: what was done to it, what is wrong with it, what a person notes of it."""

from __future__ import annotations

from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_attribution.desktop.screen import words
from napari_attribution.desktop.screen.screening import Screening
from napari_attribution.desktop.widgets import parts
from napari_attribution.screens.report.columns import method_title


class WellView(QWidget):
    """Next and previous by rank, the fields, the flags in words, the note, the exclusion.

    Parameters
    ----------
    screening : Screening
    """

    def __init__(self, screening: Screening, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("well_view")
        self.screening = screening
        self._noted: tuple[object, str, str] = (None, "", "")
        self._build()
        self._lay_out()
        self._connect()

    def _build(self) -> None:
        self.name = parts.text("well_name", "The well that is open")
        self.rank = parts.text("well_rank", "Its place among the wells that pass the filter", quiet=True)
        self.previous = parts.button("previous_well", "◀", "The well before, by rank (Shift+J)")
        self.next = parts.button("next_well", "▶", "The next well, by rank (J)")
        self.field = parts.combo("field", "The field of this well that is shown")
        self.method = parts.combo("screen_method", "Whose map and bars are shown")
        self.keep = QCheckBox("keep limits")
        self.keep.setObjectName("keep_well_limits")
        self.keep.setToolTip("Contrast and colours of the map stay from well to well, so that wells can be compared")
        self.about = parts.text("well_about", "What was done to this well, and what the classifier says")
        self.wrong = parts.text("well_wrong", "Why this field is flagged")
        self.trouble = parts.text("well_trouble", "What of this field cannot be shown")
        self.note = QLineEdit()
        self.note.setObjectName("well_note")
        self.note.setPlaceholderText("note")
        self.note.setToolTip("What is to be remembered of this well; kept with the results as soon as Enter is pressed")
        self.reason = QLineEdit()
        self.reason.setObjectName("exclusion_reason")
        self.reason.setPlaceholderText("leave out, because …")
        self.reason.setToolTip("Why the chosen wells are to be left out; needed, and kept with the results")
        self.leave_out = parts.button(
            "leave_out", "Leave out", "Mark the chosen wells as not to be used, for this reason"
        )
        self.take_in = parts.button("take_in", "Take in again", "The chosen wells are to be used after all")

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self.name)
        top.addWidget(self.rank, 1)
        top.addWidget(self.previous)
        top.addWidget(self.next)
        for step in (self.previous, self.next):
            step.setFixedWidth(34)
        chosen = QHBoxLayout()
        chosen.setSpacing(6)
        chosen.addWidget(self.field, 1)
        chosen.addWidget(self.method, 2)
        chosen.addWidget(self.keep)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addLayout(chosen)
        for part in (self.about, self.wrong, self.trouble, self.note):
            layout.addWidget(part)
        layout.addLayout(parts.row(self.reason, self.leave_out, self.take_in))

    def _connect(self) -> None:
        screening, showing = self.screening, self.screening.showing
        self.previous.clicked.connect(lambda: screening.step(-1))
        self.next.clicked.connect(lambda: screening.step(1))
        self.field.activated.connect(lambda _at: showing.choose_field(self.field.currentData()))
        self.method.activated.connect(lambda _at: showing.choose_method(self.method.currentData()))
        self.keep.toggled.connect(self._keep)
        self.note.editingFinished.connect(self._note)
        self.reason.textChanged.connect(lambda _text: self._enable())
        self.reason.returnPressed.connect(self._leave_out)
        self.leave_out.clicked.connect(self._leave_out)
        self.take_in.clicked.connect(lambda: screening.leave_out(self._chosen(), None))

    # ---------------------------------------------------------------------------------------------------- actions

    def _keep(self, on: bool) -> None:
        self.screening.state.keep_limits = on

    def _note(self) -> None:
        results, well, before = self._noted
        written = self.note.text()
        if well and results is self.screening.state.results and written.strip() != before:
            self._noted = (results, well, written.strip())
            self.screening.note(well, written)

    def _leave_out(self) -> None:
        if self.leave_out.isEnabled():
            self.screening.leave_out(self._chosen(), self.reason.text())

    def _chosen(self) -> tuple[str, ...]:
        """The wells that an exclusion is about."""
        state = self.screening.state
        return state.selected or ((state.current,) if state.current else ())

    # ----------------------------------------------------------------------------------------------------- render

    def render_state(self) -> None:
        """Show the open well, and the chosen ones."""
        state = self.screening.state
        wells, well = state.wells, state.current
        self.setVisible(wells is not None and bool(well or state.selected))
        if wells is None:
            return
        # What is being written of the well before is kept before another takes its place.
        if self._noted[1] != well:
            self._note()
        self._render_well(wells, well)
        note = state.notes.get(well)
        noted = (state.results, well, note["note"] if note else "")
        if noted != self._noted:
            self._noted = noted
            self.note.setText(noted[2])
        chosen = self._chosen()
        out = [one for one in chosen if one in state.notes and state.notes[one]["excluded"] is not None]
        reasons = {state.notes[one]["excluded"] for one in out}
        wanted = (tuple(chosen), tuple(sorted(map(str, reasons))))
        if wanted != getattr(self, "_reasons", None):
            self._reasons = wanted
            self.reason.setText(next(iter(reasons)) if len(reasons) == 1 and len(out) == len(chosen) else "")
        self.take_in.setVisible(bool(out))
        self.leave_out.setText("Leave out" if len(chosen) < 2 else f"Leave out {len(chosen)}")
        self._enable()

    def _render_well(self, wells, well: str) -> None:
        state = self.screening.state
        parts.say(self.name, well)
        chosen = len(state.selected)
        among = f"{chosen} wells chosen" if chosen > 1 or not well else words.rank(state)
        parts.say(self.rank, among)
        for part in (self.field, self.method, self.keep, self.note):
            part.setVisible(bool(well))
        if not well:
            for part in (self.about, self.wrong, self.trouble):
                part.hide()
            return
        numbers = wells.numbers_of(well)
        parts.offer(self.field, [(f"field {number}", number) for number in numbers], state.field)
        self.field.setEnabled(len(numbers) > 1)
        parts.offer(self.method, [(method_title(method), method) for method in wells.methods], state.method)
        self.method.setEnabled(len(wells.methods) > 1)
        if self.keep.isChecked() != state.keep_limits:
            self.keep.setChecked(state.keep_limits)
        parts.say(self.about, words.about(state))
        wrong = words.wrong(state)
        parts.say(self.wrong, f"! {wrong}" if wrong else "", "warn" if wrong else None)
        parts.say(self.trouble, f"✗ {state.trouble}" if state.trouble else "", "wrong" if state.trouble else None)

    def _enable(self) -> None:
        self.leave_out.setEnabled(bool(self.reason.text().strip()) and bool(self._chosen()))
