"""Ground: what every question about one well rests on, found once for many questions.

Reading a large well, normalising it, looking it over and hashing it takes longer than the few forwards by which a cell in it is
explained. None of this depends on the cell, where the classifier looks at the whole field; of a classifier of tiles or single
cells, the windows differ, and the well is still looked over and hashed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy.typing as npt
from torch import Tensor

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.preflight import normalisation, pixel_size
from napari_attribution.classifiers.preparation.prepare import Prepared, prepare
from napari_attribution.classifiers.preparation.ranges import stain_ranges
from napari_attribution.classifiers.preparation.windows import window_about
from napari_attribution.errors import WellError
from napari_attribution.methods.answers.record import Hashes, hashes_of
from napari_attribution.methods.question.fills import Fill
from napari_attribution.methods.question.parts import scores_of_ends
from napari_attribution.wells import Well
from napari_attribution.wells.place import Place
from napari_attribution.wells.quality import Flaw, flaws


class Ground:
    """A well, prepared for the classifiers of a card.

    Parameters
    ----------
    well : Well
        Its pixels must not change as long as this is used.
    card : ClassifierCard
    stain_map : mapping of card stain to well stain, optional
    """

    def __init__(self, well: Well, card: ClassifierCard, stain_map: Mapping[str, str] | None = None) -> None:
        self.well, self.card = well, card
        self.stain_map = None if stain_map is None else dict(stain_map)
        self._whole: Prepared | None = None
        self._doubts: list[str] | None = None
        self._ends: dict[tuple[str, str, Fill], Tensor] = {}
        self._told: tuple[Classifier, Tensor] | None = None

    @property
    def of_fields(self) -> bool:
        """Whether the classifier sees the whole well at once."""
        return self.card.mode in ("resize", "whole")

    @cached_property
    def hashes(self) -> Hashes:
        """Of the well's pixels."""
        return hashes_of(self.well)

    @cached_property
    def flaws(self) -> tuple[Flaw, ...]:
        """What is wrong with the well's pixels."""
        return flaws(self.well)

    def prepared(self, cells: npt.ArrayLike | None, place: Place | None) -> Prepared:
        """The inputs; raises what `prepare` raises."""
        if not self.of_fields and (cells is not None or place is not None):
            return prepare(self.well, self.card, self.stain_map, cells, place)
        if place is not None:
            window_about(place, self.well.shape, self.card)
        if self._whole is None:
            self._whole = prepare(self.well, self.card, self.stain_map)
        return self._whole

    def warnings(self, prepared: Prepared, accept_flaws: bool) -> list[str]:
        """Sentences about flaws of the stains that the classifier reads, and about what their ranges make doubtful.

        Raises
        ------
        WellError
            For severe flaws, unless they are accepted.
        """
        found = [flaw for flaw in self.flaws if flaw.stain in prepared.stains.values()]
        severe = [flaw.sentence for flaw in found if flaw.severity == "refuse"]
        if severe and not accept_flaws:
            raise WellError(" ".join(severe))
        if self._doubts is None or not self.of_fields:
            doubts = (
                *normalisation(stain_ranges(self.well, self.card, prepared)),
                pixel_size(self.card, self.well),
            )
            self._doubts = [d.sentence for d in doubts if d.ok is False or (d.ok is None and d.serious)]
        return [*(flaw.sentence for flaw in found), *self._doubts]

    def tell(self, classifier: Classifier, scores: Tensor) -> None:
        """Keep a classifier's (N, K) scores of the well as it is, found together with other wells', on the CPU."""
        self._told = (classifier, scores)

    def told(self, classifier: Classifier) -> Tensor | None:
        """The (N, K) scores of the well as it is, where this classifier's were told."""
        return self._told[1] if self._told is not None and self._told[0] is classifier else None

    def ends(self, classifier: Classifier, prepared: Prepared, fill: Fill) -> Tensor:
        """(2, K) scores of the one input as it is, and of its fill alone; on the CPU."""
        key = (classifier.sha256, classifier.device, fill)
        known = self._ends.get(key) if self.of_fields and classifier.sha256 else None
        if known is None:
            known = self._ends[key] = scores_of_ends(classifier, prepared, fill)
        return known
