"""What an explanation will cost, in forwards of the whole network, before it is asked for. Computes nothing.

The cost of a method stands beside its work: the function `forwards(prices, parameters)` of the method's own module, which
says what `compute` will run for one input, beyond the one forward for the score itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_attribution.methods.catalogue import ALL
from napari_attribution.methods.parameters import (
    DcmixParameters,
    OcclusionParameters,
    Parameters,
    PcimParameters,
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
        A name in `METHODS` or `REFERENCES`.
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
        be counted, but for two methods where it is the upper bound: Pixel Ablation-CAM on a network that gives gradients, and
        Ablation-CAM++, for groups that all have to be split.

    Raises
    ------
    LayerError
        For a method that looks inside where the network cannot be cut, or not there.
    """
    chosen = ALL[method]
    settings = chosen.parameters() if parameters is None else parameters
    prices = Prices(classifier, input_shape or classifier.card.size or _UNKNOWN_SIZE)
    # One for the score itself.
    return inputs * (1 + _cost_of(chosen.module)(prices, settings))


_UNKNOWN_SIZE = (256, 256)
"""Where neither the card nor the caller says: the size at which layers are measured."""


@dataclass(frozen=True)
class Prices:
    """What a cost is made of: the prices, in forwards, of what methods run.

    Parameters
    ----------
    classifier : Classifier
    size : (h, w)
        Of one input.
    """

    classifier: Classifier
    size: tuple[int, int]

    @property
    def stains(self) -> int:
        return len(self.classifier.card.stains)

    @property
    def with_gradient(self) -> float:
        """A forward with its input gradient; the same factor for a head with its activation's."""
        from napari_attribution.classifiers.classifier import WITH_GRADIENT

        return WITH_GRADIENT

    def features(self, layer: str | None) -> float:
        """A run up to a layer."""
        return 1 - self.head(layer)

    def head(self, layer: str | None) -> float:
        """A run of the rest of the network behind a layer."""
        return self.classifier.head_cost(layer)

    def channels(self, layer: str | None) -> int:
        """Channels of a layer."""
        return self.classifier.layer(layer).shape[0]

    def locations(self, layer: str | None) -> float:
        """Locations of a layer for inputs of this size."""
        measured = self.classifier.card.size or _UNKNOWN_SIZE
        _, rows, columns = self.classifier.layer(layer).shape
        return rows * columns * (self.size[0] * self.size[1]) / (measured[0] * measured[1])

    def shapley(self, wanted: bool = True) -> int:
        """The stains' Shapley values; nothing where they are not wanted."""
        from napari_attribution.methods.channels.shapley import PERMUTATIONS
        from napari_attribution.methods.channels.subsets import MOST_EXACT

        if not wanted:
            return 0
        return 1 << self.stains if self.stains <= MOST_EXACT else PERMUTATIONS * (self.stains + 1)


def _cost_of(module: str) -> Callable[[Prices, Any], float]:
    found = getattr(import_module(f"napari_attribution.methods.{module}"), "forwards", None)
    cost: Callable[[Prices, Any], float] = found or _OF_MODULE[module]
    return cost


def _of_pcim(prices: Prices, settings: PcimParameters) -> float:
    shapley = prices.shapley(not settings.per_stain)
    if from_masks(settings, prices.classifier.gradients):
        return _of_masks(settings.masks) + shapley
    games = 1 if settings.form == "literal" else 2
    return settings.steps * games * prices.with_gradient + shapley


def _of_dcmix(prices: Prices, settings: DcmixParameters) -> float:
    from napari_attribution.methods.channels.subsets import MOST_EXACT

    C = prices.stains
    shapley = prices.shapley(settings.shapley)
    if not from_masks(settings, prices.classifier.gradients):
        return settings.steps * 2 * prices.with_gradient + shapley
    if C <= MOST_EXACT:
        return _of_masks(settings.masks) + (1 << C)
    return _of_masks(settings.masks) + 2 * max(settings.masks // 2, 2 * C) + shapley


def _of_occlusion(prices: Prices, settings: OcclusionParameters) -> float:
    from napari_attribution.methods.occlusion import starts

    window, stride = settings.geometry(prices.size)
    windows = len(starts(prices.size[0], window, stride)) * len(starts(prices.size[1], window, stride))
    return 1 + windows * (prices.stains if settings.per_stain else 1) + prices.shapley(settings.channels == "shapley")


def _of_masks(count: int) -> int:
    return 2 * max(1, count // 2)


_OF_MODULE: dict[str, Callable[[Prices, Any], float]] = {
    "pcim": _of_pcim,
    "dcmix": _of_dcmix,
    "occlusion": _of_occlusion,
}
"""For modules that do not say it themselves."""
