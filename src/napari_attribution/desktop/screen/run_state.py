"""What is to be run, and how the run stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_attribution.desktop.plates.wanted import WantedPlate
from napari_attribution.desktop.screen.resuming import Unfinished

if TYPE_CHECKING:
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
    out : Path, optional
        Folder of results.
    """

    classifier: Path | None = None
    methods: tuple[str, ...] = ("pixel-ablation-cam",)
    out: Path | None = None


@dataclass
class RunState:
    """How the run stands.

    Parameters
    ----------
    wanted : Wanted
    plate : Plate, optional
        As it was read for `wanted`; what there is of it, before anything is run.
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
