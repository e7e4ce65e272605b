"""Pixels: fields as they were read, and how they become a network's examples.

The numbers of the normalisation are those of the wells that train, which are others with each seed. Until a split is known, the
pixels are kept as float16 about each field's own mean, in units of its own standard deviation: they are rounded to a thousandth
of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.training.fields.examples import Examples
from napari_attribution.training.fields.scratch import Scratch
from napari_attribution.training.labelling.labelled import Labelled

LARGEST = 6e4
"""Nearly the largest number of float16: a single hot pixel, many thousand standard deviations away."""

NOT_READ = -1
"""In place of a well's number, where the field could not be read."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pixels:
    """All fields that were asked for; of those that could not be read, the numbers are NaN.

    Parameters
    ----------
    found : Labelled
        The wells of which something could be read.
    values : (N, C, h, w) ndarray of float16
        (x - mean) / std of each field's own stain, x in detector units.
    mean, std, quiet : (N, C) ndarray
        In detector units: of each field and stain; `quiet` is the value that means "nothing there".
    wells : (N,) ndarray
        The number of each field's well in `found.wells`, or `NOT_READ`.
    field_size : (float, float), optional
        Height and width of a field in um, where all say the same.
    pixel_size : float, optional
        In um, likewise.
    """

    found: Labelled
    values: npt.NDArray[np.float16]
    mean: Floats
    std: Floats
    quiet: Floats
    wells: npt.NDArray[np.int64]
    field_size: tuple[float, float] | None
    pixel_size: float | None

    def card(self, training: Sequence[int], name: str, description: str) -> ClassifierCard:
        """What a classifier that is trained on these wells wants for input: mean and std of their pixels, stain by stain."""
        rows = np.isin(self.wells, training)
        mean = self.mean[rows].mean(axis=0)
        std = np.sqrt((self.std[rows] ** 2 + (self.mean[rows] - mean) ** 2).mean(axis=0))
        h, w = self.values.shape[2:]
        return ClassifierCard(
            stains=self.found.stains,
            classes=self.found.classes,
            size=(h, w),
            mean=tuple(mean.tolist()),
            std=tuple(std.tolist()),
            background=tuple(np.median(self.quiet[rows], axis=0).tolist()),
            pixel_size=self.pixel_size,
            field_size=self.field_size,
            name=name,
            description=description,
        )

    def examples(self, wells: Sequence[int], card: ClassifierCard, scratch: Scratch) -> Examples:
        """The fields of some wells, normalised as the card says."""
        chosen = np.flatnonzero(np.isin(self.wells, wells))
        inputs = scratch.array((len(chosen), *self.values.shape[1:]))
        shift, scale = (np.array(numbers)[:, None, None] for numbers in (card.mean, card.std))
        for row, number in enumerate(chosen):
            own = self.mean[number][:, None, None] + self.std[number][:, None, None] * self.values[number]
            inputs[row] = np.clip((own - shift) / scale, -LARGEST, LARGEST)
        of = [self.found.wells[number] for number in self.wells[chosen]]
        number_of = {label: number for number, label in enumerate(self.found.classes)}
        return Examples(
            inputs=inputs,
            classes=np.array([number_of[well.label] for well in of], np.int64),
            groups=tuple(well.name for well in of),
            plates=tuple(well.plate for well in of) if len(self.found.plates) > 1 else (),
        )
