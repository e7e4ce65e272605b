"""More choices of a run: how it is run, and the methods' own settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_attribution.desktop.explain.views.method_view import layers_of
from napari_attribution.desktop.screen import words
from napari_attribution.desktop.screen.run.running import Running
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.form import Choices as Offered
from napari_attribution.desktop.widgets.form import Form
from napari_attribution.desktop.widgets.section import Section
from napari_attribution.methods.choice.catalogue import METHODS
from napari_attribution.screens.run.choices import Choices


class MoreView(Section):
    """A fold of what suits most plates as it is.

    Parameters
    ----------
    running : Running
    """

    def __init__(self, running: Running, parent: QWidget | None = None) -> None:
        tip = "How it is run, and the methods' own settings; the defaults suit most plates"
        super().__init__("screen_more", "More choices", QWidget(), tip, parent=parent)
        self.running = running
        self.choices = Form(Choices)
        self.methods: dict[str, Section] = {}
        self._offered: dict[str, Offered] = {}
        self.reset = parts.button("reset_more", "Defaults", "Set all of these back to their defaults")
        self._rows = QVBoxLayout(self.body)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(4)
        self._rows.addWidget(self.choices)
        self._rows.addWidget(self.reset, 0, Qt.AlignmentFlag.AlignRight)
        self.choices.changed.connect(lambda: running.want(choices=Choices(**self.choices.values())))
        self.reset.clicked.connect(lambda: running.want(choices=Choices(), parameters={}))

    def render_state(self) -> None:
        """Show what is wanted, without telling anyone."""
        wanted = self.running.state.wanted
        _fill(self.choices, wanted.choices.model_dump())
        offered = layers_of(self.running.loaded)
        for name in METHODS:
            chosen = name in wanted.methods
            if chosen and self._offered.get(name) != offered:
                self._draw(name, offered)
            if name in self.methods:
                self.methods[name].setVisible(chosen)
            if chosen:
                defaults = METHODS[name].parameters().model_dump()
                _fill(self.methods[name].body, defaults | wanted.parameters.get(name, {}))
        self.summary.set_whole(words.more(wanted))
        self.reset.setEnabled(bool(wanted.parameters) or wanted.choices != Choices())

    def _draw(self, name: str, layers: Offered) -> None:
        """The form of a method, anew where its network can be cut at other places."""
        opened = False
        if name in self.methods:
            opened = self.methods[name].heading.isChecked()
            self.methods[name].hide()
            self.methods.pop(name).deleteLater()
        form = Form(METHODS[name].parameters, {"layer": layers})
        title, tip = f"Parameters of {METHODS[name].title}", "The method's own settings"
        made = Section(f"parameters_{name}", title, form, tip)
        made.heading.setChecked(opened)
        form.changed.connect(lambda: self._edited(name))
        self.methods[name], self._offered[name] = made, layers
        shown = [one for one in METHODS if one in self.methods]
        self._rows.insertWidget(1 + shown.index(name), made)

    def _edited(self, name: str) -> None:
        """Keep those that are not the defaults."""
        defaults = METHODS[name].parameters().model_dump()
        values = {key: value for key, value in self.methods[name].body.values().items() if value != defaults[key]}
        others = {one: told for one, told in self.running.state.wanted.parameters.items() if one != name}
        self.running.want(parameters=others | ({name: values} if values else {}))


def _fill(form: Form, values: Mapping[str, Any]) -> None:
    if form.values() != values:
        blocked = form.blockSignals(True)
        form.set_values(values)
        form.blockSignals(blocked)
