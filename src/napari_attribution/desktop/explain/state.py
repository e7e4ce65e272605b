"""What the dock knows: plain data, changed by the controller only, read by the status card and the widget."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.desktop.wells_from_layers import OpenWell
from napari_attribution.methods.choice.catalogue import METHODS

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.classifiers.devices import Device
    from napari_attribution.classifiers.preflight import Preflight
    from napari_attribution.desktop.explain.mixed import Mixed
    from napari_attribution.desktop.explain.question import Question
    from napari_attribution.desktop.jobs import Failure
    from napari_attribution.methods.answers.explained import Explained
    from napari_attribution.methods.attribution import Attribution


@dataclass
class State:
    """Everything that the dock shows.

    Parameters
    ----------
    wells, well : the wells among the viewer's layers, and the chosen one.
    opening : str
        Name of the file that is being opened; empty where none is.
    open_error : str
        Why the last file could not be opened.
    path : Path, optional
        The classifier's file.
    tried_out : bool
        Whether the file that is being loaded is one of those that are tried out in a second process, if they are new.
    mixed : Mixed, optional
        What its mixing layer says of the stains, where it has one.
    needs_card : bool
        The file is a network, but nothing says which stains it wants, or how they are normalised.
    known : mapping
        What its description does say, as fields of a card.
    replaces : str
        Name of the description that a saved card would replace; empty where there is none.
    notice : str
        What happened last, where it left no other trace: a card was saved, loading was cancelled.
    stain_map : mapping of card stain to well stain or None
    checked : Preflight, optional
        What the look at this well with this classifier found.
    check_cancelled : bool
        The user stopped the look: nothing was found.
    target : str, optional
        The class asked about; None for the predicted one.
    against : str, optional
        "rather than": the class of a contrast; None for anything else.
    brief : bool
        What is being explained should be there in the blink of an eye: no bar, no button to stop it.
    progress : (int, int)
        Steps done and in all.
    since, waited : float
        When the loading, checking or explaining that is under way began, and the seconds that it has taken so far.
    answer : Attribution, optional
        The last one, which the layers show.
    explained : Explained, optional
        The same with what it was made of, as long as its classifier is loaded.
    asked : Question, optional
        What it answers, as long as its classifier is loaded.
    whole : (Explained, Question), optional
        The last answer about a whole well and its question, to come back to, as long as its classifier is loaded.
    again : Path, optional
        The classifier of last time, which can be opened again.
    folder, export_folder : str
        Where the last file was opened, and the last answer was kept.
    clicks : str
        What a plain click in the image does: "pick", "remove", or nothing of ours.
    """

    wells: tuple[OpenWell, ...] = ()
    well: OpenWell | None = None
    opening: str = ""
    open_error: str = ""
    path: Path | None = None
    loading: bool = False
    tried_out: bool = False
    classifier: Classifier | None = None
    mixed: Mixed | None = None
    classifier_error: Failure | None = None
    needs_card: bool = False
    known: Mapping[str, Any] = field(default_factory=dict)
    replaces: str = ""
    notice: str = ""
    stain_map: dict[str, str | None] = field(default_factory=dict)
    cells: Any = None
    checking: bool = False
    checked: Preflight | None = None
    check_cancelled: bool = False
    check_error: Failure | None = None
    accept_flaws: bool = False
    method: str = next(iter(METHODS))
    parameters: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    target: str | None = None
    against: str | None = None
    score: str = "logit"
    per_stain: bool = False
    device: str = "auto"
    devices: tuple[Device, ...] = ()
    explaining: bool = False
    brief: bool = False
    progress: tuple[int, int] = (0, 0)
    since: float = 0.0
    waited: float = 0.0
    answer: Attribution | None = None
    explained: Explained | None = None
    asked: Question | None = None
    clicks: str = ""
    whole: tuple[Explained, Question] | None = None
    run_error: Failure | None = None
    again: Path | None = None
    folder: str = ""
    export_folder: str = ""

    def forget_classifier(self) -> None:
        """Let go of the classifier and of all that holds on to it; the answer stays."""
        self.classifier = self.mixed = self.explained = self.asked = self.whole = None

    def begin(self) -> None:
        """Begin to wait."""
        self.since, self.waited = time.monotonic(), 0.0
