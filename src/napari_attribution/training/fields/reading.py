"""Reading: the fields of labelled wells as networks see them.

Each field is read once and made an input by the same steps as when the classifier explains it
(`napari_attribution.classifiers.preparation`), but for the normalisation, which follows
(`napari_attribution.training.fields.pixels`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.preparation.prepare import prepare
from napari_attribution.errors import AttributionError, LabelError, StainError, WellError
from napari_attribution.training.fields.pixels import LARGEST, NOT_READ, Floats, Pixels
from napari_attribution.training.fields.scratch import Scratch
from napari_attribution.training.labelling.labelled import Labelled, LabelledWell
from napari_attribution.training.network.moment import Moment
from napari_attribution.wells import Well
from napari_attribution.wells.plate import Field
from napari_attribution.wells.readers import names

MOST_FAILED = 1 / 3
"""Share of the fields that may fail; where more do, something is wrong with all of them."""
SAID = 3
"""Fields of which it is said why."""
THREADS = 4

Tell = Callable[[Moment], None]


@dataclass(frozen=True)
class _Measured:
    """What is kept of a field beside its pixels; all in detector units, (C,) each."""

    mean: Floats
    std: Floats
    quiet: Floats
    shape: tuple[int, int]
    pixel_size: tuple[float, float] | None


def read_pixels(found: Labelled, size: int, scratch: Scratch, tell: Tell | None = None) -> Pixels:
    """Read the fields of all wells, several at once.

    Parameters
    ----------
    found : Labelled
    size : int
        Height and width of an input.
    scratch : Scratch
        Where the pixels lie.
    tell : callable, optional
        May raise `Cancelled`, which stops the reading.

    Raises
    ------
    WellError
        Where more than a third of the fields cannot be read.
    LabelError
        Where of a class too few wells are left.
    """
    asked = [(number, field) for number, well in enumerate(found.wells) for field in well.fields]
    values = scratch.array((len(asked), len(found.stains), size, size))
    neutral = _neutral(found, size)
    measured: dict[int, _Measured] = {}
    failed: dict[int, str] = {}
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as threads:
        rows = {threads.submit(_read, field, neutral, values[row]): row for row, (_, field) in enumerate(asked)}
        try:
            for done in as_completed(rows):
                try:
                    measured[rows[done]] = done.result()
                except AttributionError as error:
                    failed[rows[done]] = str(error)
                if tell:
                    tell(Moment("reading", len(measured) + len(failed), len(asked)))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    names_of = {row: _name(found.wells[asked[row][0]], asked[row][1]) for row in sorted(failed)}
    notes = _notes([(name, failed[row]) for row, name in names_of.items()], len(asked))
    kept = _kept(found, {asked[row][0] for row in measured})
    number_of = {well.name: number for number, well in enumerate(kept.wells)}
    shape = (len(asked), len(found.stains))
    pixels = Pixels(
        found=replace(kept, notes=(*kept.notes, *notes)),
        values=values,
        mean=np.full(shape, np.nan),
        std=np.full(shape, np.nan),
        quiet=np.full(shape, np.nan),
        wells=np.full(len(asked), NOT_READ),
        field_size=_common([_field_size(one) for one in measured.values()]),
        pixel_size=(_common([one.pixel_size for one in measured.values()]) or (None,))[0],
    )
    for row, one in measured.items():
        pixels.mean[row], pixels.std[row], pixels.quiet[row] = one.mean, one.std, one.quiet
        pixels.wells[row] = number_of[found.wells[asked[row][0]].name]
    return pixels


def _neutral(found: Labelled, size: int) -> ClassifierCard:
    """A card that resizes and leaves the detector's units."""
    C = len(found.stains)
    return ClassifierCard(
        stains=found.stains, classes=found.classes, size=(size, size), mean=(0.0,) * C, std=(1.0,) * C
    )


def _read(field: Field | Well, card: ClassifierCard, into: npt.NDArray[np.float16]) -> _Measured:
    well = field if isinstance(field, Well) else field.read()
    prepared = prepare(well, card)
    x = prepared.inputs[0].numpy().astype(np.float64)
    mean, std = x.mean(axis=(1, 2)), x.std(axis=(1, 2))
    flat = [stain for stain, spread in zip(card.stains, std, strict=True) if spread == 0]
    if flat:
        raise StainError(
            f"the stain {names.listed(flat)} has the same value in all pixels, so there is nothing to see."
        )
    into[:] = np.clip((x - mean[:, None, None]) / std[:, None, None], -LARGEST, LARGEST)
    return _Measured(mean, std, prepared.background[0].double().numpy(), well.shape, well.pixel_size)


def _name(well: LabelledWell, field: Field | Well) -> str:
    """ "plate/B03 field 1"."""
    return f"{well.plate}/{field.name}" if well.plate else field.name


def _notes(failed: Sequence[tuple[str, str]], asked: int) -> list[str]:
    if not failed:
        return []
    said = " ".join(f"{field}: {why}" for field, why in failed[:SAID])
    if len(failed) > SAID:
        said += f" The others are {names.listed([field for field, _ in failed[SAID:]], 12)}."
    if len(failed) > MOST_FAILED * asked:
        raise WellError(
            f"{len(failed):,} of {asked:,} fields cannot be learned from, so something is wrong with the plate. {said} Put that "
            "right, or leave the wells or stains out."
        )
    return [f"{len(failed):,} of {asked:,} fields cannot be learned from and are left out. {said}"]


def _kept(found: Labelled, wells: set[int]) -> Labelled:
    """The wells of which something was read."""
    kept = tuple(well for number, well in enumerate(found.wells) if number in wells)
    lost = [label for label in found.classes if not any(well.label == label for well in kept)]
    if lost:
        raise LabelError(
            f"None of the wells of the class {names.listed(lost)} could be read. Put their files right, or leave the class out."
        )
    return replace(found, wells=kept)


def _field_size(one: _Measured) -> tuple[float, float] | None:
    return one.pixel_size and (one.shape[0] * one.pixel_size[0], one.shape[1] * one.pixel_size[1])


def _common(sizes: Sequence[tuple[float, float] | None]) -> tuple[float, float] | None:
    """The size that all have, but for a percent; None where they differ or one is not known."""
    known = [size for size in sizes if size is not None]
    return known[0] if len(known) == len(sizes) and np.allclose(known, known[0], rtol=0.01) else None
