"""The offer to open what was open last time, and the memory behind it."""

from __future__ import annotations

import weakref
from pathlib import Path

from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.jobs import Report
from napari_attribution.desktop.keeping.remembered import Remembered, recall, remember
from napari_attribution.desktop.torch_import import import_torch
from napari_attribution.desktop.widgets import parts
from napari_attribution.methods.choice.catalogue import METHODS


class Memory:
    """Recalls at the start, and writes down what is chosen from then on.

    Parameters
    ----------
    controller : Controller
        Held weakly: it may end before this does.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = weakref.ref(controller)
        self._last: Remembered | None = None
        before = _chosen(controller.state, "")

        def done(found: tuple[Remembered, bool, str]) -> None:
            remembered, there, note = found
            state = controller.state
            now = _chosen(state, "")
            # What the user has chosen meanwhile, or prefers by the settings, stays.
            if now.method == before.method and remembered.method in METHODS:
                state.method = remembered.method
            if now.device == before.device == "auto":
                state.device = remembered.device
            state.parameters = {
                name: {**values, **state.parameters.get(name, {})} for name, values in remembered.parameters.items()
            } | {name: values for name, values in state.parameters.items() if name not in remembered.parameters}
            state.folder, state.export_folder = (
                state.folder or remembered.folder,
                state.export_folder or remembered.export_folder,
            )
            state.again = Path(remembered.classifier) if there else None
            state.notice = state.notice or note
            # What was chosen meanwhile is still to be written down.
            self._last = remembered if now != before else _chosen(state, remembered.classifier)
            controller.changed()

        controller.jobs.start("recall", _recalled, done, lambda _failure: None)

    def note(self) -> None:
        """Write down what is chosen now, where it is not what was chosen before."""
        controller = self._controller()
        if controller is None or controller.closed or self._last is None:
            return
        now = _chosen(controller.state, self._last.classifier)
        if now != self._last:
            self._last = now
            controller.jobs.start("remember", lambda _report: remember(now), lambda _done: None, lambda _failure: None)


def _recalled(_report: Report) -> tuple[Remembered, bool, str]:
    """In the worker: what is remembered, whether its classifier is still there, and a note."""
    remembered, note = recall()
    there = bool(remembered.classifier) and Path(remembered.classifier).is_file()
    if remembered.device not in ("auto", "cpu"):
        import_torch()
        from napari_attribution.classifiers.devices import list_devices

        if remembered.device not in {device.name for device in list_devices()}:
            note = f"{remembered.device:.20}, which was used last time, is not there now."
            remembered = remembered.model_copy(update={"device": "auto"})
    return remembered, there, note


def _chosen(state: State, classifier: str) -> Remembered:
    if state.classifier is not None and state.path is not None:
        classifier = str(state.path.absolute())
    return Remembered(
        napari_attribution=1,
        classifier=classifier,
        device=state.device,
        method=state.method,
        parameters={name: dict(values) for name, values in state.parameters.items()},
        folder=state.folder,
        export_folder=state.export_folder,
    )


class AgainOffer(QWidget):
    """A button that opens the classifier of last time; nothing is loaded by itself."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("again_offer")
        self.controller = controller
        self.button = parts.button("open_again", "Open again", "Open the classifier that was open last time")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        self.button.clicked.connect(self._open)
        self.memory = Memory(controller)

    def render_state(self) -> None:
        """Offer it as long as no classifier is chosen."""
        state = self.controller.state
        offered = state.again is not None and state.path is None and not state.loading
        self.setVisible(offered)
        if offered:
            self.button.setText(f"Open again: {parts.bounded(state.again.name, 36)}")
            self.button.setToolTip(f"Open the classifier of last time: {state.again}")
        self.memory.note()

    def _open(self) -> None:
        if self.controller.state.again is not None:
            self.controller.open_classifier(self.controller.state.again)
