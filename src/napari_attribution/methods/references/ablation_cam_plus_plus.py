r"""Ablation-CAM++: Ablation-CAM for less than half of its forwards, by silencing groups of alike channels.

Salama, Adly & Torki, ICIP 2022, doi 10.1109/icip46576.2022.9897617. Only its abstract could be read: the channels' maps are
clustered, every group is the root of a binary tree whose nodes are ablated and split in turn, and the trees are pruned.
The rest is our reading. With the activation A (n channels, h' x w' locations) at a layer,

    d_G = Y - Y_G,   Y_G the score of A with A[k] = 0 for all k in G
    w_k = d_G / |G|  for all k in the group G, where it is no longer split

and the map as in Ablation-CAM (`napari_attribution.methods.references.ablation_cam`, with its deviations).

- Groups are made by bisection: 2-means of the maps, from the two that are farthest apart, splits the group with the
  largest sum of squares until there are `groups`. Nothing is random.
- A group is split in two while |d_G| is more than `threshold` of all the first groups' |d| together, those with the
  largest drops first, and while no more than `most` times n groups have been ablated: a bound on the cost that the
  abstract only reports.
- Channels whose maps are the same are not split: any shares of their drop make the same map.
- With as many groups as channels it is Ablation-CAM.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.cams import FeatureMap, cost, drops
from napari_attribution.methods.references.parameters import AblationCamPlusPlusParameters

_ITERATIONS = 20


def compute(problem: Problem, parameters: AblationCamPlusPlusParameters) -> Result:
    """The signed (h', w') map, or its positive part.

    Raises
    ------
    LayerError
        Where the network cannot be cut at that layer.
    """
    features = FeatureMap.of(problem, parameters.layer)
    maps = features.maps.flatten(1).cpu()
    n = len(maps)
    most = _most(parameters, n)
    whole = features.scores(lambda part: torch.ones(1, 1, 1, 1), 1).cpu()

    def ablate(groups: list[Tensor]) -> list[Group]:
        silenced = torch.zeros(len(groups), n, dtype=torch.bool)
        for row, members in zip(silenced, groups, strict=True):
            row[members] = True
        found = drops(features, silenced, whole)
        return [Group(members, float(drop)) for members, drop in zip(groups, found, strict=True)]

    leaves = ablate(clusters(maps, min(parameters.groups, most)))
    ablated = len(leaves)
    floor = parameters.threshold * sum(abs(group.drop) for group in leaves)
    while True:
        pairs: dict[int, tuple[Tensor, Tensor]] = {}
        for index in sorted(range(len(leaves)), key=lambda index: -abs(leaves[index].drop)):
            if abs(leaves[index].drop) <= floor or ablated + 2 * (len(pairs) + 1) > most:
                break
            pair = halves(maps, leaves[index].members)
            if pair is not None:
                pairs[index] = pair
        if not pairs:
            break
        kept = [group for index, group in enumerate(leaves) if index not in pairs]
        leaves = kept + ablate([half for pair in pairs.values() for half in pair])
        ablated += 2 * len(pairs)
    weights = torch.zeros(n)
    for group in leaves:
        weights[group.members] = group.drop / len(group.members)
    values = features.weighted(weights, parameters.relu)
    units = f"{problem.score.unit} x activation"
    return features.result(values, parameters, units, channels=n, groups=len(leaves), ablated=ablated)


@dataclass(frozen=True)
class Group:
    """Channels that are silenced together.

    Parameters
    ----------
    members : (m,) Tensor of their numbers
    drop : float
        Of the score.
    """

    members: Tensor
    drop: float


def clusters(maps: Tensor, count: int) -> list[Tensor]:
    """(n, p) maps in at most `count` groups of alike ones, the numbers of each; fewer where fewer differ."""
    groups = [torch.arange(len(maps))]
    spread = [_spread(maps, groups[0])]
    while len(groups) < count:
        widest = max(range(len(groups)), key=lambda index: spread[index])
        pair = halves(maps, groups[widest])
        if pair is None:
            break
        groups[widest : widest + 1] = pair
        spread[widest : widest + 1] = [_spread(maps, half) for half in pair]
    return groups


def halves(maps: Tensor, members: Tensor) -> tuple[Tensor, Tensor] | None:
    """A group in two by 2-means; None where its maps are all the same."""
    points = maps[members]
    first = points[_farthest(points, points.mean(dim=0))]
    second = points[_farthest(points, first)]
    if bool((first == second).all()):
        return None
    nearer = _nearer(points, first, second)
    for _ in range(_ITERATIONS):
        again = _nearer(points, points[nearer].mean(dim=0), points[~nearer].mean(dim=0))
        if bool(again.all()) or not bool(again.any()) or bool((again == nearer).all()):
            break
        nearer = again
    return members[nearer], members[~nearer]


def _farthest(points: Tensor, place: Tensor) -> int:
    return int((points - place).square().sum(dim=1).argmax())


def _nearer(points: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """(m,) bool: whether each is nearer to the first."""
    return (points - first).square().sum(dim=1) <= (points - second).square().sum(dim=1)


def _spread(maps: Tensor, members: Tensor) -> float:
    points = maps[members]
    return float((points - points.mean(dim=0)).square().sum())


def _most(parameters: AblationCamPlusPlusParameters, n: int) -> int:
    return max(1, int(parameters.most * n))


def forwards(prices: Prices, parameters: AblationCamPlusPlusParameters) -> float:
    """The upper bound: a run up to the layer, and behind it one for the whole and as many groups as are allowed."""
    return cost(prices, parameters, heads=1 + _most(parameters, prices.channels(parameters.layer)))
