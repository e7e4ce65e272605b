"""What the dock shows while there is nothing to show: what is missing, with the button that supplies it."""

from __future__ import annotations

from napari.components import ViewerModel
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.widgets import parts
from napari_attribution.desktop.widgets.dock import open_dock

NOTHING_YET = (
    "Nothing is explained yet. Once a well is, the bars here say how much each stain counts for the class that the classifier "
    "chose."
)


class HelpView(QWidget):
    """The way to a first answer.

    Parameters
    ----------
    viewer : ViewerModel
        The other dock can be opened where it has a window.
    controller : Controller
    """

    def __init__(self, viewer: ViewerModel, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("help_view")
        self._viewer, self._controller = viewer, controller
        self.help = parts.text("channels_help", "What this dock will show")
        self.explain_now = parts.button(
            "explain_now", "Explain now", "Explain the well with the classifier that is loaded"
        )
        self.open_explain = parts.button(
            "open_explain", "Open Explain well", "Open the dock in which a well and a classifier are chosen"
        )
        supply = QHBoxLayout()
        supply.setSpacing(6)
        supply.addWidget(self.explain_now)
        supply.addWidget(self.open_explain)
        supply.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(7)
        layout.addWidget(self.help)
        layout.addLayout(supply)
        self.explain_now.clicked.connect(lambda: controller.explain())
        self.open_explain.clicked.connect(lambda: open_dock(viewer, "Explain well"))

    def render_state(self, needed: bool) -> None:
        """Show what is missing; nothing, where there is an answer."""
        self.setVisible(needed)
        if not needed:
            return
        state, now = self._controller.state, self._controller.status
        said = NOTHING_YET if now.ready else f"{NOTHING_YET} {now.headline}"
        parts.say(self.help, "Explaining ..." if state.explaining else said)
        self.explain_now.setVisible(now.ready)
        self.open_explain.setVisible(hasattr(self._viewer, "window") and not now.ready and not state.explaining)
