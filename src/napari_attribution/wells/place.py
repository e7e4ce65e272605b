"""Place: a part of a well - a cell, a drawn region, the surroundings of a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import RequestError

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Place:
    """Which pixels of a well are meant.

    Parameters
    ----------
    mask : (H, W) bool ndarray
        Kept read-only.
    name : str
        What to call it: "cell 12", "row 40, column 88".

    Raises
    ------
    RequestError
        For a mask that is not two-dimensional, or empty.
    """

    mask: Mask
    name: str = "place"

    def __post_init__(self) -> None:
        mask = np.array(self.mask, dtype=bool)
        if mask.ndim != 2:
            raise RequestError(f"A place is a mask over the well with the axes (y, x); found the shape {mask.shape}.")
        if not mask.any():
            raise RequestError(f"There is nothing of {self.name} in this well. Choose a place within the image.")
        mask.flags.writeable = False
        object.__setattr__(self, "mask", mask)

    @classmethod
    def of_label(cls, labels: npt.ArrayLike, label: int) -> Place:
        """An object of a label image.

        Raises
        ------
        RequestError
            Where there is no such object.
        """
        return cls(np.asarray(labels) == label, f"cell {label}")

    @classmethod
    def square(cls, shape: tuple[int, int], centre: tuple[float, float], side: int) -> Place:
        """A square of `side` pixels about a point (row, column), as far as it lies within a well of this shape.

        Raises
        ------
        RequestError
            Where the point lies outside.
        """
        row, column = centre
        name = f"row {row:.0f}, column {column:.0f}"
        if not (-0.5 <= row < shape[0] - 0.5 and -0.5 <= column < shape[1] - 0.5):
            raise RequestError(
                f"The point at {name} lies outside the well of {shape[0]} x {shape[1]} pixels. Choose a place within the image."
            )
        mask = np.zeros(shape, dtype=bool)
        top, left = (int(np.floor(at + 0.5)) - side // 2 for at in centre)
        mask[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = True
        return cls(mask, name)

    @classmethod
    def polygon(cls, shape: tuple[int, int], corners: Sequence[Sequence[float]], name: str = "region") -> Place:
        """The inside of a polygon of (row, column) corners.

        Raises
        ------
        RequestError
            Where no pixel of the well lies within.
        """
        from skimage.draw import polygon2mask

        return cls(polygon2mask(shape, np.asarray(corners, dtype=float)), name)

    @property
    def box(self) -> tuple[slice, slice]:
        """The smallest rectangle around it: rows, columns."""
        rows, columns = (np.flatnonzero(self.mask.any(axis=axis)) for axis in (1, 0))
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    @property
    def centre(self) -> tuple[float, float]:
        """(row, column) of its centre of mass."""
        rows, columns = np.nonzero(self.mask)
        return float(rows.mean()), float(columns.mean())

    @property
    def record(self) -> dict[str, Any]:
        """As plain data: the name, the well's shape, and runs of pixels (row, first column, length)."""
        edges = np.diff(np.pad(self.mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        rows, starts = np.nonzero(edges == 1)
        stops = np.nonzero(edges == -1)[1]
        runs = np.stack([rows, starts, stops - starts], axis=1)
        return {"name": self.name, "shape": list(self.mask.shape), "runs": runs.tolist()}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Place:
        """The same place again.

        Raises
        ------
        RequestError
            For what is no record of a place.
        """
        try:
            mask = np.zeros([int(side) for side in record["shape"]], dtype=bool)
            for row, start, length in record["runs"]:
                mask[int(row), int(start) : int(start) + int(length)] = True
            return cls(mask, str(record["name"]))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise RequestError(
                f"This is no record of a place ({type(error).__name__}: {error}). It needs a name, a shape and runs."
            ) from None
