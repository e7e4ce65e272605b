r"""Where the score is affine in the activation, or the head begins so: all drops at once.

Affine score (average pool and a linear layer behind the cut, the score a logit):

    dS_ij = sum_k A_kij dS/dA_kij

exactly, from one backward pass. It is a first-order Taylor term (Grad-CAM without the pooling of its weights), and only
here the drop itself.

Affine beginning (pooling, flatten, batch norm, a linear layer, and then whatever): with v the vector at its end,

    v_ij = v - sum_k A_kij dv/dA_kij,     S_ij = score of r(v_ij)

with r the rest of the head, which alone is run for every location, on a batch of vectors. The (h' w', m) products are
had from m rows of the last product's weight, taken back to the activation, or, where every number that this product
reads comes of one channel (global average pooling), from one backward pass and a matrix product.

Neither is trusted. The drops are compared with brute force at the locations where they are largest and smallest and at
a few drawn at random, and the affine score is held against activations that are far away, besides.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.classifiers.classifier import Activation, VectorOfLocations
from napari_attribution.classifiers.memory import in_batches
from napari_attribution.methods.pixel_ablation.silencing import BUDGET, ablate
from napari_attribution.methods.question.problem import Problem

_LARGEST, _DRAWN = 2, 2
"""Locations that are ablated to see whether a product tells the truth, beside the one with the smallest drop."""
CHECKED_SINGLY = _LARGEST + _DRAWN + 1
CHECKED_TOGETHER = 3
"""Head runs that a check takes: locations by themselves, and activations that are far away."""
_SHARE = 2e-5
"""Of the largest drop: a product that differs by more from brute force is not used."""
_ROUNDING = 16
"""Roundings of a score that brute force itself may be wrong by."""


def by_backward_pass(
    problem: Problem, activation: Activation, layer: str, rounding: float, budget: int = BUDGET
) -> Tensor | None:
    """(h', w') drops by one backward pass, or None where the score is not affine in the activation.

    Parameters
    ----------
    rounding : float
        What one rounding changes of the score.
    """
    classifier = problem.classifier
    if problem.score.kind == "probability" or not classifier.head_may_be_affine(layer):
        return None
    if not classifier.head_gives_gradients(layer):
        return None
    with torch.enable_grad():
        values = activation.values.detach().clone().requires_grad_(True)
        score = problem.score.of(classifier.head(Activation(values, activation.carried), layer))
        (gradient,) = torch.autograd.grad(score.sum(), values)
    drops = (activation.values * gradient).sum(dim=1)[0]
    score = score.detach()
    if not _holds_far_away(problem, activation, layer, score, gradient):
        return None
    return drops if agrees(problem, activation, layer, drops, score, rounding, budget) else None


def by_one_product(
    problem: Problem, activation: Activation, layer: str, whole: Tensor, rounding: float, budget: int = BUDGET
) -> Tensor | None:
    """(h', w') drops by one product up to the end of the head's affine beginning, and the rest of the head for every
    location; None where there is no such beginning, or it saves no work, or it is not affine after all.

    Parameters
    ----------
    whole : (1,) Tensor
        The score with nothing silenced.
    rounding : float
        What one rounding changes of it.
    """
    if not problem.classifier.head_gives_gradients(layer):
        return None
    try:
        drops = _by_vector(problem, activation, layer, budget)
    except (RuntimeError, ValueError):
        return None  # what cannot be derived, or batched, is no way; the heads themselves are left
    if drops is None:
        return None
    drops = drops.to(whole.dtype)
    return drops if agrees(problem, activation, layer, drops, whole, rounding, budget) else None


def _by_vector(problem: Problem, activation: Activation, layer: str, budget: int) -> Tensor | None:
    classifier, values = problem.classifier, activation.values
    given = classifier.locations_to_vector(activation, layer, budget)
    if given is None or not _sums_hold(problem, activation, layer, given):
        return None
    count = values[0, 0].numel()

    def run(part: slice) -> Tensor:
        scores = problem.score.of(classifier.head_without(given, torch.arange(count)[part]))
        problem.progress(min(part.stop, count), count)
        return scores

    # The score with nothing silenced, as exact as the others.
    intact = problem.score.of(classifier.head_without_all(given, torch.zeros(1, count)))
    bytes_each = 32 * given.given.shape[1]
    return (intact - in_batches(run, count, bytes_each, budget // 4)).view(values.shape[2:])


def _sums_hold(problem: Problem, activation: Activation, layer: str, given: VectorOfLocations) -> bool:
    """Whether many locations, silenced together, change the scores by what they give the vector together: a change so
    large that rounding hides nothing."""
    classifier, values = problem.classifier, activation.values
    rows, columns = values.shape[2:]
    checkered = torch.zeros(rows, columns)
    checkered[::2, ::2] = 1
    drawn = torch.rand(rows, columns, generator=torch.Generator().manual_seed(0)) < 0.5
    for silenced in (torch.ones(rows, columns), checkered, drawn.float()):
        kept = Activation(values * (1 - silenced).to(values), activation.carried)
        with torch.no_grad():
            want = classifier.head(kept, layer).double()
        found = classifier.head_without_all(given, silenced.view(1, -1))
        if float((want - found).abs().max()) > _SHARE * float(want.abs().max()):
            return False
    return True


def agrees(
    problem: Problem,
    activation: Activation,
    layer: str,
    drops: Tensor,
    whole: Tensor,
    rounding: float,
    budget: int = BUDGET,
) -> bool:
    """Whether brute force gives the same drops, to rounding, where they are largest, smallest, and at a few places."""
    flat = drops.flatten().cpu()
    if not bool(torch.isfinite(flat).all()):
        return False
    order = flat.abs().argsort(descending=True)
    drawn = torch.randperm(len(flat), generator=torch.Generator().manual_seed(0))[:_DRAWN]
    chosen = torch.cat([order[:_LARGEST], order[-1:], drawn]).unique()
    single = ablate(
        problem, activation, layer, chosen, whole=whole, budget=budget, progress=lambda done, total: None
    ).cpu()
    tolerance = _SHARE * float(flat.abs().max()) + _ROUNDING * rounding
    return float((single - flat[chosen]).abs().max()) <= tolerance


def _holds_far_away(problem: Problem, activation: Activation, layer: str, score: Tensor, gradient: Tensor) -> bool:
    """Whether the gradient predicts the score far from the activation."""
    values = activation.values
    checkered = values.clone()
    checkered[:, :, ::2, ::2] = 0
    far = torch.cat([torch.zeros_like(values), 2 * values, checkered])
    with torch.no_grad():
        carried = activation.carried
        found = torch.cat(
            [problem.score.of(problem.classifier.head(Activation(one, carried), layer)) for one in far.split(1)]
        )
    predicted = score + ((far - values) * gradient).sum(dim=(1, 2, 3))
    scale = float((predicted - score).abs().max()) + float(score.abs().max())
    return float((found - predicted).abs().max()) <= 1e-4 * scale
