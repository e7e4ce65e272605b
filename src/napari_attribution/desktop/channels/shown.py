"""What the bars show: the last answer's stains, by the chosen estimator, in the colours of their layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Layer

from napari_attribution.desktop.channels import rows
from napari_attribution.desktop.channels.estimates import TRAINED, Estimates
from napari_attribution.desktop.channels.subject import Subject
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.layers.bars import as_hex, bar_colors, layer_color
from napari_attribution.methods.attribution import Attribution

if TYPE_CHECKING:
    from napari_attribution.desktop.explain.mixed import Mixed


class Shown:
    """Looks at the controller's state each time that it is asked; keeps nothing.

    Parameters
    ----------
    controller : Controller
    estimates : Estimates
    subject : Subject
    """

    def __init__(self, controller: Controller, estimates: Estimates, subject: Subject) -> None:
        self._controller, self._estimates, self._subject = controller, estimates, subject

    @property
    def answer(self) -> Attribution | None:
        """The last answer, with the stains' importance by the chosen estimator."""
        answer, found = self._controller.state.answer, self._estimates.found
        return answer if answer is None or found is None else rows.with_estimate(answer, found)

    @property
    def trained(self) -> Mixed | None:
        """The classifier's own mixing layer, where its weights are to be seen in place of an answer's."""
        return self._controller.state.mixed if self._estimates.chosen == TRAINED else None

    @property
    def whole(self) -> bool:
        """Whether the bars are about the whole well."""
        answer = self._controller.state.answer
        return answer is None or answer.place is None or self._estimates.found is not None

    @property
    def rows(self) -> tuple[rows.Row, ...]:
        """A row a stain; none where the stains' importance is not known."""
        if self.trained is not None:
            return rows.rows_of_mixing(self.trained, self._controller.state.stain_map)
        answer, found = self._controller.state.answer, self._estimates.found
        if answer is None:
            return ()
        if found is not None:
            return rows.rows_of_estimate(found)
        explained = self._controller.state.explained
        values = rows.values_of(explained) if explained is not None and explained.attribution is answer else {}
        return rows.rows_of_answer(answer, values) if rows.has_importance(answer) else ()

    @property
    def references(self) -> tuple[Layer, ...]:
        """The layers of the well that the answer is about."""
        well = self._subject.well
        return well.layers if well is not None else ()

    @property
    def colors(self) -> dict[str, str]:
        """A colour a stain, as "#rrggbb"."""
        answer, well = self._controller.state.answer, self._subject.well
        if self.trained is not None:
            stains = tuple(self._controller.state.stain_map.get(stain) or stain for stain in self.trained.stains)
        elif answer is not None:
            stains = answer.stains
        else:
            return {}
        found = dict(zip(stains, bar_colors(stains, self.references), strict=True))
        if well is not None and well.channel_axis is None:
            # A layer that was renamed since is still the stain's.
            found |= {stain: layer_color(layer) for stain, layer in zip(well.stains, well.layers, strict=True)}
        return {stain: as_hex(found[stain]) for stain in stains}

    @property
    def table(self) -> str:
        """What "Copy table" copies."""
        answer, path = self.answer, self._controller.state.path
        if self.trained is not None:
            return rows.table_of_mixing(self.rows, path.name if path is not None else "")
        if answer is None:
            return ""
        about = "the whole well" if self.whole or answer.place is None else answer.place.name
        return rows.table(self.rows, answer, about)
