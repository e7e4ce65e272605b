"""The classifier's part of the controller: open, ask for a card, cancel, move to another device, let go."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.files.trial.limits import TIME_LIMIT, is_wanted
from napari_attribution.desktop import sample
from napari_attribution.desktop.explain.mixed import Mixed, mixed
from napari_attribution.desktop.explain.offering import still_possible
from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.jobs import Failure, Jobs, Report
from napari_attribution.desktop.torch_import import collector_waits, import_torch
from napari_attribution.errors import CardError, NormalisationMissing

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.classifiers.devices import Device

STAINS = "stains"
"""The kind of the jobs that ask what an answer's stains count for."""

KINDS = ("load", "save card", "check", "explain", STAINS)
"""Jobs that work on the classifier."""


class CardWanted(CardError):  # noqa: N818 - it says what is wanted
    """A network whose card only the user can give.

    Parameters
    ----------
    sentence : str
    known : mapping
        What is known already, as fields of a card.
    replaces : str
        Name of the description that a saved card would replace; empty where there is none.
    """

    def __init__(self, sentence: str, known: Mapping[str, Any], replaces: str) -> None:
        super().__init__(sentence)
        self.known, self.replaces = known, replaces


class Loading:
    """Opens classifiers and lets go of them.

    Parameters
    ----------
    state : State
    jobs : Jobs
    changed : callable
        Called after every change of the state.
    settled : callable
        Called instead, where the classifier is another one.
    """

    def __init__(self, state: State, jobs: Jobs, changed: Callable[[], None], settled: Callable[[], None]) -> None:
        self._state, self._jobs, self._changed, self._settled = state, jobs, changed, settled
        self._before: State | None = None

    def open(
        self,
        path: Path,
        card: ClassifierCard | None = None,
        asked: bool = False,
        save: bool = False,
        device: str | None = None,
    ) -> None:
        """Load a classifier from its file.

        Parameters
        ----------
        path : Path
        card : ClassifierCard, optional
            In place of the file's own.
        asked : bool
            Whether the card was asked for, and can be put right by who gave it.
        save : bool
            Whether to keep the card beside the file.
        device : str, optional
            Another one than before.
        """
        state = self._state
        if not state.loading:
            self._before = replace(state)
        if path != state.path:
            state.target = state.against = None
            state.known, state.replaces = {}, ""
        state.forget_classifier()
        state.path, state.classifier_error, state.needs_card = path, None, False
        state.checked = state.check_error = state.run_error = None
        state.notice, state.check_cancelled = "", False
        state.device = device or state.device
        ours = sample.is_ours(path)
        state.loading, state.tried_out = True, is_wanted() and not ours
        state.begin()
        self._jobs.cancel(*KINDS)
        state.checking = state.explaining = False
        wanted = state.device

        def work(report: Report) -> tuple[Classifier, tuple[Device, ...], Mixed | None]:
            import_torch()
            # The first look into a network brings in more of torch; the bars will want pandas, for napari's tables.
            with collector_waits():
                import_module("pandas")
                return _load(path, wanted, card, None if ours else TIME_LIMIT, report.cancelled)

        def done(loaded: tuple[Classifier, tuple[Device, ...], Mixed | None]) -> None:
            state.classifier, state.devices, state.mixed = loaded
            state.loading, self._before = False, None
            if state.target not in state.classifier.classes:
                state.target = None
            if state.against not in state.classifier.classes:
                state.against = None
            _forget_layers(state)
            state.method = still_possible(state)
            if save and card is not None:
                self._save(card, path)
            self._settled()

        def failed(failure: Failure) -> None:
            state.loading, self._before = False, None
            wants = isinstance(failure.error, CardWanted)
            if wants:
                state.known, state.replaces = failure.error.known, failure.error.replaces
            state.needs_card = wants or asked
            # Where nothing is known of a file, the status card asks in its own words.
            state.classifier_error = None if wants and not failure.error.known else failure
            self._changed()

        self._jobs.start("load", work, done, failed)
        self._changed()

    def cancel(self) -> None:
        """Stop loading; the dock is as before."""
        state, before = self._state, self._before
        if not state.loading or before is None:
            return
        self._jobs.cancel("load")
        name = state.path.name if state.path else "the classifier"
        for field in ("path", "classifier", "mixed", "classifier_error", "needs_card", "known", "replaces", "target", "against",
                      "device"):  # fmt: skip
            setattr(state, field, getattr(before, field))
        state.loading, self._before = False, None
        state.notice = f"Loading {name} was cancelled."
        self._settled()

    def unload(self) -> None:
        """Let go of the classifier, and give its memory back."""
        state = self._state
        if state.classifier is None:
            return
        self._jobs.cancel(*KINDS)
        name, device, alive = (
            state.path.name if state.path else "",
            state.classifier.device,
            weakref.ref(state.classifier),
        )
        state.forget_classifier()
        state.path = state.classifier_error = state.checked = state.check_error = None
        state.run_error = state.target = state.against = None
        state.checking = state.explaining = state.needs_card = state.check_cancelled = False
        state.known, state.replaces, state.notice = {}, "", f"Unloading {name} ..."

        def work(_report: Report) -> tuple[bool, tuple[Device, ...]]:
            return _collect(alive)

        def done(found: tuple[bool, tuple[Device, ...]]) -> None:
            gone, state.devices = found
            free = next((f" {d.free_bytes / 2**30:.1f} GiB are free on {d.name} now." for d in state.devices
                         if d.name == device and d.free_bytes is not None), "")  # fmt: skip
            state.notice = (
                f"{name} was unloaded.{free}" if gone else f"{name} was unloaded, but is still in use elsewhere."
            )
            self._changed()

        def failed(failure: Failure) -> None:
            state.notice = failure.sentence
            self._changed()

        self._jobs.start("unload", work, done, failed)
        self._settled()

    def refresh_devices(self) -> None:
        """Look anew which devices there are, and how much memory is free there."""

        def work(_report: Report) -> tuple[Device, ...]:
            import_torch()
            from napari_attribution.classifiers.devices import list_devices

            return list_devices()

        def done(devices: tuple[Device, ...]) -> None:
            self._state.devices = devices
            self._changed()

        self._jobs.start("devices", work, done, lambda _failure: None)

    def _save(self, card: ClassifierCard, path: Path) -> None:
        state = self._state

        def work(_report: Report) -> Path:
            import_torch()
            from napari_attribution.classifiers.cards.io import write_card

            return write_card(card, weights=path)

        def done(where: Path) -> None:
            state.notice = f"The card was saved: {where.name}."
            self._changed()

        def failed(failure: Failure) -> None:
            state.notice = f"The card is in use, but was not saved. {failure.sentence}"
            self._changed()

        self._jobs.start("save card", work, done, failed)


