"""What is asked of a map once it is there: what is here, what without it, and how much of it is enough?"""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_attribution.desktop.asking import words
from napari_attribution.desktop.asking.enough_view import EnoughView
from napari_attribution.desktop.asking.readout import read
from napari_attribution.desktop.asking.remove_view import RemoveView
from napari_attribution.desktop.asking.removing import Removing
from napari_attribution.desktop.asking.sufficing import Sufficing
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.section import Section
from napari_attribution.methods.attribution import Attribution

EVERY = 30
"""Milliseconds between two readings of the map while the pointer moves: more could not be read by anyone."""

POINT = "Point at the map to read it."


class AskView(QWidget):
    """The map under the pointer in numbers, and the two questions, each in a section that is closed at first."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("ask_view")
        self.controller = controller
        self._answer: Attribution | None = None
        self.removing = Removing(controller, self._render)
        self.sufficing = Sufficing(controller, self._render)
        self.reading = parts.text(
            "reading", "The map under the pointer: its value there, and each stain's part", quiet=True
        )
        # Room for two lines at once, or the dock would jump with the pointer.
        self.reading.setMinimumHeight(2 * self.reading.fontMetrics().lineSpacing() + 2)
        self.reading.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.reading.setText(POINT)
        self.removal = RemoveView(self.removing)
        self.remove_section = Section(
            "remove_section",
            "What if this were gone?",
            self.removal,
            "Remove places or cells of the well, and see what the classifier says without them",
        )
        self.enough = EnoughView(self.sufficing)
        self.enough_section = Section(
            "enough_section",
            "How much is enough?",
            self.enough,
            "Keep only the top of the map, and see whether the classifier still says the same",
        )
        self.enough_section.heading.toggled.connect(self.sufficing.open)
        self.remove_section.heading.toggled.connect(self._put_tools_down)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.reading, self.remove_section, self.enough_section):
            layout.addWidget(widget)
        self._pointed = QTimer(self)
        self._pointed.setSingleShot(True)
        self._pointed.setInterval(EVERY)
        self._pointed.timeout.connect(self._read)
        timer, cursor = self._pointed, controller.viewer.cursor.events.position
        removing, sufficing = self.removing, self.sufficing

        def moved(_event: object = None) -> None:
            if controller.state.answer is not None and not timer.isActive():
                timer.start()

        cursor.connect(moved)
        theme, themed = controller.viewer.events.theme, lambda _event: self._render()
        theme.connect(themed)
        self.destroyed.connect(
            lambda: (cursor.disconnect(moved), theme.disconnect(themed), removing.close(), sufficing.close())
        )

    def render_state(self) -> None:
        """Show the controller's state."""
        self.removing.look()
        self.sufficing.look()
        if self.controller.state.answer is not self._answer:
            # What the last map said there is not what this one says.
            self._answer = self.controller.state.answer
            self.reading.setText(POINT)
        self._render()

    def _render(self) -> None:
        there = self.controller.state.answer is not None
        self.setVisible(there)
        if not there:
            return
        self.removal.render_state()
        self.enough.render_state()
        result, closed = self.removing.result, not self.remove_section.heading.isChecked()
        self.remove_section.summary.set_whole(words.verdict(result.after) if closed and result is not None else "")

    def _read(self) -> None:
        found = read(self.controller.viewer, self.controller.state, self.controller.viewer.cursor.position)
        said = found.sentence if found is not None else POINT
        if self.reading.text() != said:
            self.reading.setText(said)

    def _put_tools_down(self, opened: bool) -> None:
        if not opened:
            self.removing.set_mode("off")
        self._render()
