r"""DCMIX, post-hoc: which stain, mixed back in, makes the class.

Siegismund et al., GCPR 2023 (arXiv 2308.16637). Implemented from the published description, in which a mixing layer
with one nonnegative weight a channel is trained together with the classifier. A given classifier has no mixing layer,
so here (our reading) the weights stand in front of the frozen classifier f, one a stain,

    M(alpha)_c = B_c + alpha_c (X_c - B_c),     B the fill (`napari_attribution.methods.fills`),

start at 1/2, stay within [0, 1], and are trained by two games at once: up the score of M(alpha), down that of
M(1 - alpha), in steps proportional to the gradient, so long that the most important stain can just reach 1 with the
last one: training on until every weight stands at a bound would tell nothing. The importance is the change of alpha;
exact Shapley values of the same removals stand beside it. The map tells where: the mixture's own gradient along the
way, times the pixels mixed in, resolved by stain.

Where the network gives no gradients (`estimate`), the weights follow from the scores of subsets of the stains, all of them
for up to 8 stains: the change of alpha is then the stain's Banzhaf value (`napari_attribution.methods.channels.banzhaf`),
scaled as above so that the most important stain just reaches a bound. Shapley values come from the same scores. The map
is estimated from masks drawn at random (`napari_attribution.methods.drawn_masks`): the effect on the score of mixing in
one place of one stain, which is what the gradient's map sums up, on at most 32 places along the longer side.

Because pixels are normalised by the card and measured from the fill, a stain that is merely brighter to the detector
gets no more weight.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from napari_attribution.methods.channels.banzhaf import banzhaf_drawn, banzhaf_of
from napari_attribution.methods.channels.shapley import channel_shapley, shapley_of
from napari_attribution.methods.channels.subsets import MOST_EXACT, every_subset, score_subsets
from napari_attribution.methods.drawn_masks import drawn_effects
from napari_attribution.methods.parameters import DcmixParameters, from_masks
from napari_attribution.methods.problem import Problem, Result

MOST_PLACES = 32
"""Places along the longer side of a map that is estimated from masks."""


def compute(problem: Problem, parameters: DcmixParameters) -> Result:
    """Train the channel weights of one input, or find them from subsets of the stains."""
    if from_masks(parameters, problem.classifier.gradients):
        return _from_scores(problem, parameters)
    C = problem.x.shape[1]
    alpha = torch.full((C,), 0.5)
    evidence = torch.zeros(problem.x.shape[1:])
    for step in range(parameters.steps):
        both = torch.stack([alpha, 1 - alpha])[:, :, None, None]
        by_pixel = (problem.gradient(problem.mixed(both)) * (problem.x - problem.fill)).cpu()
        evidence += by_pixel.sum(dim=0) / (2 * parameters.steps)
        # Down the score of M(1 - alpha) is up by alpha: the two gradients add.
        pull = by_pixel.sum(dim=(0, 2, 3))
        alpha = (alpha + pull / pull.abs().max().clamp_min(1e-12) / (2 * parameters.steps)).clamp(0, 1)
        problem.progress(step + 1, parameters.steps)
    extra: dict[str, object] = {"alpha": alpha.tolist(), "estimate": "gradient"}
    if parameters.shapley:
        shapley, error = channel_shapley(problem)
        extra["shapley"] = shapley.tolist()
        if error is not None:
            extra["shapley_standard_error"] = error.tolist()
    return Result(
        _pooled(evidence),
        alpha - 0.5,
        "change of the stain's mixing weight",
        f"{problem.score.unit} a place",
        extra=extra,
    )


def _from_scores(problem: Problem, parameters: DcmixParameters) -> Result:
    C, h, w = problem.x.shape[1:]
    shapley: Tensor | None = None
    shapley_error: Tensor | None = None
    error: Tensor | None = None
    if C <= MOST_EXACT:
        values = score_subsets(problem, every_subset(C))
        banzhaf, shapley = banzhaf_of(values), shapley_of(values)
    else:
        banzhaf, error = banzhaf_drawn(problem, parameters.masks // 2)
        if parameters.shapley:
            shapley, shapley_error = channel_shapley(problem)
    scale = 0.5 / float(banzhaf.abs().max().clamp_min(1e-12))
    effects = drawn_effects(problem, parameters.masks, C, _places((h, w)))
    extra: dict[str, object] = {"alpha": (0.5 + scale * banzhaf).tolist(), "banzhaf": banzhaf.tolist()}
    if parameters.shapley and shapley is not None:
        extra["shapley"] = shapley.tolist()
        if shapley_error is not None:
            extra["shapley_standard_error"] = shapley_error.tolist()
    return Result(
        effects.map,
        scale * banzhaf,
        "change of the stain's mixing weight, in proportion to its Banzhaf value",
        f"{problem.score.unit} a place",
        None if error is None else scale * error,
        extra=extra | effects.extra(),
    )


def _places(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of about 8 x 8 pixels, or of more where that would be too many."""
    side = max(8.0, max(size) / MOST_PLACES)
    return max(1, round(size[0] / side)), max(1, round(size[1] / side))


def _pooled(evidence: Tensor) -> Tensor:
    """Sums over places of about 8 x 8 pixels that share out the input evenly: gradients at single pixels are noise."""
    h, w = evidence.shape[1:]
    size = (max(1, round(h / 8)), max(1, round(w / 8)))
    return interpolate(evidence[None], size=size, mode="area")[0] * (h * w / (size[0] * size[1]))
