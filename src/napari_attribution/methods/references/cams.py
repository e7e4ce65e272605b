"""What the references that look inside share: the feature map at a layer, and scores behind it with parts of it taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_attribution.classifiers.classifier import Activation
from napari_attribution.classifiers.memory import in_batches
from napari_attribution.classifiers.splitting.splitter import Layer
from napari_attribution.methods.channels.values import stain_values
from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.parameters import CamParameters


@dataclass(frozen=True)
class FeatureMap:
    """The activation of a problem's input at a layer.

    Parameters
    ----------
    problem : Problem
    layer : Layer
    activation : Activation
        Its values are (1, n, h', w').
    """

    problem: Problem
    layer: Layer
    activation: Activation

    @classmethod
    def of(cls, problem: Problem, layer: str | None) -> FeatureMap:
        """Run the network up to a layer; the default one if none is named.

        Raises
        ------
        LayerError
            Where the network cannot be cut at that layer.
        """
        chosen = problem.classifier.layer(layer)
        with torch.no_grad():
            return cls(problem, chosen, problem.classifier.features(problem.x, chosen.name))

    @property
    def maps(self) -> Tensor:
        """(n, h', w') of the channels, in float32."""
        return self.activation.values[0].float()

    def gradient(self) -> Tensor:
        """(n, h', w') gradient of the score by the activation, in float32."""
        with torch.enable_grad():
            values = self.activation.values.detach().clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(self._scores(values).sum(), values)
        self.problem.progress(1, 1)
        return gradient[0].float()

    def scores(self, make: Callable[[slice], Tensor], count: int) -> Tensor:
        """(count,) scores with parts of the activation taken away, batched by bytes.

        Parameters
        ----------
        make : callable
            Takes a slice of range(count), returns what the values are multiplied by: (m, n or 1, h' or 1, w' or 1).
        """
        values = self.activation.values

        def run(part: slice) -> Tensor:
            self.problem.progress(part.start, count)
            return self._scores(values * make(part).to(values))

        bytes_each = 8 * values[0].numel() * 4
        with torch.no_grad():
            scores = in_batches(run, count, bytes_each, most=1 if self.problem.classifier.one_by_one else count)
        self.problem.progress(count, count)
        return scores

    def _scores(self, values: Tensor) -> Tensor:
        activation = Activation(values, self.activation.carried)
        return self.problem.score.of(self.problem.classifier.head(activation, self.layer.name))

    def weighted(self, weights: Tensor, relu: bool) -> Tensor:
        """(h', w') sum of the channels by their (n,) weights."""
        total = torch.einsum("n,nij->ij", weights.to(self.maps), self.maps)
        return total.relu() if relu else total

    def result(self, values: Tensor, parameters: CamParameters, units: str, **found: object) -> Result:
        """The answer that this map makes, with the stains' Shapley values beside it where they are wanted."""
        stains = stain_values(self.problem, parameters.channels)
        extra = {"layer": self.layer.name, "locations": list(self.activation.values.shape[2:]), **found}
        return Result(values.cpu(), stains.importance, stains.meaning, units, stains.spread, self.layer.grid, extra)


def drops(features: FeatureMap, silenced: Tensor, whole: Tensor | None = None) -> Tensor:
    """(m,) drops of the score as sets of channels are set to zero.

    Parameters
    ----------
    features : FeatureMap
    silenced : (m, n) bool Tensor
    whole : (1,) Tensor, optional
        The score of the activation as it is, where it is known.
    """
    if whole is None:
        silenced = torch.cat([torch.zeros_like(silenced[:1]), silenced])
    scores = features.scores(lambda part: ~silenced[part, :, None, None], len(silenced)).cpu()
    return whole - scores if whole is not None else scores[0] - scores[1:]


def cost(prices: Prices, parameters: CamParameters, heads: float) -> float:
    """Of a run up to the layer, and so many behind it, and the stains' Shapley values where they are wanted."""
    stains = prices.stain_values(parameters.channels)
    return prices.features(parameters.layer) + heads * prices.head(parameters.layer) + stains
