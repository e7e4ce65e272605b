"""What the plates are that are to be trained on, and what may be the class of their wells. For the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_attribution.desktop.plates import preview
from napari_attribution.desktop.train.wanted import Wanted

if TYPE_CHECKING:
    from napari_attribution.wells.plate import Plate

MOST_CLASSES = 12
"""With more values, a condition is a number or a name of its own for every well, and no class."""


@dataclass(frozen=True)
class Seen:
    """What there is to train on.

    Parameters
    ----------
    plates : tuple of Plate
    told : str
        What there is of them, for people.
    columns : mapping of name to int
        What is known of the wells of all plates, and how many different values it has.
    """

    plates: tuple[Plate, ...]
    told: str
    columns: Mapping[str, int]


def look(wanted: Wanted) -> Seen:
    """Read the plates, but no pixels.

    Raises
    ------
    WellError
        For a plate, or a table of conditions, that cannot be read.
    RequestError
        For a plate that is there twice.
    """
    if not wanted.more:
        plate, told = preview.look(wanted.plate, wanted.reading)
        return Seen((plate,), told, _columns(plate))

    from napari_attribution.training.labelling.labelled import named
    from napari_attribution.training.labelling.labels import columns_of
    from napari_attribution.training.labelling.matching import check_different
    from napari_attribution.wells import read_plate

    # A table may speak of all plates, in a column plate: no single one can read it.
    reading = wanted.reading | {"conditions": None}
    plates = tuple(read_plate(path, **reading) for path in wanted.plates)
    check_different(plates)
    of_each = [_columns(plate) for plate in plates]
    in_common = {
        name: max(of_one[name] for of_one in of_each) for name in of_each[0] if all(name in other for other in of_each)
    }
    columns = columns_of(wanted.conditions) if wanted.conditions else in_common
    lines = [
        line
        for name, plate in named(plates).items()
        for line in (f"{name} - {preview.in_short(plate)}", *(f"! {note}" for note in plate.notes))
    ]
    if columns:
        lines.append(f"Known of the wells: {', '.join(columns)}.")
    return Seen(plates, "\n".join(lines), columns)


def labels_of(wanted: Wanted) -> tuple[str, str | None]:
    """What a training is asked for as labels, and as the column of them where they are a table."""
    return (wanted.conditions, wanted.labels) if wanted.more and wanted.conditions else (wanted.labels, None)


def likely_labels(columns: Mapping[str, int]) -> str:
    """The first that has a few values, else the first."""
    return next((name for name, values in columns.items() if 2 <= values <= MOST_CLASSES), next(iter(columns), ""))


def _columns(plate: Plate) -> dict[str, int]:
    return {name: len({told.get(name) for told in plate.conditions.values()} - {None}) for name in plate.columns}
