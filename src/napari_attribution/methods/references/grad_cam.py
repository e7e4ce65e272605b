r"""Grad-CAM: the channels of a feature map, weighted by the mean gradient of the score.

Selvaraju et al., ICCV 2017 (arXiv 1610.02391). With the activation A (n channels, h' x w' locations) at a layer,

    a_k  = mean over i, j of dS / dA_kij        (eq. 1)
    M_ij = ReLU(sum_k a_k A_kij)                (eq. 2)

Where this deviates from the paper:

- without `relu` (default) the map keeps its sign, so that evidence against the class shows too;
- any layer can be cut, by default the last block's output, after its skip and non-linearity;
- the score is the one asked for: the logit, as published, or a probability or contrast.

Behind an average pool and a line it equals Pixel Ablation-CAM. It costs one head with its gradient.
"""

from __future__ import annotations

from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.cams import FeatureMap, cost
from napari_attribution.methods.references.parameters import WeightedCamParameters


def compute(problem: Problem, parameters: WeightedCamParameters) -> Result:
    """The signed (h', w') map, or its positive part.

    Raises
    ------
    LayerError
        Where the network cannot be cut at that layer.
    """
    features = FeatureMap.of(problem, parameters.layer)
    weights = features.gradient().mean(dim=(1, 2))
    values = features.weighted(weights, parameters.relu)
    return features.result(values, parameters, f"{problem.score.unit} a location")


def forwards(prices: Prices, parameters: WeightedCamParameters) -> float:
    """A run up to the layer, and one behind it with the gradient."""
    return cost(prices, parameters, heads=prices.with_gradient)
