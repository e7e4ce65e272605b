"""Repeat in the dock: the record's well and classifier are opened as by hand, then the record's question is asked.

What is open already is taken as it is: a well by its pixels, a classifier by its file's hash. So nothing is loaded twice, and
a record whose files have moved can be repeated once they are open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.desktop import layers as shown
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.question import FrozenCells, Question
from napari_attribution.desktop.jobs import Failure, Report
from napari_attribution.desktop.torch_import import import_torch
from napari_attribution.desktop.wells_from_layers import FrozenWell, OpenWell
from napari_attribution.errors import AttributionError
from napari_attribution.keeping.records import Recorded, checked_record, read_record
from napari_attribution.keeping.summary import as_json
from napari_attribution.methods.attribution import Attribution
from napari_attribution.wells.place import Place


@dataclass(frozen=True, eq=False)
class Plan:
    """What the worker found out of a record.

    Parameters
    ----------
    recorded : Recorded
    question : dict
        What `Question` takes beside well, classifier, cells and place.
    place : Place or None
    open_well : tuple of int or None
        Key of the open well that is the record's.
    layers : list of layer tuples
        Of the record's well, where it is not open.
    path : Path or None
        The classifier to load; None where the one that is loaded is the record's.
    card : ClassifierCard or None
        For it.
    notes : tuple of str
        What is not as it was.
    """

    recorded: Recorded
    question: Mapping[str, Any]
    place: Place | None
    open_well: tuple[int, ...] | None
    layers: list[Any]
    path: Path | None
    card: ClassifierCard | None
    notes: tuple[str, ...]


class Repeating:
    """Repeats a record in a viewer, one step after the other, as the controller gets there.

    Parameters
    ----------
    controller : Controller
    tell : callable
        Takes a sentence and its level ("ok", "busy", "warn", "wrong").
    """

    def __init__(self, controller: Controller, tell: Callable[[str, str], None]) -> None:
        self._controller, self._tell = controller, tell
        self._plan: Plan | None = None
        self._step: Callable[[Plan], bool] | None = None
        self._advancing = False
        self._before: Attribution | None = None

    def from_file(self, path: Path) -> None:
        """Repeat the record in a file."""
        self._begin(path.name, lambda: read_record(path))

    def from_layer(self, name: str, metadata: Any) -> None:
        """Repeat the record that a layer of ours carries."""
        self._begin(f"the layer {name}", lambda: checked_record(json.loads(as_json(metadata)), f"The layer {name}"))

    def advance(self) -> None:
        """To be called after every change: take the next step, once the one before is over."""
        # A step changes the controller's state, which calls again.
        if self._plan is None or self._step is None or self._advancing:
            return
        self._advancing = True
        try:
            while self._step is not None and self._step(self._plan):
                pass
        except AttributionError as error:
            self._end(str(error), "wrong")
        finally:
            self._advancing = False

    def _begin(self, what: str, read: Callable[[], Recorded]) -> None:
        state = self._controller.state
        self._plan = self._step = None
        # The layers are looked at here, their pixels in the worker.
        wells: list[tuple[tuple[int, ...], FrozenWell]] = []
        for well in sorted(state.wells, key=lambda one: state.well is None or one.key != state.well.key):
            if not well.problem:
                wells.append((well.key, well.freeze()))
        loaded = None if state.classifier is None else (state.classifier.sha256, state.classifier.card)

        def done(plan: Plan) -> None:
            self._plan, self._step = plan, self._open_well
            self.advance()

        def failed(failure: Failure) -> None:
            self._end(failure.sentence, "wrong")

        self._tell(f"Reading {what} …", "busy")
        self._controller.jobs.start("repeat", lambda report: _plan(read, wells, loaded, report), done, failed)

    def _end(self, sentence: str, level: str) -> None:
        self._plan = self._step = None
        self._tell(sentence, level)

    # ------------------------------------------------------------------------- the steps; each says whether it is over

    def _open_well(self, plan: Plan) -> bool:
        controller = self._controller
        if plan.open_well is None:
            self._step = self._wait_for_well
            self._tell(f"Opening {plan.recorded.well.name} …", "busy")
            controller.show_well(plan.recorded.well.name, plan.layers)
            return True
        well = next((one for one in controller.state.wells if one.key == plan.open_well), None)
        if well is None:
            self._end("The well was closed meanwhile; nothing was repeated.", "wrong")
            return False
        self._step = self._load
        if controller.state.well is None or controller.state.well.key != well.key:
            controller.choose_well(well)
        return True

    def _wait_for_well(self, plan: Plan) -> bool:
        state, group = self._controller.state, plan.layers[0][1]["metadata"]["group"]
        if state.opening:
            return False
        if state.well is None or not _of_group(state.well, group):
            self._end(state.open_error or "The record's well was not opened; nothing was repeated.", "wrong")
            return False
        self._step = self._load
        return True

    def _load(self, plan: Plan) -> bool:
        controller = self._controller
        self._step = self._ask
        if plan.path is not None:
            self._tell(f"Opening {plan.path.name} …", "busy")
            controller.open_classifier(plan.path, plan.card)
        return True

    def _ask(self, plan: Plan) -> bool:
        """Once the classifier is there and has looked at the well."""
        state = self._controller.state
        if state.loading:
            return False
        if state.classifier is None:
            failure = state.classifier_error
            self._end(failure.sentence if failure else "The classifier was not loaded; nothing was repeated.", "wrong")
            return False
        if state.checking or (
            state.checked is None and state.check_error is None and self._controller.jobs.busy("check")
        ):
            return False
        assert state.well is not None
        recorded = plan.recorded
        cells = (
            None
            if recorded.cells is None
            else FrozenCells(np.asarray(recorded.cells, dtype=float).reshape(-1, 2), False)
        )
        question = Question(
            well=state.well.freeze(), classifier=state.classifier, cells=cells, place=plan.place, threads=recorded.work.threads,
            **plan.question,
        )  # fmt: skip
        self._fill_in(plan)
        self._step = self._compare
        self._before = state.answer
        self._tell("Asking the same again …", "busy")
        self._controller.ask(question)
        return True

    def _fill_in(self, plan: Plan) -> None:
        """The dock's own fields say what is asked."""
        state, asked = self._controller.state, plan.question
        state.method, state.target, state.against = asked["method"], asked["target"], asked["against"]
        state.score = "logit" if asked["score"] == "contrast" else asked["score"]
        state.parameters = {**state.parameters, asked["method"]: dict(asked["parameters"])}
        state.accept_flaws = asked["accept_flaws"]
        state.stain_map = {**state.stain_map, **asked["stain_map"]}

    def _compare(self, plan: Plan) -> bool:
        from napari_attribution.keeping.repeat import is_same, outcome

        state = self._controller.state
        if state.explaining:
            return False
        if state.run_error is not None:
            self._end(state.run_error.sentence, "wrong")
        elif state.answer is None or state.answer is self._before:
            self._end("Repeating was cancelled.", "ok")
        else:
            same = is_same(plan.recorded, state.answer)
            then, now = plan.recorded.work.device, state.answer.device
            elsewhere = () if then == now else (f"The record was made on {then:.40}, this on {now}.",)
            told = (*plan.notes, *elsewhere, *outcome(plan.recorded, state.answer))
            self._end(" ".join(told) or "Repeated.", "ok" if same is not False and not plan.notes else "warn")
        return False


