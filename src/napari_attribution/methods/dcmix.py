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

Because pixels are normalised by the card and measured from the fill, a stain that is merely brighter to the detector
gets no more weight.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from napari_attribution.errors import RequestError
from napari_attribution.methods.channel_shapley import channel_shapley
from napari_attribution.methods.parameters import DcmixParameters
from napari_attribution.methods.problem import Problem, Result


def compute(problem: Problem, parameters: DcmixParameters) -> Result:
    """Train the channel weights of one input.

    Raises
    ------
    RequestError
        Where the network gives no gradients.
    """
    if not problem.classifier.gradients:
        raise RequestError("This network gives no gradients, so DCMIX cannot train its channel weights.")
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
    extra: dict[str, object] = {"alpha": alpha.tolist()}
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


def _pooled(evidence: Tensor) -> Tensor:
    """Sums over places of about 8 x 8 pixels that share out the input evenly: gradients at single pixels are noise."""
    h, w = evidence.shape[1:]
    size = (max(1, round(h / 8)), max(1, round(w / 8)))
    return interpolate(evidence[None], size=size, mode="area")[0] * (h * w / (size[0] * size[1]))
