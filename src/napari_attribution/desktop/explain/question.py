"""What is asked of the worker, frozen: nothing in it changes while the worker is at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Layer

from napari_attribution.desktop.jobs import Report
from napari_attribution.desktop.torch_import import import_torch
from napari_attribution.desktop.wells_from_layers import FrozenWell, OpenWell
from napari_attribution.errors import WellError

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.classifiers.preflight import Preflight
    from napari_attribution.methods.answers.explained import Explained
    from napari_attribution.wells.place import Place


@dataclass(frozen=True, eq=False)
class FrozenCells:
    """Where the cells are: points in pixels of the well, or the label image whose regions they are."""

    data: Any
    labels: bool

    @classmethod
    def of(cls, layer: Layer, well: OpenWell) -> FrozenCells:
        if isinstance(layer, Labels):
            return cls(layer.data[0] if layer.multiscale else layer.data, True)
        reference = well.layers[0]
        to_world, to_pixels = layer._data_to_world, reference._data_to_world.set_slice([-2, -1]).inverse
        world = np.array([to_world(point)[-2:] for point in layer.data]).reshape(-1, 2)
        return cls(np.array([to_pixels(point) for point in world]).reshape(-1, 2), False)

    def centres(self) -> np.ndarray:
        """(n, 2) rows and columns; runs in the worker."""
        if not self.labels:
            return self.data
        from skimage.measure import regionprops

        image = np.squeeze(np.asarray(self.data))
        if image.ndim != 2:
            raise WellError(f"The layer of the cells has {image.ndim} axes; it must lie over the well, with two.")
        return np.array([region.centroid for region in regionprops(image)]).reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class Look:
    """A frozen request for a preflight."""

    well: FrozenWell
    classifier: Classifier
    stain_map: Mapping[str, str]
    cells: FrozenCells | None

    def answer(self, report: Report) -> Preflight:
        """Look; runs in the worker."""
        import_torch()
        from napari_attribution.classifiers.preflight import preflight

        cells = self.cells.centres() if self.cells else None
        return preflight(self.classifier, self.well.read(), self.stain_map, cells, cancelled=report.cancelled)


@dataclass(frozen=True, eq=False)
class Question:
    """A frozen request to explain."""

    well: FrozenWell
    classifier: Classifier
    method: str
    target: str | None
    score: str
    against: str | None
    stain_map: Mapping[str, str]
    cells: FrozenCells | None
    accept_flaws: bool
    parameters: Mapping[str, Any]
    place: Place | None = None
    faithfulness: bool = True
    threads: int | None = None
    """As many as an earlier run had, to repeat it to the last bit; None for as many as there are."""

    def answer(self, report: Report) -> Explained:
        """Compute; runs in the worker."""
        import_torch()
        from napari_attribution.faithfulness.explain import explained
        from napari_attribution.keeping.repeat import threads_of

        report(0, 0)
        with threads_of(self.threads):
            return explained(
                self.classifier,
                self.well.read(),
                self.method,
                self.target,
                self.score,
                against=self.against,
                stain_map=self.stain_map,
                cells=self.cells.centres() if self.cells else None,
                accept_flaws=self.accept_flaws,
                place=self.place,
                faithfulness=self.faithfulness,
                progress=report,
                **self.parameters,
            )

    def settled(self, found: Explained) -> Question:
        """The question that was answered: the same, but where only the answer says what was meant."""
        return self
