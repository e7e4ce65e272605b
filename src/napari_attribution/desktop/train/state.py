"""How a training stands: plain data, changed by `Training` only."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_attribution.desktop.train.course import Course
from napari_attribution.desktop.train.wanted import Wanted

if TYPE_CHECKING:
    from napari_attribution.desktop.jobs import Failure
    from napari_attribution.training.answers.answer import TrainedClassifier
    from napari_attribution.training.labelling.preview import Preview
    from napari_attribution.wells.plate import Plate


@dataclass
class TrainState:
    """How a training stands.

    Parameters
    ----------
    wanted : Wanted
    plates : tuple of Plate
        As they were read for `wanted`; empty where they were not.
    preview : str
        What there is of them, in words.
    columns : tuple of str
        What is known of the wells of all plates: each may be the class.
    looking : str
        What is being looked at: "plate", "plates", "labels", or nothing.
    counts : Preview, optional
        The classes, and how many wells are of each.
    running : bool
    course : Course
        How it has gone so far.
    failure : Failure, optional
    begun : bool
        Whether something of what is wanted is done already.
    earlier : Wanted, optional
        A training of an earlier session that was not finished; offered as long as nothing else is chosen.
    answer : TrainedClassifier, optional
    trained : Wanted, optional
        What the answer is of; the user may want something else by now.
    keeping : bool
        Whether the answer is being written.
    saved : Path, optional
        The answer's file.
    said : str
    """

    wanted: Wanted = field(default_factory=Wanted)
    plates: tuple[Plate, ...] = ()
    preview: str = ""
    columns: tuple[str, ...] = ()
    looking: str = ""
    counts: Preview | None = None
    running: bool = False
    course: Course = field(default_factory=Course)
    failure: Failure | None = None
    begun: bool = False
    earlier: Wanted | None = None
    answer: TrainedClassifier | None = None
    trained: Wanted | None = None
    keeping: bool = False
    saved: Path | None = None
    said: str = ""

    @property
    def again(self) -> bool:
        """Whether what is wanted is what was trained already."""
        return self.answer is not None and self.trained == self.wanted

    @property
    def stains(self) -> tuple[str, ...]:
        """Those that are weighed."""
        if self.answer is not None:
            return tuple(self.answer.card.stains)
        return self.counts.stains if self.counts is not None else ()
