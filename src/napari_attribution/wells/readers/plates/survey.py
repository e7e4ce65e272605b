"""What is known of a plate of files before any image is read: which files there are, and where each belongs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from napari_attribution.wells.plate import Condition


@dataclass(frozen=True, slots=True)
class Image:
    """One file, and where it belongs.

    Parameters
    ----------
    file : str
        Its path.
    position : str
        Of the well, such as "B03".
    field : int
    channel : str
        What tells the stains apart; the same for all where one file holds all stains.
    plane : int
        The focal plane.
    """

    file: str
    position: str
    field: int
    channel: str
    plane: int = 0


@dataclass(frozen=True)
class Survey:
    """The files of a plate.

    Parameters
    ----------
    name, source, format, layout, conditions, pixel_size, notes
        As in `Plate`; the layout is None where the format does not say.
    images : sequence of Image
        The files that are there.
    channels : mapping of channel to name
        In order; a name is None where only the image says it.
    whole : bool
        Whether each file holds all stains.
    wells, fields : collections of positions, and of (position, field)
        That the metadata speaks of, whether or not they are there.
    unmatched : tuple of str
        Names of the files that belong nowhere.
    pattern : str, optional
        What the user said of the names.
    """

    name: str
    source: str
    format: str
    images: Sequence[Image]
    channels: Mapping[str, str | None]
    whole: bool = False
    layout: tuple[int, int] | None = None
    wells: Collection[str] = ()
    fields: Collection[tuple[str, int]] = ()
    conditions: Mapping[str, Mapping[str, Condition]] = field(default_factory=dict)
    pixel_size: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    pattern: str | None = None
