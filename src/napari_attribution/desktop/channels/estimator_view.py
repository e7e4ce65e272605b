"""Which estimator says what the stains count for: the list, what it costs, and what was concluded."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from napari_attribution.desktop.channels.estimates import FACES, TRAINED, Estimates, cost
from napari_attribution.desktop.channels.rows import conclusions
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.widgets import figures, parts

WITH_MAP = "as computed with the map"
WEIGHTS = "Trained weights"
WEIGHTS_SUMMARY = (
    "What the classifier's own mixing layer (DCMIX) learned: one weight a stain, the same for all wells and classes. Nothing is "
    "computed."
)
BRIGHTNESS_TIP = (
    "Each stain was asked anew with its own pixels rearranged into clouds, and with its mean everywhere: as bright as before, "
    "showing nothing. What a stain counts for beyond both is not its brightness"
)

SHUFFLED = (
    "Shuffled pixels are as bright as before, so none of this is a stain's brightness. A bar left of zero says that the noise "
    "which shuffling makes speaks for the class."
)


class EstimatorView(QWidget):
    """The combo of estimators, over what there is to know of the chosen one.

    Parameters
    ----------
    estimates : Estimates
    """

    def __init__(self, estimates: Estimates, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("estimator_view")
        self._estimates = estimates
        self.combo = parts.combo(
            "estimator", "How to say what the stains count for; all but the map's ask the whole well"
        )
        self.summary = parts.text("estimator_summary", "What a stain's value is", quiet=True)
        self.cost = parts.text(
            "estimator_cost",
            "Runs of the whole network, and what they take on this device as measured when it was loaded",
        )
        self.compute = parts.button("compute_stains", "Compute", "Ask this estimator about the whole well")
        self.progress = QProgressBar()
        self.progress.setObjectName("stains_progress")
        self.progress.setToolTip("Steps done")
        self.cancel = parts.button("cancel_stains", "Cancel", "Stop; the bars stay as they are")
        self.failure = parts.text("estimator_failure", "Why nothing was computed")
        self.conclusions = parts.text("brightness", BRIGHTNESS_TIP)
        label = QLabel("Bars")
        label.setToolTip(self.combo.toolTip())
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(label)
        top.addWidget(self.combo, 1)
        run = QHBoxLayout()
        run.setSpacing(6)
        for part in (self.compute, self.progress):
            run.addWidget(part, 1)
        run.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(top)
        for part in (self.summary, self.cost):
            layout.addWidget(part)
        layout.addLayout(run)
        for part in (self.failure, self.conclusions):
            layout.addWidget(part)
        self.combo.activated.connect(lambda _index: estimates.choose(self.combo.currentData()))
        self.compute.clicked.connect(estimates.compute)
        self.cancel.clicked.connect(estimates.stop)

    def render_state(self, state: State) -> None:
        """Show where things stand."""
        estimates, chosen = self._estimates, self._estimates.chosen
        of_answer = [(WITH_MAP, ""), *((face.title, name) for name, face in FACES.items())]
        trained = [(WEIGHTS, TRAINED)] if state.mixed is not None else []
        parts.offer(self.combo, [*trained, *(of_answer if state.answer is not None else [])], chosen)
        asks = chosen in FACES
        computing, found = estimates.computing, estimates.found
        parts.say(self.summary, FACES[chosen].summary if asks else WEIGHTS_SUMMARY if chosen == TRAINED else "")
        price = cost(state, chosen) if asks and not found else None
        parts.say(self.cost, self._price(state, price) if asks and not found else "", self._level(price))
        self.compute.setVisible(asks and not found and not computing)
        self.compute.setEnabled(estimates.possible and not state.explaining)
        for part in (self.progress, self.cancel):
            part.setVisible(computing)
        if computing:
            done, total = estimates.progress
            self.progress.setRange(0, total)
            self.progress.setValue(done)
        parts.say(self.failure, estimates.failure.sentence if estimates.failure else "", "wrong")
        parts.say(self.conclusions, "\n".join(self._concluded()))

    def _price(self, state: State, price: tuple[float, float, int] | None) -> str:
        if not self._estimates.possible:
            return "The classifier of this answer is not loaded any more. Load it and explain again to ask it."
        whole = state.answer is None or state.answer.place is None
        about = (
            "Until then the bars are the map's."
            if whole
            else "It asks the whole well; until then the bars are the part's."
        )
        if price is None:
            return f"What it takes is not known yet. {about}"
        return f"{'! ' if price[1] > figures.LONG else ''}{figures.work(*price)} {about}"

    @staticmethod
    def _level(price: tuple[float, float, int] | None) -> str:
        return "warn" if price is not None and price[1] > figures.LONG else "quiet"

    def _concluded(self) -> tuple[str, ...]:
        found = self._estimates.found
        if found is None:
            return ()
        if found.null is None:
            return (SHUFFLED,)
        return (*conclusions(found), "The line across a row: what the stain's brightness alone would give.")