def _load(
    path: Path,
    device: str,
    card: ClassifierCard | None,
    time_limit: float | None,
    cancelled: Callable[[], bool],
) -> tuple[Classifier, tuple[Device, ...], Mixed | None]:
    """In the worker: the classifier, the devices with what is free on them now, and what a mixing layer says of the stains."""
    from napari_attribution.classifiers.cards.io import card_path, find_card
    from napari_attribution.classifiers.devices import list_devices
    from napari_attribution.classifiers.files.loading import load_classifier

    def described() -> bool:
        try:
            return find_card(path) is not None
        except CardError:
            return True

    try:
        classifier = load_classifier(path, device=device, card=card, time_limit=time_limit, cancelled=cancelled)
    except NormalisationMissing as error:
        beside = card_path(path)
        raise CardWanted(str(error), error.known, beside.name if beside.is_file() else "") from None
    except CardError as error:
        # A card that is there, and wrong, is for who wrote it.
        if card is not None or described():
            raise
        raise CardWanted(str(error), {}, "") from None
    return classifier, list_devices(), mixed(classifier, path)


def _collect(classifier: weakref.ref[Any]) -> tuple[bool, tuple[Device, ...]]:
    """In the worker: whether the classifier has gone, and the devices with what is free on them now."""
    import torch

    from napari_attribution.classifiers.devices import list_devices

    # A walk over all objects of napari takes half a second, in which the window does not answer: only where it is needed.
    if classifier() is not None or torch.cuda.is_available():
        gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return classifier() is None, list_devices()


def _forget_layers(state: State) -> None:
    """A layer that was chosen in another network is none of this one's."""
    assert state.classifier is not None
    names = {layer.name for layer in state.classifier.layers}
    for method, values in state.parameters.items():
        if values.get("layer") is not None and values["layer"] not in names:
            state.parameters[method] = {**values, "layer": None}
