"""A run from the dock: which plate, which classifier, where to; its progress; and how it is stopped and goes on."""

from __future__ import annotations

import atexit
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.classifiers.preparation.stains import propose_stains
from napari_attribution.desktop import sample
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.jobs import Failure, Jobs, Post, Report
from napari_attribution.desktop.plates.wanted import READING
from napari_attribution.desktop.screen import words
from napari_attribution.desktop.screen.run.alone import alone
from napari_attribution.desktop.screen.run.resuming import Unfinished
from napari_attribution.desktop.screen.run.state import RunState
from napari_attribution.desktop.torch_import import import_torch
from napari_attribution.desktop.widgets import figures
from napari_attribution.errors import CardError, OutputError

if TYPE_CHECKING:
    from napari_attribution.classifiers.cards.card import ClassifierCard
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.wells.plate import Plate

RUN, LOOK, CARD = "run", "look at plate", "card"
"""Kinds of jobs."""

FAREWELL = 10.0
"""Seconds that processes are waited for which end with the window."""


class Running:
    """Runs screens, one at a time, while the window stays free.

    Parameters
    ----------
    controller : Controller
        Whose classifier is taken where no other is chosen.
    post : callable
        See `Jobs`.
    changed : callable
        Called after every change of `state`.
    finished : callable
        Takes the folder of the results.
    """

    def __init__(
        self, controller: Controller, post: Post, changed: Callable[[], None], finished: Callable[[Path], None]
    ) -> None:
        self.controller = controller
        self.state = RunState()
        # Another worker than that of the wells: these are looked at meanwhile.
        self.jobs = Jobs(post)
        self._changed, self._finished = changed, finished

    def close(self) -> None:
        """Stop; what is done stays done."""
        self.jobs.close()

    # ---------------------------------------------------------------------------------------------------- choose

    def want(self, **values: Any) -> None:
        """Change what is to be run."""
        state = self.state
        anew = any(name in READING for name in values)
        for name, value in values.items():
            setattr(state.wanted, name, value)
        state.failure, state.said = None, ""
        if set(values) != {"choices"}:  # A run that was stopped may go on elsewhere.
            state.unfinished = None
        if anew:
            self._look()
        if "classifier" in values:
            self._read_card()
        self._changed()

    def want_sample(self) -> None:
        """The sample plate and its classifier, with the results where files may go again."""
        try:
            plate, classifier = sample.plate(), sample.classifier()
            out = Path(tempfile.mkdtemp(prefix="sample-screen-"))
        except OutputError as error:
            self.state.failure = Failure(str(error), error)
            self._changed()
            return
        told = str(sample.plate_conditions())
        self.want(plate=str(plate), pattern="", stains="", project="", conditions=told, classifier=classifier, out=out)

    @property
    def classifier(self) -> Path | None:
        """The file of the classifier that would be taken."""
        return self.state.wanted.classifier or self.controller.state.path

    @property
    def loaded(self) -> Classifier | None:
        """The same, where the dock "Explain well" has it loaded."""
        own = self.controller.state
        return own.classifier if own.path == self.classifier else None

    @property
    def card(self) -> ClassifierCard | None:
        """That classifier's card, where it is known by now."""
        return self.loaded.card if self.loaded is not None else self.state.card

    @property
    def stain_map(self) -> dict[str, str | None]:
        """The plate's stain for each of the classifier's, None where there is none; empty while one of the two is not known."""
        card, plate, chosen = self.card, self.state.plate, self.state.wanted.stain_map
        if card is None or plate is None:
            return {}
        return {
            stain: chosen[stain] if chosen.get(stain) in plate.stains else found
            for stain, found in propose_stains(card.stains, plate.stains).items()
        }

    @property
    def names_differ(self) -> bool:
        """Whether some stain of the classifier's is none of the plate's by its name."""
        card, plate = self.card, self.state.plate
        return card is not None and plate is not None and None in propose_stains(card.stains, plate.stains).values()

    def map_stain(self, card_stain: str, plate_stain: str | None) -> None:
        """Say which of the plate's stains is the classifier's."""
        self.want(stain_map={**self.state.wanted.stain_map, card_stain: plate_stain})

    def obstacle(self) -> str:
        """What is missing before it can be run; empty where nothing is."""
        wanted, state = self.state.wanted, self.state
        if not wanted.plate:
            return "Choose a plate: its folder, or the address of an OME-Zarr plate."
        if state.looking:
            return "Looking at the plate ..."
        if state.plate is None:
            return state.failure.sentence if state.failure else "Choose a plate that can be read."
        if self.classifier is None:
            return "Choose a classifier: a TorchScript or .pt2 file."
        if obstacle := words.unmatched(self.stain_map):
            return obstacle
        if not wanted.methods:
            return "Choose at least one method."
        if obstacle := words.twofold(wanted.choices):
            return obstacle
        if wanted.out is None:
            return "Choose a folder for the results."
        return ""

    def _look(self) -> None:
        """Find out what the plate is, before anything is run."""
        state = self.state
        wanted = state.wanted
        state.plate, state.preview, state.looking = None, "", False
        self.jobs.cancel(LOOK)
        if not wanted.plate:
            return
        path, reading = wanted.plate, wanted.reading

        def work(_report: Report) -> tuple[Plate, str]:
            from napari_attribution.desktop.plates.preview import look

            return look(path, reading)

        def done(found: tuple[Plate, str]) -> None:
            state.plate, state.preview = found
            state.looking = False
            self._changed()

        def failed(failure: Failure) -> None:
            state.looking, state.failure = False, failure
            self._changed()

        state.looking = True
        self.jobs.start(LOOK, work, done, failed)

    def _read_card(self) -> None:
        """Find out which stains the classifier wants; what is wrong with its card is said by the run."""
        state, path = self.state, self.state.wanted.classifier
        state.card = None
        self.jobs.cancel(CARD)
        if path is None:
            return

        def work(_report: Report) -> ClassifierCard | None:
            from napari_attribution.classifiers.cards.io import find_card

            try:
                return find_card(path)
            except (CardError, OSError):
                return None

        def done(card: ClassifierCard | None) -> None:
            state.card = card
            self._changed()

        self.jobs.start(CARD, work, done, lambda _failure: None)

    # ------------------------------------------------------------------------------------------------------- run

    def run(self) -> None:
        """Run what is wanted; in a folder where the same was stopped, go on."""
        wanted, classifier = self.state.wanted, self.classifier
        plate, out = self.state.plate, wanted.out
        if self.obstacle() or plate is None or classifier is None or out is None:
            self._changed()
            return
        asked: dict[str, Any] = {
            "methods": wanted.methods,
            "parameters": self._parameters(),
            "stain_map": {stain: own for stain, own in self.stain_map.items() if own},
            "device": self.controller.state.device,
            **wanted.choices.asked,
        }
        if self.loaded is not None:
            asked["card"] = self.loaded.card
        self._start(lambda: plate, classifier, out, asked)

    def resume(self) -> None:
        """Go on with the run that was stopped, as it was asked for then."""
        unfinished = self.state.unfinished
        if unfinished is not None:
            asked = {**unfinished.asked, **self._where()}
            self._start(unfinished.plate, unfinished.classifier, unfinished.folder, asked)

    def try_again(self, begun: Unfinished) -> None:
        """Try the fields again that failed, in the folder where they did, and as they were asked for then."""
        asked = {**begun.asked, **self._where(), "retry_failed": True}
        self._start(begun.plate, begun.classifier, begun.folder, asked)

    def _where(self) -> dict[str, Any]:
        """Where a run goes on: on the cluster that is chosen now, else on this machine."""
        cluster = self.state.wanted.choices.scheduler
        return {"device": self.controller.state.device} | ({"scheduler": cluster, "workers": 1} if cluster else {})

    def _parameters(self) -> dict[str, dict[str, Any]]:
        """Those of the chosen methods; a layer only where it is one of this classifier's."""
        layers = {layer.name for layer in self.loaded.layers} if self.loaded is not None else set()
        return {
            method: {
                name: value for name, value in values.items() if name != "layer" or value is None or value in layers
            }
            for method, values in self.state.wanted.parameters.items()
            if method in self.state.wanted.methods
        }

    def _start(self, plate: Callable[[], Plate], classifier: Path, out: Path, asked: dict[str, Any]) -> None:
        state = self.state

        def work(report: Report) -> Path:
            import_torch()
            from napari_attribution.screens.run.screen import run_screen

            limit = {"time_limit": None} if sample.is_ours(classifier) else {}
            if asked.get("workers", 1) > 1:
                self._leave_first()
            with alone():
                return run_screen(plate(), classifier, out, progress=report, **asked, **limit).path

        def done(path: Path) -> None:
            state.running = False
            state.said = f"The run is finished: {state.progress[1]:,} fields.".replace(",", "\u2009")
            self._finished(path)
            self._changed()

        def failed(failure: Failure) -> None:
            state.running, state.failure = False, failure
            self._stopped(out)
            self._changed()

        def progressed(done: int, total: int) -> None:
            if not state.since:
                state.since, state.before = time.monotonic(), done
            state.progress = (done, total)
            self._changed()

        state.running, state.failure, state.said, state.unfinished = True, None, "", None
        state.out, state.progress, state.since, state.before = out, (0, 0), 0.0, 0
        self.jobs.start(RUN, work, done, failed, progressed)
        self._changed()

    def _leave_first(self) -> None:
        """When Python takes itself down, the run is stopped while there is still the package that can end its processes."""
        # Where it is missing, the run says so. It says its own farewell, and those that come last are said first.
        with suppress(ImportError):
            import distributed  # noqa: F401
        atexit.register(self.jobs.close, FAREWELL)

    def cancel(self) -> None:
        """Stop; what is done is kept, and the run can go on."""
        self.jobs.cancel(RUN)
        self.state.running = False
        done, total = self.state.progress
        self.state.said = f"Stopped after {done} of {total} fields. They are kept."
        self._stopped(self.state.out)
        self._changed()

    def _stopped(self, out: Path | None) -> None:
        """Offer to go on, where something was begun."""
        from napari_attribution.desktop.screen.run.resuming import unfinished

        self.state.unfinished = None if out is None else _quietly(unfinished, out)

    def told(self) -> str:
        """ "37 of 384 fields, 4.2 a second, 1 min left"."""
        state = self.state
        done, total = state.progress
        if not total:
            return "Loading the classifier ..."
        told = f"{done} of {total} fields"
        taken, new = time.monotonic() - state.since, done - state.before
        if new <= 0 or taken <= 0:
            return told
        rate = new / taken
        left = "" if done >= total else f", {figures.duration((total - done) / rate)} left"
        return f"{told}, {rate:.2g} a second{left}"


def _quietly(ask: Callable[[Path], Unfinished | None], folder: Path) -> Unfinished | None:
    """Nothing to go on with, where what is there cannot be understood."""
    from napari_attribution.errors import RecordError

    try:
        return ask(folder)
    except RecordError:
        return None
