"""What was pointed at, and which part of the well that is.

A `Spot` is small and plain, so that five hundred of them weigh nothing; the part of the well (a mask) is made of it in the
worker, each time that it is asked about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import RequestError, WellError
from napari_attribution.wells.place import Place

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Spot:
    """Where somebody pointed, in pixels of the well.

    Parameters
    ----------
    row, column : float
        The pointer; of a drawn region, its centre.
    side : int
        Of the square that is meant where there is no cell.
    corners : tuple of (row, column)
        Of a drawn region; nothing where a point was meant.
    label : int, optional
        The cell that is meant, where it is known already.
    """

    row: float
    column: float
    side: int = 1
    corners: tuple[tuple[float, float], ...] = ()
    label: int | None = None


@dataclass(frozen=True, eq=False)
class FrozenLabels:
    """What the worker needs to find cells: a reference to a label image, and where it lies.

    Parameters
    ----------
    name : str
        Of the layer.
    data : array
        (..., h, w) whole numbers; 0 is background.
    at : tuple of int
        Which plane of it is looked at.
    matrix, shift : (2, 2) and (2,) ndarray
        From pixels of the well to pixels of the label image.
    """

    name: str
    data: Any
    at: tuple[int, ...] = ()
    matrix: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(2))
    shift: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def plane(self) -> npt.NDArray[Any]:
        """The (h, w) label image.

        Raises
        ------
        WellError
            Where it cannot be fetched, or is not of two axes.
        """
        try:
            plane = np.asarray(self.data[self.at])
        except (OSError, ValueError, RuntimeError, IndexError) as error:
            raise WellError(f"The cells in {self.name} cannot be read: {error}.") from error
        if plane.ndim != 2:
            raise WellError(f"The layer {self.name} shows no plane of cells, but an array of shape {plane.shape}.")
        return plane

    def label_at(self, plane: npt.NDArray[Any], row: float, column: float) -> int:
        """The object at a pixel of the well; 0 where there is none."""
        i, j = np.floor(self.matrix @ (row, column) + self.shift + 0.5).astype(int)
        inside = 0 <= i < plane.shape[0] and 0 <= j < plane.shape[1]
        return int(plane[i, j]) if inside else 0

    def mask_of(self, plane: npt.NDArray[Any], label: int | None, shape: tuple[int, int]) -> Mask:
        """Where in a well of this shape an object lies; None for any object.

        Every pixel of the well is looked up in the label image, so that cells found on a coarser or turned image fit.
        """
        found = plane == label if label is not None else plane != 0
        mask = np.zeros(shape, dtype=bool)
        if plane.shape == shape and np.allclose(self.matrix, np.eye(2)) and np.allclose(self.shift, 0):
            return found
        rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
        if not rows.size:
            return mask
        (top, bottom), (left, right) = rows[[0, -1]], columns[[0, -1]]
        ends = np.array([(i, j) for i in (top - 0.5, bottom + 0.5) for j in (left - 0.5, right + 0.5)])
        box = np.linalg.solve(self.matrix, (ends - self.shift).T).T
        low = np.clip(np.floor(box.min(axis=0)), 0, shape).astype(int)
        high = np.clip(np.ceil(box.max(axis=0)) + 1, 0, shape).astype(int)
        grid = np.indices(tuple(high - low)).reshape(2, -1) + low[:, None]
        i, j = np.floor(self.matrix @ grid + self.shift[:, None] + 0.5).astype(int)
        inside = (i >= 0) & (i < plane.shape[0]) & (j >= 0) & (j < plane.shape[1])
        mask[tuple(grid[:, inside])] = found[i[inside], j[inside]]
        return mask


@dataclass(frozen=True, eq=False)
class Found:
    """The part of the well that a spot means.

    Parameters
    ----------
    place : Place
    kind : str
        "cell", "region" or "square".
    label : int
        Of the cell; 0 for anything else.
    cells : (H, W) bool ndarray or None
        What counts as "inside cells" there: the cell, or of anything else all cells; None where no cells are known.
    """

    place: Place
    kind: str
    label: int
    cells: Mask | None


def find(spot: Spot, labels: FrozenLabels | None, shape: tuple[int, int]) -> Found:
    """The cell under the pointer, else the region or the square about it; runs in the worker.

    Raises
    ------
    RequestError
        For a place outside the well, or a cell that is not there.
    WellError
        Where the label image cannot be read.
    """
    plane = labels.plane() if labels else None
    if not spot.corners and labels is not None and plane is not None:
        label = labels.label_at(plane, spot.row, spot.column) if spot.label is None else spot.label
        if label:
            mask = labels.mask_of(plane, label, shape)
            if not mask.any():
                raise RequestError(
                    f"There is no cell {label} of the layer {labels.name} in this well any more. Pick it anew."
                )
            return Found(Place(mask, f"cell {label}"), "cell", label, mask)
    if spot.label:
        raise RequestError(f"The layer in which cell {spot.label} was picked is not there any more. Pick it anew.")
    cells = None if labels is None or plane is None else labels.mask_of(plane, None, shape)
    if spot.corners:
        name = f"the region at row {spot.row:.0f}, column {spot.column:.0f}"
        return Found(Place.polygon(shape, spot.corners, name), "region", 0, cells)
    return Found(Place.square(shape, (spot.row, spot.column), spot.side), "square", 0, cells)