def _plan(
    read: Callable[[], Recorded],
    wells: list[tuple[tuple[int, ...], FrozenWell]],
    loaded: tuple[str, ClassifierCard] | None,
    _report: Report,
) -> Plan:
    """In the worker: what is there, what is to be opened, what is not as it was."""
    import_torch()
    from napari_attribution.keeping.again import (
        as_recorded,
        card_for,
        classifier_path,
        is_the_records,
        place_of,
        recorded_card,
        well_again,
    )
    from napari_attribution.keeping.repeat import question_of, version_notes

    recorded = read()
    question = question_of(recorded)
    question.pop("cells")
    notes = list(version_notes(recorded))
    found, key = None, None
    for one, frozen in wells:
        well = frozen.read()
        if is_the_records(recorded, well):
            found, key = well, one
            break
    layers: list[Any] = []
    if found is None:
        found, changed = as_recorded(recorded, well_again(recorded))
        notes += changed
        layers = shown.well_layer_tuples(found)
    else:
        # Its stains may have other names by now; the question goes by the names that the layers have.
        renamed = _renamed(recorded, found)
        question["stain_map"] = {card: renamed.get(own, own) for card, own in question["stain_map"].items()}
    path = card = None
    if loaded != (recorded.classifier.sha256, recorded_card(recorded)):
        path = classifier_path(recorded)
        card, is_the_file = card_for(recorded, path)
        if not is_the_file:
            notes.append(f"{path.name} is not the file that the record was made with: it has changed since.")
    return Plan(recorded, question, place_of(recorded, found), key, layers, path, card, tuple(notes))


def _renamed(recorded: Recorded, well: Any) -> dict[str, str]:
    """The open well's name for each of the record's stains."""
    from napari_attribution.methods.answers.record import sha256_of

    now = {sha256_of(plane): stain for stain, plane in zip(well.stains, well.pixels, strict=True)}
    return {stain: now[one] for stain, one in recorded.well.sha256_of_planes.items() if one in now}


def _of_group(well: OpenWell, group: str) -> bool:
    return all(layer.metadata.get("group") == group for layer in well.layers)
