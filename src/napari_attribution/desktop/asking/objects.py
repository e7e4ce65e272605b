"""The object of a label image that was clicked at, as a mask over the well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Labels, Layer

from napari_attribution.desktop.jobs import Report
from napari_attribution.desktop.layers import ours
from napari_attribution.errors import RequestError


@dataclass(frozen=True, eq=False)
class FrozenLabels:
    """A label image, the pixel of it that was clicked at, and where the well's pixels lie in it.

    Parameters
    ----------
    data : (..., h, w) array
    name : str
    pixel : tuple of int
    matrix : (2, 2) ndarray
    offset : (2,) ndarray
        A well's pixel p lies at matrix @ p + offset.
    """

    data: Any
    name: str
    pixel: tuple[int, ...]
    matrix: np.ndarray
    offset: np.ndarray

    @classmethod
    def of(cls, layer: Labels, position: Sequence[float], well: Layer) -> FrozenLabels | None:
        """None where the click was not on this layer."""
        data = layer.data[0] if layer.multiscale else layer.data
        pixel = tuple(int(at) for at in np.round(layer.world_to_data(position)))
        if not all(0 <= at < size for at, size in zip(pixel, data.shape, strict=True)):
            return None

        def there(row: float, column: float) -> np.ndarray:
            world = well.data_to_world((*(0,) * (well.ndim - 2), row, column))
            return np.asarray(layer.world_to_data(world[-2:]))[-2:]

        offset = there(0, 0)
        return cls(
            data, layer.name, pixel, np.stack([there(1, 0) - offset, there(0, 1) - offset], axis=1), np.array(offset)
        )

    def mask(self, shape: tuple[int, int]) -> np.ndarray | None:
        """(H, W) bool; None where there is no object at the pixel. Runs in the worker."""
        plane = np.asarray(self.data[self.pixel[:-2]])
        label = plane[self.pixel[-2:]]
        if not label:
            return None
        found = plane == label
        if plane.shape == shape and np.allclose(self.matrix, np.eye(2)) and np.allclose(self.offset, 0, atol=1e-3):
            return found
        from scipy.ndimage import affine_transform

        laid = affine_transform(found.astype(np.uint8), self.matrix, self.offset, output_shape=shape, order=0)
        return laid > 0


@dataclass(frozen=True, eq=False)
class Click:
    """A frozen click: which object of which label image is there?"""

    found: tuple[FrozenLabels, ...]
    layers: int
    shape: tuple[int, int]

    @classmethod
    def at(
        cls,
        position: Sequence[float],
        layers: Iterable[Layer],
        chosen: Layer | None,
        well: Layer,
        shape: tuple[int, int],
    ) -> Click:
        """On these layers: the one that marks the cells first, then those named after cells, then the topmost."""
        labels = [layer for layer in layers if isinstance(layer, Labels) and not ours(layer)]
        labels.sort(key=lambda layer: (layer is not chosen, "cell" not in layer.name.casefold()))
        frozen = (FrozenLabels.of(layer, position, well) for layer in labels)
        return cls(tuple(one for one in frozen if one is not None), len(labels), shape)

    def mask(self, report: Report) -> np.ndarray:
        """The clicked object over the well, (H, W) bool; runs in the worker.

        Raises
        ------
        RequestError
            Where there is none.
        """
        if not self.layers:
            raise RequestError(
                "No layer says where the cells are. Open a label image of them (a Labels layer), or take the brush."
            )
        for one in self.found:
            report(0, 0)
            mask = one.mask(self.shape)
            if mask is not None and mask.any():
                return mask
        raise RequestError("There is no cell here. Click into a cell of a Labels layer, or take the brush.")
