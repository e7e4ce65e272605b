"""What the mixing layer of a loaded classifier says of the stains, with the spread over seeds where its training is on record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_attribution.errors import AttributionError

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier

SAME = 1e-3
"""By how much a share in the record may differ from that in the file, and still be of it."""

NAMED = 6
"""Stains that a sentence names."""


@dataclass(frozen=True)
class Mixed:
    """The trained weights of a classifier's mixing layer.

    Parameters
    ----------
    stains : tuple of C str
        As the card names them.
    importance : tuple of C float
        Shares that sum to 1.
    spread : tuple of C float, optional
        Their standard deviation over the seeds of the training.
    seeds : int
        How many there were; 1 where that is not known.
    """

    stains: tuple[str, ...]
    importance: tuple[float, ...]
    spread: tuple[float, ...] | None = None
    seeds: int = 1

    @property
    def told(self) -> str:
        """ "This classifier has a DCMIX layer: GFP 82 %, DNA 18 %."."""
        order = sorted(range(len(self.stains)), key=lambda c: -self.importance[c])
        said = [f"{self.stains[c]} {100 * self.importance[c]:.0f} %" for c in order[:NAMED]]
        return f"This classifier has a DCMIX layer: {', '.join(said)}{', …' if len(order) > NAMED else '.'}"


def mixed(classifier: Classifier, path: Path) -> Mixed | None:
    """In the worker: what there is to know; None for a classifier that does not begin with a mixing layer."""
    found = classifier.mixing
    if found is None:
        return None
    importance = tuple(float(share) for share in found.importance)
    plain = Mixed(classifier.card.stains, importance)
    from napari_attribution.training.answers.answer import read_answer

    try:
        answer = read_answer(path)
    except AttributionError:
        # Most classifiers have no such record beside them, or that of another file.
        return plain
    of_file = answer.card.stains == plain.stains and np.allclose(answer.importances[answer.best], importance, atol=SAME)
    if not of_file or len(answer.importances) < 2:
        return plain
    return Mixed(plain.stains, importance, tuple(float(one) for one in answer.spread), len(answer.importances))
