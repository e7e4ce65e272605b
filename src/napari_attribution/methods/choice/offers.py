"""Which methods a classifier allows, which it does not and why, and what each will cost. Computes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_attribution.errors import AttributionError, LayerError, RequestError
from napari_attribution.methods.choice.catalogue import METHODS, Method
from napari_attribution.methods.choice.cost import forwards_needed
from napari_attribution.methods.choice.parameters import DcmixParameters, Parameters, PcimParameters, from_masks
from napari_attribution.methods.references.captum_extra import missing

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
    error : type of AttributionError
        What is raised, with `why`, where it is asked for although it is not possible.
    """

    method: Method
    possible: bool
    why: str
    forwards: float
    error: type[AttributionError] = RequestError


def offers(classifier: Classifier) -> tuple[Offer, ...]:
    """One offer for every method, in the order of `METHODS`, with its default parameters."""
    return tuple(offer(classifier, method) for method in METHODS.values())


def offer(classifier: Classifier, method: Method, parameters: Parameters | None = None) -> Offer:
    """Whether the classifier allows a method with these parameters (by default, its own defaults)."""
    settings = method.parameters() if parameters is None else parameters
    try:
        _check(classifier, method, settings)
    except AttributionError as error:
        return Offer(method, False, str(error), 0.0, type(error))
    forwards = forwards_needed(classifier, method.name, settings)
    return Offer(method, True, _remark(classifier, settings, forwards), forwards)


def _check(classifier: Classifier, method: Method, settings: Parameters) -> None:
    """Raises what stands in the way."""
    if method.needs_captum and missing():
        raise RequestError(missing())
    if method.needs_gradients and not classifier.gradients:
        raise RequestError(
            f"This network gives no gradients, which {method.title} is made of. Pixel Ablation-CAM, PCIM, DCMIX and occlusion "
            "need none, nor do Ablation-CAM, Recipro-CAM and RISE."
        )
    if method.looks_inside:
        layer = classifier.layer(getattr(settings, "layer", None))
        if method.needs_gradients and not classifier.head_gives_gradients(layer.name):
            raise LayerError(
                f"What stands behind {layer.name} gives no gradients, which {method.title} is made of. Choose another layer, "
                "or Pixel Ablation-CAM, which needs none."
            )
    if isinstance(settings, PcimParameters | DcmixParameters):
        _check_mixing(classifier, method, settings)


def _check_mixing(classifier: Classifier, method: Method, settings: PcimParameters | DcmixParameters) -> None:
    if settings.estimate == "gradient" and not classifier.gradients:
        raise RequestError(
            f"This network gives no gradients, so {method.title} cannot train its mixing weights. With the estimate set to auto "
            "or masks, it draws masks at random instead."
        )
    if (
        isinstance(settings, PcimParameters)
        and settings.form == "literal"
        and from_masks(settings, classifier.gradients)
    ):
        from napari_attribution.methods.pcim import LITERAL_NEEDS_GRADIENTS

        raise RequestError(LITERAL_NEEDS_GRADIENTS)
    if (
        isinstance(settings, DcmixParameters)
        and settings.mixing == "blended"
        and from_masks(settings, classifier.gradients)
    ):
        from napari_attribution.methods.dcmix import BLENDED_NEEDS_GRADIENTS

        raise RequestError(BLENDED_NEEDS_GRADIENTS)


def _remark(classifier: Classifier, settings: Parameters, forwards: float) -> str:
    if classifier.gradients or not isinstance(settings, PcimParameters | DcmixParameters):
        return ""
    subsets = "subsets of the stains and " if isinstance(settings, DcmixParameters) else ""
    return f"Without gradients: estimated from {subsets}{settings.masks} drawn masks, about {forwards:.0f} forwards an input."
