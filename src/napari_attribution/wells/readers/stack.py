"""From the axes that a file has to the axes (stain, y, x) of a well.

Nothing is sliced in silence: a focal stack needs a projection, a time series a time point. Pages whose meaning the
file does not give are stains where there are few of them (`MOST_STAINS`) or where the caller names them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import WellError

MOST_STAINS = 12
PROJECTIONS = ("max", "mean", "middle")

_UNKNOWN = "IQ"  # tifffile's letters for a series of pages and for an axis that nobody named
_HOW_TO_PROJECT = "Project it (project: max, mean or middle, the middle plane alone), or save one plane"


def checked_projection(project: str | None) -> None:
    """Refuse a projection that is none, whether or not there is something to project."""
    if project is not None and project not in PROJECTIONS:
        raise WellError(f"There is no projection {project!r}; choose one of {', '.join(map(repr, PROJECTIONS))}.")


def projected(planes: npt.NDArray[Any], axis: int, project: str) -> npt.NDArray[Any]:
    """Focal planes made one along an axis, in their own dtype (the mean of whole numbers is rounded)."""
    if project == "max":
        return np.asarray(planes.max(axis=axis))
    if project == "middle":
        return np.asarray(planes.take(planes.shape[axis] // 2, axis=axis))
    mean = planes.mean(axis=axis, dtype=np.float64)
    return np.asarray((np.rint(mean) if planes.dtype.kind in "ui" else mean).astype(planes.dtype))


def channels_first(
    pixels: npt.NDArray[Any], axes: str, what: str, project: str | None, wanted: int | None
) -> npt.NDArray[Any]:
    """The (C, H, W) pixels of an image with any axes.

    Parameters
    ----------
    pixels : ndarray
        As the file holds them.
    axes : str
        A letter for each of their axes, as tifffile gives them.
    what : str
        What to call the image in a sentence.
    project : "max", "mean", "middle" or None
        How focal planes become one.
    wanted : int or None
        How many stains the caller named.

    Raises
    ------
    WellError
        For a focal stack without a projection, a time series, or axes that cannot be told.
    """
    alone = tuple(i for i, axis in enumerate(axes) if axis not in "YX" and pixels.shape[i] == 1)
    pixels = np.squeeze(pixels, alone)
    axes = "".join(axis for i, axis in enumerate(axes) if i not in alone)
    if axes.count("Y") != 1 or axes.count("X") != 1:
        raise WellError(f"{what} is no image of the axes (stain, y, x): its shape is {pixels.shape}.")
    counts = dict(zip(axes, pixels.shape, strict=True))

    if "T" in axes:
        raise WellError(
            f"{what} is a time series: {_in_words(axes, pixels.shape)}. "
            "A well is one moment; choose one time point and save it as a file of its own."
        )
    if "Z" in axes:
        if project is None:
            raise WellError(
                f"{what} is a focal stack: {_in_words(axes, pixels.shape)}. {_HOW_TO_PROJECT}. "
                "If the planes are stains, save them as channels."
            )
        pixels, axes = projected(pixels, axes.index("Z"), project), axes.replace("Z", "")
    unknown = [axis for axis in axes if axis not in "CYX"]
    if len(unknown) == 1 and unknown[0] in _UNKNOWN and "C" not in axes:
        pages = counts[unknown[0]]
        if pages <= MOST_STAINS or pages == wanted:
            axes = axes.replace(unknown[0], "C")
        elif project is not None:
            pixels, axes = projected(pixels, axes.index(unknown[0]), project), axes.replace(unknown[0], "")
        else:
            raise WellError(
                f"{what} has {pages} pages and does not say what they are; more than {MOST_STAINS} are probably a "
                f"focal stack or a time series. {_HOW_TO_PROJECT}. If they are stains, name all {pages} (stains)."
            )
    elif unknown:
        raise WellError(
            f"{what} has more axes than (stain, y, x): {_in_words(axes, pixels.shape)}. "
            "Save one field, one time point and one focal plane as a file of its own."
        )
    if "C" not in axes:
        pixels, axes = pixels[np.newaxis], "C" + axes
    return pixels.transpose([axes.index(axis) for axis in "CYX"])


_WORDS = {"Z": "focal planes", "T": "time points", "C": "channels", "S": "samples", "P": "positions", "R": "regions"}


def _in_words(axes: str, shape: Sequence[int]) -> str:
    counts = [
        f"{size} {_WORDS.get(axis, 'pages of an unknown kind')}"
        for axis, size in zip(axes, shape, strict=True)
        if axis not in "YX"
    ]
    return " x ".join(counts)
