"""What is to be run, and how the run stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.desktop.plates.wanted import WantedPlate
from napari_attribution.desktop.screen.run.resuming import Unfinished
from napari_attribution.screens.run.choices import Choices

if TYPE_CHECKING:
    from napari_attribution.classifiers.cards.card import ClassifierCard
    from napari_attribution.desktop.jobs import Failure
    from napari_attribution.wells.plate import Plate


@dataclass
class Wanted(WantedPlate):
    """What is to be run, on which plate.

    Parameters
    ----------
    classifier : Path, optional
        None for the one of the dock "Explain well".
    methods : tuple of str
    stain_map : mapping of the classifier's stain to the plate's
        As a person chose them; the others are found by name.
    parameters : mapping of method to mapping of parameter to value
        Those that are not the defaults.
    choices : Choices
    out : Path, optional
        Folder of results.
    """

    classifier: Path | None = None
    methods: tuple[str, ...] = ("pixel-ablation-cam",)
    stain_map: dict[str, str | None] = field(default_factory=dict)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    choices: Choices = field(default_factory=Choices)
    out: Path | None = None


@dataclass
class RunState:
    """How the run stands.

    Parameters
    ----------
    wanted : Wanted
    plate : Plate, optional
        As it was read for `wanted`; what there is of it, before anything is run.
    card : ClassifierCard, optional
        Of the classifier that was chosen here, where it has one.
    preview : str
        How its files map to wells, in words.
    looking, running : bool
    failure : Failure, optional
    out : Path, optional
        Where the run that is under way, or was the last, writes its results.
    progress : (int, int)
        Fields done and in all.
    since, before : float, int
        When the first progress of this run was told, and how many fields were done by then.
    unfinished : Unfinished, optional
        A run that was begun in a folder that was to be opened, or was stopped here.
    said : str
    """

    wanted: Wanted = field(default_factory=Wanted)
    plate: Plate | None = None
    card: ClassifierCard | None = None
    preview: str = ""
    looking: bool = False
    running: bool = False
    failure: Failure | None = None
    out: Path | None = None
    progress: tuple[int, int] = (0, 0)
    since: float = 0.0
    before: int = 0
    unfinished: Unfinished | None = None
    said: str = ""
