"""Chunks: the fields that are read, asked of the classifier and committed together.

How a plate is cut follows from the plan and its first fields alone, never from how far a run came: the classifier then sees
the same batches in a run that was stopped and went on as in one that was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from napari_attribution.errors import AttributionError, CardError, StainError
from napari_attribution.wells.plate import Field, Plate

if TYPE_CHECKING:
    from napari_attribution.screens.run.plan import Plan

IN_HAND = 3
"""Chunks that a process has in hand: one is read, one is computed, one is written."""

FEWEST, MOST = 8, 32
"""Fields in a chunk, as far as there is room: few enough to lose when a run is killed, more of them where they are small."""

SMALL = 4 * 2**20
"""Bytes up to which more than the fewest are taken."""

LOOKED_AT = 8
"""Fields that are tried in turn, until one can be read."""


@dataclass(frozen=True)
class Chunk:
    """Some fields, and the number of the chunk, from 0."""

    number: int
    fields: tuple[Field, ...]


def cut(plate: Plate, size: int) -> Iterator[Chunk]:
    """The plate's fields in their order, `size` by `size`."""
    fields, number = iter(plate), 0
    while some := tuple(islice(fields, size)):
        yield Chunk(number, some)
        number += 1


def size_of_chunks(plate: Plate, plan: Plan) -> int:
    """How many fields a chunk has, from the size of the first field that can be read.

    Raises
    ------
    CardError, StainError
        Where the classifier fits none of the fields that can be read among the first.
    """
    each = _bytes_of_a_field(islice(plate, LOOKED_AT), plan)
    room = plan.batch_bytes // (IN_HAND * each)
    return max(1, min(room, max(FEWEST, min(MOST, SMALL // each))))


def _bytes_of_a_field(fields: Iterable[Field], plan: Plan) -> int:
    """What a field takes while it is in hand: its pixels, the inputs made of it, and its maps, one a stain."""
    from napari_attribution.classifiers.preparation.prepare import prepare

    unfit: AttributionError | None = None
    for field in fields:
        try:
            well = field.read()
        except Exception:
            continue  # It is told of when its turn comes.
        try:
            inputs = prepare(well, plan.card, plan.stain_map).inputs
        except (CardError, StainError) as error:
            unfit = error
            continue
        return int(well.pixels.nbytes + 4 * inputs.numel() + 4 * len(plan.methods) * well.pixels.size)
    if unfit is not None:
        raise unfit
    h, w = plan.card.size or (1024, 1024)
    return 4 * len(plan.stains) * h * w * (2 + len(plan.methods))
