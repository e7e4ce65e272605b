r"""Ablation-CAM: the channels of a feature map, weighted by how much the score drops when each is silenced.

Desai & Ramaswamy, WACV 2020. With the activation A (n channels, h' x w' locations) at a layer, Y the score, and Y_k the
score of A with A[k] = 0,

    w_k  = (Y - Y_k) / Y                (eq. 2)
    M_ij = ReLU(sum_k w_k A_kij)        (eq. 3)

Where this deviates from the paper:

- it is not divided by Y, which may be zero or negative; where Y is positive, that is one number an input, and changes
  no ranking. A channel that speaks for the class weighs positive whatever the sign of Y;
- without `relu` (default) the map keeps its sign, so that evidence against the class shows too;
- any layer can be cut, by default the last block's output; the score is the one asked for.

Needs no gradients.
"""

from __future__ import annotations

import torch

from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.cams import FeatureMap, cost, drops
from napari_attribution.methods.references.parameters import WeightedCamParameters


def compute(problem: Problem, parameters: WeightedCamParameters) -> Result:
    """The signed (h', w') map, or its positive part.

    Raises
    ------
    LayerError
        Where the network cannot be cut at that layer.
    """
    features = FeatureMap.of(problem, parameters.layer)
    weights = drops(features, torch.eye(len(features.maps), dtype=torch.bool))
    values = features.weighted(weights, parameters.relu)
    return features.result(values, parameters, f"{problem.score.unit} x activation")


def forwards(prices: Prices, parameters: WeightedCamParameters) -> float:
    """A run up to the layer, and behind it one for the whole and one a channel."""
    return cost(prices, parameters, heads=1 + prices.channels(parameters.layer))
