"""What an explanation will cost, in forwards of the whole network, before it is asked for. Computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_attribution.methods.catalogue import METHODS
from napari_attribution.methods.parameters import (
    DcmixParameters,
    OcclusionParameters,
    Parameters,
    PcimParameters,
    PixelAblationCamParameters,
    from_masks,
)

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier


def forwards_needed(
    classifier: Classifier,
    method: str,
    parameters: Parameters | None = None,
    inputs: int = 1,
    input_shape: tuple[int, int] | None = None,
) -> float:
    """Forwards of the whole network that `explain` will make.

    Parameters
    ----------
    classifier : Classifier
    method : str
        A name in `METHODS`.
    parameters : Parameters, optional
        The method's own; its defaults if none are given.
    inputs : int
        Inputs that the well becomes (tiles, cells).
    input_shape : (h, w), optional
        Where the card leaves the input's size open.

    Returns
    -------
    float
        A forward with its gradient counts as 2.2, a run of the rest of the network behind a layer as its share. It is what will
        be counted, but for Pixel Ablation-CAM on a network that gives gradients: there it is the upper bound, for a head
        that turns out not to be affine.

    Raises
    ------
    LayerError
        For Pixel Ablation-CAM where the network cannot be cut, or not there.
    """
    settings = METHODS[method].parameters() if parameters is None else parameters
    C = len(classifier.card.stains)
    size = input_shape or classifier.card.size or _UNKNOWN_SIZE
    if isinstance(settings, PixelAblationCamParameters):
        work = _of_pixel_ablation_cam(classifier, settings, C, size)
    elif isinstance(settings, PcimParameters):
        work = _of_pcim(settings, C, classifier.gradients)
    elif isinstance(settings, DcmixParameters):
        work = _of_dcmix(settings, C, classifier.gradients)
    else:
        assert isinstance(settings, OcclusionParameters)
        work = _of_occlusion(settings, C, size)
    # One for the score itself.
    return inputs * (1 + work)


_UNKNOWN_SIZE = (256, 256)
"""Where neither the card nor the caller says: the size at which layers are measured."""


def _of_pixel_ablation_cam(
    classifier: Classifier, settings: PixelAblationCamParameters, C: int, size: tuple[int, int]
) -> float:
    from napari_attribution.classifiers.classifier import WITH_GRADIENT

    layer = classifier.layer(settings.layer)
    head = classifier.head_cost(layer.name)
    measured = classifier.card.size or _UNKNOWN_SIZE
    locations = layer.shape[1] * layer.shape[2] * (size[0] * size[1]) / (measured[0] * measured[1])
    heads = locations + 1
    if classifier.gradients:
        # The backward pass, and three activations to see whether it tells the truth.
        heads += WITH_GRADIENT + 3
    return (1 - head) + heads * head + (_of_shapley(C) if settings.channels == "shapley" else 0)


def _of_pcim(settings: PcimParameters, C: int, gradients: bool) -> float:
    from napari_attribution.classifiers.classifier import WITH_GRADIENT

    shapley = 0 if settings.per_stain else _of_shapley(C)
    if from_masks(settings, gradients):
        return _of_masks(settings.masks) + shapley
    games = 1 if settings.form == "literal" else 2
    return settings.steps * games * WITH_GRADIENT + shapley


def _of_dcmix(settings: DcmixParameters, C: int, gradients: bool) -> float:
    from napari_attribution.classifiers.classifier import WITH_GRADIENT
    from napari_attribution.methods.channels.subsets import MOST_EXACT

    shapley = _of_shapley(C) if settings.shapley else 0
    if not from_masks(settings, gradients):
        return settings.steps * 2 * WITH_GRADIENT + shapley
    if C <= MOST_EXACT:
        return _of_masks(settings.masks) + (1 << C)
    return _of_masks(settings.masks) + 2 * max(settings.masks // 2, 2 * C) + shapley


def _of_occlusion(settings: OcclusionParameters, C: int, size: tuple[int, int]) -> float:
    from napari_attribution.methods.occlusion import starts

    window, stride = settings.geometry(size)
    windows = len(starts(size[0], window, stride)) * len(starts(size[1], window, stride))
    shapley = _of_shapley(C) if settings.channels == "shapley" else 0
    return 1 + windows * (C if settings.per_stain else 1) + shapley


def _of_masks(count: int) -> int:
    return 2 * max(1, count // 2)


def _of_shapley(C: int) -> int:
    from napari_attribution.methods.channels.shapley import PERMUTATIONS
    from napari_attribution.methods.channels.subsets import MOST_EXACT

    return 1 << C if C <= MOST_EXACT else PERMUTATIONS * (C + 1)
