r"""Pixel Ablation-CAM: how much the score drops when one location of a feature map is silenced.

Samanta et al., Defence Science Journal 75(2), 2025, doi 10.14429/dsj.20444. With the activation A (n channels, h' x w'
locations) at a layer and g the rest of the network,

    dS_ij = S - S_ij,   S_ij = score of g(A with A[:, i, j] = 0)        (eq. 3)
    w_ij  = dS_ij / S                                                   (eq. 4)

Equation 5 as printed sums over i and j, so it defines no map. Two readings give one:

- importance: M_ij = dS_ij
- activation-weighted: M_ij = dS_ij * sum_k A_kij

Where this deviates from the paper:

- the signed drop is kept, not only its positive part, so that evidence against the class shows too;
- it is not divided by S (eq. 4): S may be zero or negative, and one positive number an image changes no ranking;
- any layer can be cut, by default the last block's output, after its skip and non-linearity;
- where the score is affine in A, or the head begins affine (average pool, flatten, linear layer), the drops are had
  without a head run for each: `pixel_ablation.affine`. Whether it is so is read from the network's graph and held
  against brute force at run time;
- at early layers, with thousands of locations, most drops are estimated: `pixel_ablation.hierarchy`.
"""

from __future__ import annotations

import torch

from napari_attribution.methods.channels.values import stain_values
from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.choice.parameters import PixelAblationCamParameters
from napari_attribution.methods.pixel_ablation.drops import drops_at, expected_cost, find_drops
from napari_attribution.methods.pixel_ablation.silencing import ablate, ablate_all
from napari_attribution.methods.question.problem import Problem, Result

__all__ = ["ablate", "ablate_all", "compute", "drops_at", "forwards"]


def forwards(prices: Prices, parameters: PixelAblationCamParameters) -> float:
    """Forwards that one input takes, as far as the network's steps tell beforehand (see `drops.expected_cost`)."""
    layer = parameters.layer
    heads = expected_cost(prices.classifier, layer, prices.locations(layer), parameters.search, parameters.head_runs)
    return prices.features(layer) + heads + prices.stain_values(parameters.channels)


def compute(problem: Problem, parameters: PixelAblationCamParameters) -> Result:
    """The drop of the score at every location of a layer.

    Raises
    ------
    LayerError
        Where the network cannot be cut at that layer.
    ClassifierError
        Where its scores are no numbers once a location is silenced.
    """
    classifier = problem.classifier
    layer = classifier.layer(parameters.layer)
    with torch.no_grad():
        activation = classifier.features(problem.x, layer.name)
    found = find_drops(
        problem, activation, layer.name, parameters.search, parameters.head_runs, parameters.memory * 2**20
    )
    drops = found.values
    units = f"{problem.score.unit} a location"
    if parameters.reading == "activation-weighted":
        drops = drops * activation.values[0].sum(dim=0)
        units = f"{problem.score.unit} x activation"
    importance, spread, meaning = stain_values(problem, parameters.channels)
    return Result(
        drops.cpu(),
        importance,
        meaning,
        units,
        spread,
        layer.grid,
        {
            "layer": layer.name,
            "locations": list(activation.values.shape[2:]),
            "affine_head": found.way == "backward pass",
            "way": found.way,
            "head_runs": round(found.head_runs, 1),
            "measured": found.measured,
            "agreement": found.agreement,
        },
    )
