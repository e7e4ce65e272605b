"""Which methods a classifier allows, which it does not and why, and what each will cost. Computes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_attribution.errors import LayerError
from napari_attribution.methods.catalogue import METHODS, Method
from napari_attribution.methods.cost import forwards_needed
from napari_attribution.methods.parameters import DcmixParameters, Parameters, PcimParameters, from_masks

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier


@dataclass(frozen=True)
class Offer:
    """A method, for one classifier.

    Parameters
    ----------
    method : Method
    possible : bool
    why : str
        Why not, or what is other than usual, in a sentence; empty where there is nothing to say.
    forwards : float
        What it costs for one input, as `forwards_needed` counts; 0 where it is not possible.
    """

    method: Method
    possible: bool
    why: str
    forwards: float


def offers(classifier: Classifier) -> tuple[Offer, ...]:
    """One offer for every method, in the order of `METHODS`, with its default parameters."""
    return tuple(offer(classifier, method) for method in METHODS.values())


def offer(classifier: Classifier, method: Method, parameters: Parameters | None = None) -> Offer:
    """Whether the classifier allows a method with these parameters (by default, its own defaults)."""
    settings = method.parameters() if parameters is None else parameters
    obstacle = _obstacle(classifier, method, settings)
    if obstacle:
        return Offer(method, False, obstacle, 0.0)
    forwards = forwards_needed(classifier, method.name, settings)
    return Offer(method, True, _remark(classifier, settings, forwards), forwards)


def _obstacle(classifier: Classifier, method: Method, settings: Parameters) -> str:
    """Empty where nothing is in the way."""
    if method.looks_inside:
        try:
            classifier.layer(getattr(settings, "layer", None))
        except LayerError as error:
            return str(error)
    if not isinstance(settings, PcimParameters | DcmixParameters):
        return ""
    if settings.estimate == "gradient" and not classifier.gradients:
        return (
            f"This network gives no gradients, so {method.title} cannot train its mixing weights. With the estimate set to auto "
            "or masks, it draws masks at random instead."
        )
    if (
        isinstance(settings, PcimParameters)
        and settings.form == "literal"
        and from_masks(settings, classifier.gradients)
    ):
        from napari_attribution.methods.pcim import LITERAL_NEEDS_GRADIENTS

        return LITERAL_NEEDS_GRADIENTS
    return ""


def _remark(classifier: Classifier, settings: Parameters, forwards: float) -> str:
    if classifier.gradients or not isinstance(settings, PcimParameters | DcmixParameters):
        return ""
    subsets = "subsets of the stains and " if isinstance(settings, DcmixParameters) else ""
    return f"Without gradients: estimated from {subsets}{settings.masks} drawn masks, about {forwards:.0f} forwards an input."
