"""What is asked of the worker, frozen: nothing in it changes while the worker is at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_attribution.desktop.asking.erased import Erased
from napari_attribution.desktop.jobs import Report
from napari_attribution.desktop.torch_import import import_torch

if TYPE_CHECKING:
    from napari_attribution.faithfulness.curves import Curves
    from napari_attribution.faithfulness.enough import Enough
    from napari_attribution.faithfulness.what_if import WhatIf
    from napari_attribution.methods.answers.explained import Explained


@dataclass(frozen=True, eq=False)
class Without:
    """What would the classifier say without this? Of the well's stains, those that it reads are at `indices`."""

    explained: Explained
    erased: Erased
    indices: tuple[int, ...]

    def answer(self, report: Report) -> WhatIf:
        """Compute; runs in the worker."""
        import_torch()
        from napari_attribution.classifiers.heeding import heeding
        from napari_attribution.faithfulness.what_if import what_if
        from napari_attribution.methods.question.progress import Repeated

        check = Repeated(report).check
        with heeding(check):
            return what_if(self.explained, self.erased.masks(self.indices), check)


@dataclass(frozen=True, eq=False)
class Top:
    """What is the top of this map, and what does the classifier say of it? Each is answered in the worker."""

    explained: Explained

    def order(self, report: Report) -> np.ndarray:
        """When each place of the well comes in."""
        import_torch()
        from napari_attribution.faithfulness.enough import entering

        report(0, 0)
        return entering(self.explained)

    def kept(self, part: float, report: Report) -> Enough:
        """What the classifier says of the top alone."""
        import_torch()
        from napari_attribution.classifiers.heeding import heeding
        from napari_attribution.faithfulness.enough import enough
        from napari_attribution.methods.question.progress import Repeated

        check = Repeated(report).check
        with heeding(check):
            return enough(self.explained, part, check)

    def curves(self, report: Report) -> Curves:
        """What it says of ever more of the map."""
        import_torch()
        import pyqtgraph  # noqa: F401 - here, where nobody waits for it; the plot needs it next

        from napari_attribution.classifiers.heeding import heeding
        from napari_attribution.faithfulness.enough import enough_curves
        from napari_attribution.methods.question.progress import Repeated

        still_wanted = Repeated(report)
        with heeding(still_wanted.check):
            return enough_curves(self.explained, progress=still_wanted)
