r"""Sanity: whether a map reacts when the classifier's weights are shuffled.

Adebayo et al., NeurIPS 2018 (arXiv 1810.03292). A method whose map stays the same when the network behind it knows nothing
shows the image, not what the classifier makes of it. With M the map, and M' that of the same method, settings, well and class
for a shuffled copy of the classifier (`weights`),

    spearman   Spearman's correlation of M and M' over all units, with their signs
    ssim       mean structural similarity of M / max |M| and M' / max |M'|     (Wang et al., 2004; scikit-image)

Near 1, the map does not react; near 0 it is another one; near -1 it has reacted by turning about, in the same places, as it
may where only the last layer is shuffled: what the layers before it see has stayed. Two forms: the last layer alone
(layers = 1), the first step of the paper's cascade, and the whole network (layers = None).

Where this deviates from the paper:

- weights are shuffled, not drawn anew (`weights` says why);
- maps are compared at the resolution at which the method computed them: what is laid over the well is smooth by
  interpolation, whatever was computed;
- signed maps are compared as they are, not their absolute values;
- a map that is the same everywhere under shuffled weights is unlike any other: both figures are 0. Where M itself is, there is
  nothing to compare and both are NaN; so is the SSIM of a map of less than three places along a side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import RequestError
from napari_attribution.faithfulness.ranking import check_map
from napari_attribution.faithfulness.sensitivity import pearson

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.methods.question.problem import Progress
    from napari_attribution.wells import Well

REACTS = 0.5
"""Below this Spearman correlation a map is said to react."""


@dataclass(frozen=True)
class Reaction:
    """How alike two maps are, before and after.

    Parameters
    ----------
    layers : int or None
        How many of the last layers were shuffled; None for all.
    spearman, ssim : float
    """

    layers: int | None
    spearman: float
    ssim: float

    @property
    def reacts(self) -> bool | None:
        """Whether the map is another; None where there was nothing to compare."""
        return None if np.isnan(self.spearman) else self.spearman < REACTS

    @property
    def sentence(self) -> str:
        """For a person."""
        which = (
            "weights"
            if self.layers is None
            else f"last {self.layers} layers' weights"
            if self.layers > 1
            else "last layer's weights"
        )
        if self.reacts is None:
            return "The map is the same everywhere: whether it reacts to the classifier's weights cannot be seen."
        alike = f"rank correlation {self.spearman:.2f}".replace("-", "−")
        if self.spearman <= -REACTS:
            return (
                f"The map reacts: with the classifier's {which} shuffled it turns about ({alike}); the places that spoke for the "
                "class speak against it."
            )
        if self.reacts:
            return f"The map reacts: with the classifier's {which} shuffled it is another one ({alike})."
        return (
            f"Careful: with the classifier's {which} shuffled the map stays much the same ({alike}), so it shows the image "
            "rather than what the classifier makes of it."
        )


def reactions(
    classifier: Classifier,
    well: Well,
    *,
    layers: Sequence[int | None] = (1, None),
    seed: int = 0,
    progress: Progress | None = None,
    **question: Any,
) -> tuple[Reaction, ...]:
    """Explain a well with the classifier and with shuffled copies of it, and compare.

    Parameters
    ----------
    classifier : Classifier
        Loaded from a file; it is unchanged afterwards, but for its count of forwards.
    well : Well
    layers : sequence of int or None
        How many of the last layers to shuffle, one form after the other; None for all.
    seed : int
        Of the shuffling.
    progress : callable, optional
        Called with (explanations done, explanations in all), and often in between; raising `Cancelled` there stops the work.
    **question
        What `explain` takes: method, target, score, stain_map, the method's parameters.

    Raises
    ------
    RequestError
        Where the classifier has no file; and all that `explain` raises.
    ClassifierError
        Where a shuffled network does not answer as a classifier must.
    """
    from napari_attribution.classifiers.heeding import heeding
    from napari_attribution.faithfulness.weights import shuffled
    from napari_attribution.methods.explain import explain
    from napari_attribution.methods.question.progress import Repeated

    still_wanted = Repeated(progress)
    steps = len(layers) + 1

    def during(number: int) -> Callable[[int, int], None]:
        return lambda done, total: still_wanted(number, steps)

    still_wanted(0, steps)
    before = explain(classifier, well, progress=during(0), **question)
    # The same question to a network that may well prefer another class.
    asked = question | {"target": before.target}
    if "against" in before.record["score"]:
        asked["against"] = before.record["score"]["against"]
    found = []
    for number, count in enumerate(layers, start=1):
        still_wanted(number, steps)
        with heeding(still_wanted.check):
            copy = shuffled(classifier, count, seed)
        after = explain(copy, well, progress=during(number), **asked)
        found.append(compare(before.native, after.native, count))
    still_wanted(steps, steps)
    return tuple(found)


def compare(before: npt.ArrayLike, after: npt.ArrayLike, layers: int | None = None) -> Reaction:
    """How alike two maps are.

    Parameters
    ----------
    before, after : (h, w) or (C, h, w) array
    layers : int, optional
        What was shuffled in between.

    Raises
    ------
    RequestError
        For maps of different shapes, or with NaN.
    """
    a, b = check_map(before), check_map(after)
    if a.shape != b.shape:
        raise RequestError(f"Maps of different shapes cannot be compared: {a.shape} and {b.shape}.")
    if np.ptp(a) == 0:
        return Reaction(layers, float("nan"), float("nan"))
    if np.ptp(b) == 0:
        return Reaction(layers, 0.0, 0.0)
    return Reaction(layers, spearman(a, b), ssim(a, b))


def spearman(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Spearman's rank correlation, tied values sharing the mean of their ranks; NaN where one is the same everywhere."""
    return pearson(_mean_ranks(a), _mean_ranks(b))


def _mean_ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: npt.NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[which.ravel()]
    return ranks


def ssim(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Structural similarity of two maps that are not all zero, each scaled to its largest absolute value; NaN where they
    are smaller than three places along a side."""
    from skimage.metrics import structural_similarity

    side = min(7, *(length - 1 + length % 2 for length in a.shape[-2:]))
    if side < 3:
        return float("nan")
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    axis = 0 if a.ndim == 3 else None
    return float(structural_similarity(a, b, win_size=side, data_range=2.0, channel_axis=axis))
