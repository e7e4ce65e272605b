"""Well: one field of one well, all its stains, as the detector saw them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import PixelError, StainError, WellError


@dataclass(frozen=True, eq=False)
class Well:
    """One multi-channel field of view.

    Parameters
    ----------
    pixels : (C, H, W) ndarray
        Detector units, in the detector's own dtype (unsigned integer or float); kept read-only.
    stains : sequence of C str
        The name of each channel's stain, all different.
    pixel_size : (float, float), optional
        Height and width of a pixel in um; None where the file does not say.
    named : bool
        False where the file named no stains and `stains` are mere placeholders ("channel 1", ...).
    position : str, optional
        Place on the plate, such as "B03".
    field : int, optional
        Number of the field of view within the well.
    source : tuple of str
        The files (or napari layers) that the pixels came from.
    reading : mapping, optional
        What `read_well` was asked (path, stains, project, pattern) and the names that it `found`, so that the same can be
        read again; None for a well that was not read from files.

    Raises
    ------
    WellError
        For pixels that are not (C, H, W), not real numbers, or hold NaN or infinity.
    StainError
        For stain names that are missing, empty or used twice.
    """

    pixels: npt.NDArray[Any]
    stains: tuple[str, ...]
    pixel_size: tuple[float, float] | None = None
    named: bool = True
    position: str | None = None
    field: int | None = None
    source: tuple[str, ...] = ()
    reading: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels)
        stains = tuple(str(stain).strip() for stain in self.stains)
        if pixels.ndim != 3 or 0 in pixels.shape:
            raise WellError(
                f"A well has the axes (stain, y, x), but these pixels have the shape {pixels.shape}. "
                "Choose one time point and one focal plane (or project the stack) first."
            )
        if pixels.dtype.kind not in "uif":
            raise WellError(f"A well holds real numbers, but these pixels are {pixels.dtype}. Convert them first.")
        if len(stains) != pixels.shape[0]:
            raise StainError(
                f"{len(stains)} stain names ({', '.join(stains)}) were given for {pixels.shape[0]} channels. "
                "Give one name a channel, in the order of the channels."
            )
        if not all(stains) or len({stain.casefold() for stain in stains}) != len(stains):
            raise StainError(
                f"Each stain needs a name of its own, but these were given: {', '.join(map(repr, stains))}."
            )
        if pixels.dtype.kind == "f":
            for channel, (stain, plane) in enumerate(zip(stains, pixels, strict=True)):
                bad = int(np.count_nonzero(~np.isfinite(plane)))
                if bad:
                    raise PixelError(stain, channel, len(stains), bad)
        pixels = pixels.view()
        pixels.flags.writeable = False
        object.__setattr__(self, "pixels", pixels)
        object.__setattr__(self, "stains", stains)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    @property
    def name(self) -> str:
        """What to call this well in a list: its position and field, else its file, without the ending."""
        if self.position:
            return self.position + (f" field {self.field}" if self.field is not None else "")
        name = self.source[0].replace("\\", "/").rsplit("/", 1)[-1] if self.source else "well"
        return re.sub(r"(\.ome)?\.(tiff?|zarr)$", "", name, flags=re.IGNORECASE)

    def plane(self, stain: str) -> npt.NDArray[Any]:
        """The (H, W) pixels of one stain, found by its name (upper and lower case alike).

        Raises
        ------
        StainError
            Where the well has no such stain.
        """
        for name, plane in zip(self.stains, self.pixels, strict=True):
            if name.casefold() == stain.strip().casefold():
                return plane  # type: ignore[no-any-return]
        raise StainError(f"This well has no stain {stain!r}; it has {', '.join(self.stains)}.")

    def renamed(self, stains: Sequence[str]) -> Well:
        """The same well with its stains named anew, in the order of the channels."""
        return replace(self, stains=tuple(stains), named=True)
