"""What an explanation will cost, in forwards of the whole network, before it is asked for. Computes nothing.

The cost of a method stands beside its work: the function `forwards(prices, parameters)` of the method's own module, which
says what `compute` will run for one input, beyond the one forward for the score itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_attribution.methods.choice.catalogue import ALL
from napari_attribution.methods.choice.parameters import Parameters

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
        be counted, but for three methods where it is the upper bound: Pixel Ablation-CAM on a network that gives gradients,
        Fused Ablation-CAM, which has it as its last stage, and Ablation-CAM++, for groups that all have to be split.

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

    def stain_values(self, which: str) -> int:
        """What stands beside a map: an estimator's values of the stains."""
        from napari_attribution.methods.channels.values import stain_forwards

        return stain_forwards(which, self.stains)


def _cost_of(module: str) -> Callable[[Prices, Any], float]:
    cost: Callable[[Prices, Any], float] = import_module(f"napari_attribution.methods.{module}").forwards
    return cost
