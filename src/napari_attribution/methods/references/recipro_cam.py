r"""Recipro-CAM: what the score is when one location of a feature map is kept and all others are silenced.

Byun & Lee, 2022 (arXiv 2209.14074). With the activation A (n channels, h' x w' locations) at a layer, g the rest of the
network, and m_ij a mask that is nothing but location (i, j),

    M_ij = S(g(A m_ij))

With `gaussian` (default, as the paper recommends) the mask keeps the 3 x 3 neighbourhood too, (1 2 1)' (1 2 1) / 16.
It is the reciprocal of Pixel Ablation-CAM (`napari_attribution.methods.pixel_ablation_cam`), for as many forwards.

Where this deviates from the paper:

- the map is not stretched to [0, 1]. It is measured from S(g(0)), the score where nothing is kept, so that it has a sign
  and a unit, and zero says nothing; no ranking changes;
- the score is the one asked for: the logit, or a probability or contrast;
- any layer can be cut, by default the last block's output. Of a transformer, the class token is kept.

Needs no gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.cams import FeatureMap, cost
from napari_attribution.methods.references.parameters import ReciproCamParameters


def compute(problem: Problem, parameters: ReciproCamParameters) -> Result:
    """The signed (h', w') map.

    Raises
    ------
    LayerError
        Where the network cannot be cut at that layer.
    """
    features = FeatureMap.of(problem, parameters.layer)
    rows, columns = features.maps.shape[1:]
    of_row, of_column = (_kept(length, parameters.gaussian) for length in (rows, columns))

    def make(part: slice) -> Tensor:
        """Row by row; behind the last location, the mask that keeps nothing."""
        place = torch.arange(part.start, part.stop)
        row = place // columns
        return (of_row[row][:, :, None] * of_column[place % columns][:, None])[:, None]

    scores = features.scores(make, rows * columns + 1)
    values = (scores[:-1] - scores[-1]).view(rows, columns)
    return features.result(values, parameters, f"{problem.score.unit} a location")


def _kept(length: int, gaussian: bool) -> Tensor:
    """(length + 1, length) what is kept along a side for each place on it, and nothing behind the last."""
    place = torch.arange(length)
    away = (torch.arange(length + 1)[:, None] - place).abs()
    kept = (away == 0).float() if not gaussian else 0.5 * (away == 0) + 0.25 * (away == 1)
    kept[-1] = 0
    return kept


def forwards(prices: Prices, parameters: ReciproCamParameters) -> float:
    """A run up to the layer, and behind it one a location and one for nothing."""
    return cost(prices, parameters, heads=1 + prices.locations(parameters.layer))
