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
- where the score is affine in A, the drops are all had from one backward pass, dS_ij = sum_k A_kij dS/dA_kij, which
  is exact; whether it is affine is found out at run time, by asking the head itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.classifiers.classifier import Activation
from napari_attribution.classifiers.memory import in_batches
from napari_attribution.methods.channels.shapley import channel_shapley
from napari_attribution.methods.parameters import PixelAblationCamParameters
from napari_attribution.methods.problem import Problem, Result

_CHECKED = 4
"""Locations that are ablated to see whether the backward pass tells the truth."""


def compute(problem: Problem, parameters: PixelAblationCamParameters) -> Result:
    """The drop of the score at every location of a layer.

    Raises
    ------
    LayerError
        Where the network cannot be cut at that layer.
    """
    classifier = problem.classifier
    layer = classifier.layer(parameters.layer)
    with torch.no_grad():
        activation = classifier.features(problem.x, layer.name)
    drops = _affine_drops(problem, activation, layer.name)
    affine = drops is not None
    if drops is None:
        drops = ablate_all(problem, activation, layer.name)
    units = f"{problem.score.unit} a location"
    if parameters.reading == "activation-weighted":
        drops = drops * activation.values[0].sum(dim=0)
        units = f"{problem.score.unit} x activation"
    importance, spread = torch.zeros(problem.x.shape[1]), None
    if parameters.channels == "shapley":
        importance, spread = channel_shapley(problem)
    return Result(
        drops.cpu(),
        importance,
        "Shapley value of the stain",
        units,
        spread,
        layer.grid,
        {"layer": layer.name, "locations": list(layer.shape[1:]), "affine_head": affine},
    )


def ablate_all(problem: Problem, activation: Activation, layer: str) -> Tensor:
    """(h', w') drops by brute force: every location is silenced in its turn."""
    _, _, rows, columns = activation.values.shape
    every = torch.arange(rows * columns)
    return ablate(problem, activation, layer, every).view(rows, columns)


def ablate(problem: Problem, activation: Activation, layer: str, locations: Tensor) -> Tensor:
    """Drop of the score for each of the given flat locations, batched by bytes."""
    values = activation.values
    n, columns = values.shape[1], values.shape[3]
    done = 0

    def run(part: slice) -> Tensor:
        nonlocal done
        chosen = locations[part]
        ablated = values.expand(len(chosen), -1, -1, -1).clone()
        ablated[torch.arange(len(chosen)), :, chosen // columns, chosen % columns] = 0
        scores = problem.score.of(problem.classifier.head(Activation(ablated, activation.carried), layer))
        done = min(part.stop, len(locations))
        problem.progress(done, len(locations))
        return scores

    with torch.no_grad():
        whole = problem.score.of(problem.classifier.head(activation, layer))
        bytes_each = 8 * n * values.shape[2] * columns * 4
        most = 1 if problem.classifier.one_by_one else len(locations)
        return whole - in_batches(run, len(locations), bytes_each, most=most)


def _affine_drops(problem: Problem, activation: Activation, layer: str) -> Tensor | None:
    """(h', w') drops by one backward pass, or None where the score is not affine in the activation."""
    if not problem.classifier.head_gives_gradients(layer) or problem.score.kind == "probability":
        return None
    with torch.enable_grad():
        values = activation.values.detach().clone().requires_grad_(True)
        score = problem.score.of(problem.classifier.head(Activation(values, activation.carried), layer))
        (gradient,) = torch.autograd.grad(score.sum(), values)
    drops = (activation.values * gradient).sum(dim=1)[0]
    return drops if _is_affine(problem, activation, layer, score.detach(), gradient, drops) else None


def _is_affine(
    problem: Problem, activation: Activation, layer: str, score: Tensor, gradient: Tensor, drops: Tensor
) -> bool:
    """Whether the gradient predicts the score far from the activation, and the drop at a few single locations."""
    values = activation.values
    checkered = values.clone()
    checkered[:, :, ::2, ::2] = 0
    far = torch.cat([torch.zeros_like(values), 2 * values, checkered])
    with torch.no_grad():
        found = problem.score.of(problem.classifier.head(Activation(far, activation.carried), layer))
    predicted = score + ((far - values) * gradient).sum(dim=(1, 2, 3))
    scale = float((predicted - score).abs().max()) + float(score.abs().max())
    if float((found - predicted).abs().max()) > 1e-4 * scale:
        return False
    flat = drops.flatten()
    chosen = flat.abs().argsort(descending=True)[:_CHECKED].cpu()
    tolerance = 1e-4 * float(flat.abs().max()) + 1e-6 * float(score.abs().max())
    single = ablate(problem, activation, layer, chosen)
    return float((single - flat[chosen.to(flat.device)]).abs().max()) <= tolerance
