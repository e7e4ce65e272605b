"""The range of each stain before and after normalisation, and whether it can be what the classifier was trained on.

==================== ===============================================================================================
cannot be right      found by
==================== ===============================================================================================
another bit depth    8 bits, where the card's mean (or divisor) is above 255, or its std larger than pixels of 0-255
                     with that mean can have: std**2 > mean * (255 - mean)
scaled pixels        no pixel above 1, where the card's mean is (or the divisor is a bit depth's top)
scaled training set  the card's mean and std are those of pixels within 0-1, and these pixels are not
far off              for a fixed mean and std, a median farther than `FAR` from 0
no contrast          one value everywhere after normalisation, or, for a fixed mean and std, a standard deviation below
                     `FLAT` where it was 1 in training
nothing to divide by for an image's own numbers, a pixel above `HUGE`: its percentiles are the same value
==================== ===============================================================================================

A mean of 0 is no detector's: such a card only divides, and says nothing of the training wells but their scale; with a std
of 1, for whole numbers, not even that: the network takes pixels as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.preparation.prepare import Prepared
from napari_attribution.wells import Well

FAR = 6.0
"""A stain whose typical normalised pixel is farther from zero than this was not normalised as in training."""

FLAT = 0.05
"""A stain that varies less than this, where it varied by 1 in training, was not normalised as in training."""

HUGE = 1e4
"""An image's own std or percentiles that make a pixel larger than this were next to nothing."""

MOST = 2**18
"""Percentiles are those of at most about so many pixels, evenly spread."""

Five = tuple[float, float, float, float, float]
"""Minimum, 1st percentile, median, 99th percentile, maximum."""


@dataclass(frozen=True)
class StainRange:
    """What a stain's pixels are before and after normalisation.

    Parameters
    ----------
    stain, well_stain : str
        The card's name and the well's.
    raw : Five
        Of the well, in detector units.
    normalised : Five
        Of the inputs.
    expected : (float, float) or None
        Where most pixels lay in training, in detector units: within three standard deviations of the mean. Where the card
        only divides, from 0 to the divisor.
    ok : bool
    sentence : str
        What is wrong, in words; empty where nothing is.
    """

    stain: str
    well_stain: str
    raw: Five
    normalised: Five
    expected: tuple[float, float] | None
    ok: bool
    sentence: str


def stain_ranges(well: Well, card: ClassifierCard, prepared: Prepared) -> tuple[StainRange, ...]:
    """One range a stain, in the order of the card."""
    found = []
    for index, (stain, own) in enumerate(prepared.stains.items()):
        raw = five(well.plane(own))
        pixels = prepared.inputs[:, index].numpy()
        normalised, expected = five(pixels), None
        if card.mean is not None and card.std is not None:
            mean, std = card.mean[index], card.std[index]
            if mean != 0 or (std == 1 and well.pixels.dtype.kind == "f"):
                expected = (mean - 3 * std, mean + 3 * std)
            elif std != 1:
                expected = (0.0, std)
            wrong = _against_training(own, raw, well.pixels.dtype, mean, std, normalised, float(pixels.std()))
        else:
            wrong = _of_itself(own, normalised)
        found.append(StainRange(stain, own, raw, normalised, expected, not wrong, wrong))
    return tuple(found)


def five(pixels: npt.NDArray[Any]) -> Five:
    """Minimum, 1st percentile, median, 99th percentile and maximum of an (..., H, W) array."""
    step = max(1, int(np.ceil(np.sqrt(pixels.size / MOST))))
    low, middle, high = np.percentile(pixels[..., ::step, ::step], (1, 50, 99))
    return float(pixels.min()), float(low), float(middle), float(high), float(pixels.max())


def _against_training(
    name: str, raw: Five, dtype: np.dtype[Any], mean: float, std: float, normalised: Five, contrast: float
) -> str:
    """What cannot be, given the mean and std of the training wells; empty where all can."""
    top, trained = raw[4], f"the card's mean is {mean:g} and its std {std:g}"
    as_it_is = mean == 0 and std == 1 and dtype.kind != "f"
    divides = mean == 0 and std != 1
    scale = std if divides else mean
    if not np.isfinite(normalised).all():
        return f"{name} has pixels that are not numbers."
    if normalised[0] == normalised[4]:
        return f"{name} has the same value everywhere after normalisation ({normalised[2]:.3g})."
    spreads_more = mean > 0 and std**2 > mean * (255 - mean)
    if dtype.kind == "u" and dtype.itemsize == 1 and (scale > 255 or spreads_more):
        return f"{name} has 8 bits ({raw[0]:g} to {top:g}), but {trained}: the training wells had more bits."
    if dtype.kind == "f" and top <= 1 < scale and not (divides and std < 255):
        return f"{name} is scaled to {raw[0]:.3g} - {top:.3g}, but {trained}: open the well in detector units."
    if 0 < mean <= 1 and std <= 1 and abs(normalised[2]) > FAR and top > 2:
        return (
            f"{name} goes from {raw[0]:g} to {top:g}, but {trained}: the training pixels were scaled to 0 - 1. Give the mean and "
            "std in detector units (times 255 or 65535)."
        )
    wrong = []
    if contrast < FLAT and not divides and not as_it_is:
        wrong.append(f"its contrast is {contrast:.2g} of that in training")
    if abs(normalised[2]) > FAR and not as_it_is:
        wrong.append(f"its typical pixel is {normalised[2]:.1f} standard deviations from the training mean")
    return f"After normalisation, {name} is not as in training: {' and '.join(wrong)} ({trained})." if wrong else ""


def _of_itself(name: str, normalised: Five) -> str:
    """What cannot be, where the image itself gives the numbers to normalise by."""
    if not np.isfinite(normalised).all():
        return f"{name} has pixels that are not numbers."
    if normalised[0] == normalised[4]:
        return (
            f"{name} has the same value everywhere after normalisation ({normalised[2]:.3g}): there is nothing in it."
        )
    largest = max(abs(normalised[0]), abs(normalised[4]))
    if largest > HUGE:
        return (
            f"{name} goes up to {largest:.2g} after normalisation: nearly all of its pixels have the same value, so that there is "
            "nothing to divide by."
        )
    return ""
