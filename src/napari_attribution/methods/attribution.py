"""Attribution: the answer to "why this class?", with all that is needed to trust and repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari_attribution.methods.question.parts import Part
    from napari_attribution.wells.place import Place

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Attribution:
    """A signed map of evidence and the importance of each stain.

    Parameters
    ----------
    values : (H, W) or (C, H, W) float32 ndarray
        The signed map in `units`, one value a well pixel: positive where the pixels speak for the class, negative where
        they speak against it, zero where they say nothing. With a leading axis it is resolved by stain, in the order of
        `stains`.
    native : (h', w') or (C, h', w') float32 ndarray
        The same map at the resolution at which the method computed it, before it was laid over the well; the same as
        `values` where the well was looked at in several inputs (tiles, cells).
    stains : tuple of C str
        The well's own names of the stains, in the order that the classifier wants.
    channel_importance : mapping of stain to float
        Share of the explanation that is each stain's; what it is a share of stands in `importance_meaning`.
    channel_spread : mapping of stain to float
        One standard deviation of each share over repeats; empty where the method has none.
    target : str
        The class explained.
    score_name : str
        What was explained: "logit", "probability" or "contrast with <class>".
    score : float
        Its value for the well as it is.
    predicted : str
        The class that the classifier itself chooses.
    probabilities : mapping of class to float
    method : str
    units : str
        Unit of `values`, for instance "logit per location".
    pixel_size : (float, float) or None
        Of the well, in um.
    device : str
    seconds : float
    forwards : float
        Work done, in forward passes of the classifier; a forward with its input gradient counts as 2.2.
    faithfulness : mapping of str to float
        How far to trust the map, in numbers (`napari_attribution.faithfulness.quick`); empty where it was not asked for.
    trust : tuple of str
        The same in sentences.
    warnings : tuple of str
        What the reader of the map should know, in sentences.
    place : Place, optional
        The part of the well that was asked about; None for all of it. The map is zero elsewhere.
    part : Part, optional
        What the well's score owes to the place, where the input shows more than it.
    record : mapping
        All that is needed to repeat the run: versions, file hashes, stain mapping, preparation, parameters, seed, device.
    """

    values: Floats
    native: Floats
    stains: tuple[str, ...]
    channel_importance: Mapping[str, float]
    channel_spread: Mapping[str, float]
    importance_meaning: str
    target: str
    score_name: str
    score: float
    predicted: str
    probabilities: Mapping[str, float]
    method: str
    units: str
    pixel_size: tuple[float, float] | None
    device: str
    seconds: float
    forwards: float
    faithfulness: Mapping[str, float] = field(default_factory=dict)
    trust: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    place: Place | None = None
    part: Part | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def map(self) -> Floats:
        """The (H, W) map, summed over the stains where it is resolved by stain."""
        return self.values if self.values.ndim == 2 else self.values.sum(axis=0)

    @property
    def per_stain(self) -> dict[str, Floats]:
        """One (H, W) map a stain; empty where the method does not resolve stains."""
        return dict(zip(self.stains, self.values, strict=True)) if self.values.ndim == 3 else {}
