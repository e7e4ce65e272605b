"""Normalisation: from detector units to what the network reads, as bioimage.io's preprocessing defines it.

=============  ====================================  ==========================================
card           bioimage.io                           out
=============  ====================================  ==========================================
fixed          fixed_zero_mean_unit_variance         (x - mean) / std
per-image      zero_mean_unit_variance               (x - x.mean) / (x.std + eps)
percentiles    scale_range                           (x - x.low) / (x.high - x.low + eps)
=============  ====================================  ==========================================

An image's own numbers are those of each of its stains, or of all of them together; std is the population's, and a
percentile is interpolated linearly. "An image" is what the network reads, with the background around a cell at the
border, or the whole well before it is resized or cut (`ClassifierCard.over`). Clipping comes before, after, or both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_attribution.classifiers.cards.card import ClassifierCard, Limits


@dataclass(frozen=True)
class Normalised:
    """Normalised images, and two values of each of their stains on the same scale.

    Parameters
    ----------
    images : (N, C, h, w) float32 Tensor
    background : (N, C) float32 Tensor
        What means "nothing there".
    typical : (N, C) float32 Tensor
        The stain's mean: in the training wells where the card gives it (0), else in the image itself.
    """

    images: Tensor
    background: Tensor
    typical: Tensor


def normalise(images: Tensor, background: Tensor, card: ClassifierCard) -> Normalised:
    """Normalise images as a card says.

    Parameters
    ----------
    images : (N, C, h, w) float32 Tensor
        In detector units.
    background : (C,) float32 Tensor
        Per stain, in detector units.
    card : ClassifierCard
    """
    images, quiet = _clipped(images, card.clip_before), _clipped(background, card.clip_before)[None, :, None, None]
    if card.mean is not None and card.std is not None:
        shift, scale = (
            torch.tensor(values, dtype=torch.float32)[None, :, None, None] for values in (card.mean, card.std)
        )
        images, quiet = (images - shift) / scale, ((quiet - shift) / scale).expand(len(images), -1, -1, -1)
        typical = _clipped(torch.zeros(quiet.shape[:2]), card.clip_after)
        return Normalised(_clipped(images, card.clip_after), _clipped(quiet, card.clip_after)[:, :, 0, 0], typical)
    low, spread = _statistics(images.numpy(), card)
    shift, scale = (torch.from_numpy(values.astype(np.float32)) for values in (low, spread + card.eps))
    flat = torch.from_numpy(spread == 0)
    images = _clipped((images - shift) / scale, card.clip_after)
    # Where a stain has one value everywhere, that value is all there is to tell from nothing: it is 0 after normalisation.
    quiet = _clipped(((quiet - shift) / scale).masked_fill(flat, 0.0), card.clip_after)
    stains = images.shape[:2]
    return Normalised(images, quiet[:, :, 0, 0].expand(stains), images.mean(dim=(2, 3), dtype=torch.float64).float())


def _statistics(
    images: npt.NDArray[np.float32], card: ClassifierCard
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What is subtracted and what, but for eps, is divided by: (N, C or 1, 1, 1) each."""
    axes = (1, 2, 3) if card.together else (2, 3)
    if card.percentiles is None:
        mean = images.mean(axis=axes, keepdims=True, dtype=np.float64)
        return mean, images.std(axis=axes, keepdims=True, dtype=np.float64)
    low, high = np.percentile(images, card.percentiles, axis=axes, keepdims=True).astype(np.float64)
    return low, high - low


def _clipped(values: Tensor, limits: Limits | None) -> Tensor:
    return values if limits is None else values.clamp(*limits)


def in_words(card: ClassifierCard) -> str:
    """How a card normalises, for people."""
    if card.normalisation == "fixed":
        return "by the card's mean and std"
    whose = "the whole well's" if card.over == "well" else "each input's"
    which = ", all stains together" if card.together else ""
    if card.percentiles is not None:
        return f"by {whose} percentiles {card.percentiles[0]:g} and {card.percentiles[1]:g}{which}"
    return f"by {whose} own mean and std{which}"


def settings(card: ClassifierCard) -> dict[str, Any]:
    """What a card says of normalisation, for the record; what it does not use is left out."""
    fixed = card.normalisation == "fixed"
    names = ["normalisation", "mean", "std", "percentiles", "clip_before", "clip_after"]
    names += [] if fixed else ["eps", "over", "together"]
    values = card.model_dump(mode="json", include=set(names))
    return {name: values[name] for name in names if values[name] is not None}
