"""The button that asks; while it is being answered, how far that has got, and how to stop it."""

from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.widgets import parts


class RunView(QWidget):
    """One row: "Explain", or a bar, the time and "Cancel".

    Parameters
    ----------
    controller : Controller
    """

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("run_view")
        self.explain = parts.button("explain", "Explain", "Compute the map and the importance of each stain")
        self.cancel = parts.button("cancel", "Cancel", "Stop; layers and answer stay as they were")
        self.progress = QProgressBar()
        self.progress.setObjectName("progress")
        self.progress.setToolTip("Steps done")
        self.time = parts.text("time", "Time taken so far", quiet=True)
        self.time.setWordWrap(False)
        run = QHBoxLayout(self)
        run.setContentsMargins(0, 0, 0, 0)
        run.setSpacing(6)
        run.addWidget(self.explain, 1)
        run.addWidget(self.progress, 1)
        run.addWidget(self.time)
        run.addWidget(self.cancel)
        self.explain.clicked.connect(lambda: controller.explain())
        self.cancel.clicked.connect(controller.cancel)

    def render_state(self, state: State, ready: bool) -> None:
        """Show whether a question can be asked, or is being answered."""
        busy = state.explaining and not state.brief
        self.explain.setVisible(not busy)
        self.explain.setEnabled(ready)
        for widget in (self.progress, self.cancel, self.time):
            widget.setVisible(busy)
        if busy:
            done, total = state.progress
            # A bar draws itself at once, and the whole window with it, unless it is told to wait its turn.
            self.progress.setUpdatesEnabled(False)
            self.progress.setRange(0, total)
            self.progress.setValue(done)
            self.progress.setUpdatesEnabled(True)
            self.time.setText(f"{state.waited:.0f} s")
