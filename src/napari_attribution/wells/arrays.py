"""Wells from planes that are already in memory: napari layers, arrays in a notebook, one file a stain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import StainError, WellError
from napari_attribution.wells.well import Well


def well_from_arrays(
    planes: Mapping[str, npt.ArrayLike],
    pixel_size: tuple[float, float] | None = None,
    source: Sequence[str] = (),
) -> Well:
    """A well from one plane a stain.

    Parameters
    ----------
    planes : mapping of str to (H, W) array
        The detector's pixels of each stain, by the stain's name, in the order of the channels.
    pixel_size : (float, float), optional
        Height and width of a pixel in um.
    source : sequence of str
        Where the planes came from, such as the names of the layers.

    Returns
    -------
    Well
        With pixels (C, H, W) in the planes' own dtype.

    Raises
    ------
    WellError
        For planes that are not (H, W), or that differ in size or dtype, or for a pixel size that is none.
    StainError
        For stain names that are empty or used twice.
    """
    if not planes:
        raise StainError("No stains were chosen. Choose one layer with a channel axis, or a layer per stain.")
    if pixel_size is not None and not (len(pixel_size) == 2 and all(0 < side < np.inf for side in pixel_size)):
        raise WellError(
            f"A pixel of {' x '.join(f'{side:g}' for side in pixel_size)} um is no pixel; give two sizes > 0."
        )
    labelled = []
    for stain, plane in planes.items():
        pixels = np.asarray(plane)
        if pixels.ndim != 2:
            raise WellError(
                f"The stain {stain} should be one plane with the axes (y, x), but has the shape {pixels.shape}. "
                "Choose one layer with a channel axis, or a layer per stain."
            )
        labelled.append((f"the stain {stain}", pixels))
    return Well(stacked(labelled), tuple(planes), pixel_size, source=tuple(source))


def stacked(planes: Sequence[tuple[str, npt.NDArray[Any]]]) -> npt.NDArray[Any]:
    """The (C, H, W) pixels of C labelled (H, W) planes, all of one size and dtype.

    Raises
    ------
    WellError
        Naming the first plane and the first that differs from it, and what each has.
    """
    first, expected = planes[0]
    for label, plane in planes[1:]:
        if plane.shape != expected.shape:
            raise WellError(
                f"The stains differ in size: {first} is {_size(expected)}, but {label} is {_size(plane)}. "
                "All stains of a well must show the same field with the same binning."
            )
        if plane.dtype != expected.dtype:
            raise WellError(
                f"The stains differ in pixel type: {first} is {expected.dtype}, but {label} is {plane.dtype}. "
                "Save all of them with the same bit depth."
            )
    return np.stack([plane for _, plane in planes])


def _size(plane: npt.NDArray[Any]) -> str:
    return f"{plane.shape[0]} x {plane.shape[1]} pixels (height x width)"
