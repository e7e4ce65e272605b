"""Explained: an answer with what it was made of, for all who ask further."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_attribution.methods.attribution import Attribution

if TYPE_CHECKING:
    from torch import Tensor

    from napari_attribution.classifiers.preparation.prepare import Prepared
    from napari_attribution.methods.question.problem import Problem, Result


@dataclass(frozen=True, eq=False)
class Explained:
    """An answer, and what it was made of.

    Parameters
    ----------
    attribution : Attribution
    prepared : Prepared
        The inputs as they are, and their way back to the well.
    problems : tuple of N Problem
        One an input.
    results : tuple of N Result
    scores : (N, K) Tensor
        The classifier's for each input, on the CPU.
    """

    attribution: Attribution
    prepared: Prepared
    problems: tuple[Problem, ...]
    results: tuple[Result, ...]
    scores: Tensor

    def at_input(self, index: int = 0) -> npt.NDArray[np.float64]:
        """The signed map of one input at the input's resolution, (h, w) or (C, h, w)."""
        from napari_attribution.classifiers.preparation.prepare import lay

        x, result = self.problems[index].x, self.results[index]
        size = (x.shape[2], x.shape[3])
        laid: npt.NDArray[np.float64] = lay(result.map, result.grid, size, size).numpy()
        return laid

    def within(self, index: int = 0) -> npt.NDArray[np.bool_] | None:
        """The (h, w) places of one input that are not the fill already; None where all may be something else."""
        place = self.attribution.place
        if place is None or self.attribution.part is None:
            return None
        found: npt.NDArray[np.bool_] = (self.prepared.of_mask(place.mask)[index, 0] > 0).numpy()
        return found
