r"""Fused Pixel Ablation-CAM: what the stages of a network agree on.

Pixel Ablation-CAM at the last block (`napari_attribution.methods.pixel_ablation_cam`) is faithful, and as coarse as the block's
stride. Earlier stages are finer, and noisier. Here (ours; the idea of several layers' maps is LayerCAM's, Jiang et al., IEEE TIP
30, 2021) the drop maps of the last block at every stride, from 4 pixels up to the default layer's, are laid over the input and
multiplied where their signs agree:

    M = s |D_1| prod_{l > 1} |D_l| / max |D_l|,    s the common sign, M = 0 where the signs differ

with D_1 the finest. At the default layer D_ij is the exact drop of the score with location (i, j) silenced; at the earlier layers
it is the drop to first order, sum_k A_kij dS/dA_kij (exact where the head is affine), from one backward pass each: to
silence each of their thousands of locations would cost as many head runs, and at the scale of a cell their product with the
exact map changes little by it.

With `region`, M is weighed by the default layer's drops around it (`napari_attribution.methods.shared.regions`).

Where a network has one such layer (a transformer's tokens keep their stride), the map is Pixel Ablation-CAM's.
"""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor

from napari_attribution.classifiers.classifier import Activation, Classifier
from napari_attribution.classifiers.preparation.prepare import lay
from napari_attribution.classifiers.splitting.splitter import Layer
from napari_attribution.errors import ClassifierError, LayerError
from napari_attribution.methods.channels.values import stain_values
from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.choice.parameters import FusedAblationCamParameters
from napari_attribution.methods.pixel_ablation.drops import drops_at, expected_cost
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.shared.regions import borne_out


def forwards(prices: Prices, parameters: FusedAblationCamParameters) -> float:
    """Forwards that one input takes, at most: less where a layer cannot be cut, or the head turns out affine."""
    *early, last = stages(prices.classifier, parameters.finest)
    work = sum(prices.features(layer.name) + prices.with_gradient * prices.head(layer.name) for layer in early)
    drops = expected_cost(prices.classifier, last.name, prices.locations(last.name))
    return work + prices.features(last.name) + drops + prices.stain_values(parameters.channels)


def compute(problem: Problem, parameters: FusedAblationCamParameters) -> Result:
    """The (h, w) map at the input's resolution.

    Raises
    ------
    LayerError
        Where the network cannot be cut.
    ClassifierError
        Where its scores, or their gradients, are no numbers once a location is silenced.
    """
    *early, last = stages(problem.classifier, parameters.finest)
    used, maps = [], []
    for number, layer in enumerate(early):
        # The graph may offer a place that the guard then refuses: the others will do.
        with suppress(LayerError):
            maps.append(_laid(problem, first_order_drops(problem, layer.name), layer))
            used.append(layer.name)
        problem.progress(number + 1, len(early) + 1)
    maps.append(_laid(problem, drops_at(problem, last.name), last))
    used.append(last.name)
    problem.progress(len(early) + 1, len(early) + 1)
    importance, spread, meaning = stain_values(problem, parameters.channels)
    region = parameters.region * max(problem.x.shape[2:])
    return Result(
        borne_out(fused(maps), maps[-1], region).float(),
        importance,
        meaning,
        f"{problem.score.unit} a location",
        spread,
        extra={"layers": used},
    )


def stages(classifier: Classifier, finest: float) -> list[Layer]:
    """The last block's output at every stride from `finest` pixels up, finest first; the default layer ends them."""
    last = classifier.layer(None)
    at_stride: dict[float, Layer] = {}
    for layer in classifier.layers:
        if layer.name == last.name:
            break
        if layer.block and not layer.tokens and finest <= layer.stride < last.stride:
            at_stride[layer.stride] = layer
    return [*(at_stride[stride] for stride in sorted(at_stride)), last]


def first_order_drops(problem: Problem, layer: str) -> Tensor:
    """(h', w') drops of the score to first order, sum_k A_kij dS/dA_kij.

    Raises
    ------
    LayerError
        Where the network cannot be cut at that layer, or gives no gradients behind it.
    ClassifierError
        For gradients that are not numbers.
    """
    if not problem.classifier.head_gives_gradients(layer):
        raise LayerError(f"What stands behind {layer} gives no gradients.")
    with torch.no_grad():
        activation = problem.classifier.features(problem.x, layer)
    with torch.enable_grad():
        values = activation.values.detach().clone().requires_grad_(True)
        score = problem.score.of(problem.classifier.head(Activation(values, activation.carried), layer))
        (gradient,) = torch.autograd.grad(score.sum(), values)
    drops = (values.detach() * gradient).sum(dim=1)[0]
    if not bool(torch.isfinite(drops).all()):
        raise ClassifierError(
            f"The score's gradients at {layer} are not numbers (NaN or infinity). Choose Pixel Ablation-CAM, which needs none."
        )
    return drops


def fused(maps: list[Tensor]) -> Tensor:
    """The product of (h, w) signed maps, finest first, where their signs agree, in the unit of the first."""
    product = maps[0]
    for other in maps[1:]:
        product = product * other.abs() / other.abs().max().clamp_min(1e-30)
        product = torch.where(maps[0].sign() == other.sign(), product, torch.zeros_like(product))
    return product


def _laid(problem: Problem, drops: Tensor, layer: Layer) -> Tensor:
    size = (problem.x.shape[2], problem.x.shape[3])
    return lay(drops.cpu(), layer.grid, size, size)
