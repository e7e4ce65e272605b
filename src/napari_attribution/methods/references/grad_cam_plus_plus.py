r"""Grad-CAM++: Grad-CAM with gradients weighted place by place, so that several objects of a class count alike.

Chattopadhay et al., WACV 2018 (arXiv 1710.11063). With the activation A (n channels, h' x w' locations) at a layer, and
g = dS/dA, the score being seen through an exponential,

    a_kij = g_kij^2 / (2 g_kij^2 + sum over a, b of A_kab g_kij^3)      (eq. 19)
    w_k   = sum over i, j of a_kij ReLU(g_kij)                          (eq. 8)
    M_ij  = ReLU(sum_k w_k A_kij)                                       (eq. 9)

Where this deviates from the paper:

- the factor exp(S) of the derivatives of exp(S) is left out of w: one positive number an input, which overflows for
  large logits and changes no ranking;
- a is 0 where its denominator is 0, that is where the gradient is;
- without `relu` (default) the last ReLU is left out; weights are rarely negative, so the map says little against the
  class even so;
- any layer can be cut, by default the last block's output; the score is the one asked for.
"""

from __future__ import annotations

import torch

from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.cams import FeatureMap, cost
from napari_attribution.methods.references.parameters import WeightedCamParameters


def compute(problem: Problem, parameters: WeightedCamParameters) -> Result:
    """The (h', w') map.

    Raises
    ------
    LayerError
        Where the network cannot be cut at that layer.
    """
    features = FeatureMap.of(problem, parameters.layer)
    # In double: the third power of a small gradient is nothing in float32.
    gradient, maps = features.gradient().double().cpu(), features.maps.double().cpu()
    square = gradient.square()
    below = 2 * square + maps.sum(dim=(1, 2), keepdim=True) * gradient**3
    a = torch.where(below == 0, 0, square / torch.where(below == 0, 1, below))
    weights = (a * gradient.relu()).sum(dim=(1, 2))
    values = features.weighted(weights, parameters.relu)
    return features.result(values, parameters, "weighted activation")


def forwards(prices: Prices, parameters: WeightedCamParameters) -> float:
    """A run up to the layer, and one behind it with the gradient."""
    return cost(prices, parameters, heads=prices.with_gradient)
