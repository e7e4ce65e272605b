"""Keeps the answer that is shown: as files, as a figure, as Python. No widget; the work is the worker's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.jobs import Failure, Report
from napari_attribution.desktop.keeping.looks import FrozenLook
from napari_attribution.desktop.torch_import import import_torch
from napari_attribution.errors import AttributionError, WellError
from napari_attribution.keeping.as_python import as_python, card_is_beside
from napari_attribution.keeping.export import Written, split_name, stem_for, write_attribution
from napari_attribution.keeping.figure import figure, write_figure
from napari_attribution.keeping.figure.writing import check_ending
from napari_attribution.keeping.records import Recorded, checked_record
from napari_attribution.keeping.summary import as_json
from napari_attribution.methods.attribution import Attribution
from napari_attribution.wells.well import Well

KINDS = ("keep map", "keep figure", "keep python")


class Keeper:
    """Keeps what the controller has answered.

    Parameters
    ----------
    controller : Controller

    Attributes
    ----------
    said : str
        What happened last, in a sentence; or what is under way.
    level : str
        "ok", "busy" or "wrong".
    """

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.said, self.level = "", "ok"

    def tell(self, sentence: str, level: str = "ok") -> None:
        """Say it."""
        self.said, self.level = sentence, level
        self.controller.changed()

    def proposed(self, ending: str) -> str:
        """A name for the answer's file, in the folder of the last one."""
        answer = self.controller.state.answer
        assert answer is not None
        name = stem_for(answer, str((answer.record.get("well") or {}).get("name", "well"))) + ending
        folder = self.controller.state.export_folder
        return str(Path(folder) / name) if folder else name

    def export(self, path: Path) -> None:
        """Write the map and the record."""
        answer = self.controller.state.answer
        if answer is None:
            return

        def work(_report: Report) -> Written:
            stem, ending = split_name(path)
            # The dialog has asked whether what has this very name may be replaced; no other file may.
            asked = path.name == f"{stem}{ending}" and path.exists()
            return write_attribution(answer, path.parent, stem, ending, overwrite=asked)

        def done(written: Written) -> None:
            self.controller.state.export_folder = str(written.map.parent)
            self.tell(f"The map is kept as {written.map}, its record as {written.record.name} beside it.")

        self._start("keep map", f"Writing {path.name} …", work, done)

    def draw(self, path: Path) -> None:
        """Draw the figure."""
        answer = self.controller.state.answer
        if answer is None:
            return
        looks = self._looks(answer)

        def work(_report: Report) -> Path:
            check_ending(path)
            import_torch()
            look, well = _explained_well(looks, _recorded(answer))
            return write_figure(figure(well, answer, look.look(well, answer)), path)

        def done(written: Path) -> None:
            self.controller.state.export_folder = str(written.parent)
            self.tell(f"The figure is kept as {written}.")

        self._start("keep figure", f"Drawing {path.name} …", work, done)

    def as_python(self, put: Callable[[str], None]) -> None:
        """Make the text that asks the same in Python, and hand it to `put`, on the window's thread."""
        answer = self.controller.state.answer
        if answer is None:
            return

        def work(_report: Report) -> tuple[str, Recorded]:
            import_torch()
            recorded = _recorded(answer)
            return as_python(recorded, card_is_beside(recorded)), recorded

        def done(found: tuple[str, Recorded]) -> None:
            text, recorded = found
            put(text)
            sentence = f"Copied {len(text.splitlines())} lines of Python that give these very numbers."
            if recorded.well.reading is None:
                sentence += " The well did not come from files: put its path where the text says so."
            self.tell(sentence)

        self._start("keep python", "Writing it in Python …", work, done)

    def _looks(self, answer: Attribution) -> list[FrozenLook]:
        """The open wells of the answer's size, the chosen one first."""
        state, looks = self.controller.state, []
        for well in sorted(state.wells, key=lambda one: state.well is None or one.key != state.well.key):
            try:
                looks.append(FrozenLook.of(well, self.controller.viewer))
            except AttributionError:
                continue
        return [look for look in looks if look.shape == answer.map.shape]

    def _start(self, kind: str, busy: str, work: Callable[[Report], Any], done: Callable[[Any], None]) -> None:
        def failed(failure: Failure) -> None:
            self.tell(failure.sentence, "wrong")

        self.controller.jobs.start(kind, work, done, failed)
        self.tell(busy, "busy")


def _recorded(answer: Attribution) -> Recorded:
    """The answer's record as it would come out of a file."""
    return checked_record(json.loads(as_json(answer.record)), "The record of this answer")


def _explained_well(looks: list[FrozenLook], recorded: Recorded) -> tuple[FrozenLook, Well]:
    """In the worker: the open well that the answer is about, by its pixels.

    Raises
    ------
    WellError
        Where it is not open any more.
    """
    from napari_attribution.keeping.again import is_the_records

    for look in looks:
        well = look.well.read()
        if is_the_records(recorded, well):
            return look, well
    raise WellError(
        f"The well of this answer ({recorded.well.name}) is not open any more, or its pixels have changed. Open it again, or "
        "explain anew, and draw the figure then."
    )
