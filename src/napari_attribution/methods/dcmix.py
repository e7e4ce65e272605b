r"""DCMIX, post-hoc: which stain, mixed back in, makes the class.

Siegismund et al., GCPR 2023 (arXiv 2308.16637). Implemented from the published description, in which a mixing layer
with one nonnegative weight a channel is trained together with the classifier. A given classifier has no mixing layer,
so here (our reading) the weights stand in front of the frozen classifier f, one a stain,

    M(alpha)_c = B_c + alpha_c (X_c - B_c),     B the fill (`napari_attribution.methods.question.fills`),

start at 1/2, stay within [0, 1], and are trained by two games at once: up the score of M(alpha), down that of
M(1 - alpha), in steps proportional to the gradient, so long that the most important stain can just reach 1 with the
last one: training on until every weight stands at a bound would tell nothing. The importance is the change of alpha;
exact Shapley values of the same removals stand beside it. The map tells where: the blended mixture's own gradient along
the way, times the pixels mixed in, resolved by stain.

What a weight is (`mixing`):

- **tossed** (default, ours): the chance that its stain is mixed in, wholly or not at all; what is trained is the mean score
  over the tosses (`napari_attribution.methods.channels.mixing`). Up to 8 stains it is known exactly, with its gradient, from
  the scores of all subsets, which are those that Shapley values are made of. So the two agree for two reasons, and their
  agreement proves neither: both ask what a stain adds to others, DCMIX of tossed subsets, Shapley of all orders.
- **blended** (as published): how much of its stain is mixed in, as written above. It needs gradients, and it asks the
  classifier of images half as bright as any well; of them, a classifier's gradient says what *they* hang on.

On 60 fresh sample fields of three phenotypes, score logit (contrast), both find the stain of the phenotype in every field. Their
rank correlation with the Shapley values, the mean over fields, is 0.97 (0.98) tossed and 0.87 (0.83) blended
(`benchmarks/channels.py`). Gradients of blended mixtures do not come nearer by being averaged: along alpha = t from 0 to 1
0.84 (0.62), over weights spread over the whole cube 0.89 (0.84), near its corners 0.92 (0.87), at the corners themselves 0.54
(0.66), on 24 to 30 of such fields. A classifier's slope at a mixture is not what it does when the stain goes.

Where the network gives no gradients (`estimate`), the weights are tossed all the same, and the map is estimated from masks
drawn at random (`napari_attribution.methods.shared.drawn_masks`): the effect on the score of mixing in one place of one stain,
which is what the gradient's map sums up, on at most 32 places along the longer side.

Stains that say the same move alike, and a stain that speaks against the class is mixed out. Because pixels are normalised by
the card and measured from the fill, a stain that is merely brighter to the detector gets no more weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from napari_attribution.errors import ClassifierError, RequestError
from napari_attribution.methods.channels.banzhaf import banzhaf_game
from napari_attribution.methods.channels.mixing import forwards as tossed_forwards
from napari_attribution.methods.channels.mixing import moved, one_step, train
from napari_attribution.methods.channels.shapley import channel_shapley, shapley_game
from napari_attribution.methods.channels.subsets import MOST_EXACT, every_subset, score_subsets
from napari_attribution.methods.channels.values import stain_forwards
from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.choice.parameters import DcmixParameters, from_masks
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.shared.drawn_masks import drawn_effects

MEANING = "change of the stain's mixing weight"
BLENDED_NEEDS_GRADIENTS = (
    "Blended mixing weights are trained by gradients, and masks are drawn where there are none. Choose the mixing tossed, which "
    "needs scores alone."
)
MOST_PLACES = 32
"""Places along the longer side of a map that is estimated from masks."""


@dataclass(frozen=True)
class _Weights:
    """The channel weights after their training.

    Parameters
    ----------
    path : (steps + 1, C) Tensor
        From 1/2 to where they ended.
    error : (C,) Tensor or None
        Standard error of the last; None where it is exact.
    extra : dict
        For the record.
    """

    path: Tensor
    error: Tensor | None
    extra: dict[str, object]


def compute(problem: Problem, parameters: DcmixParameters) -> Result:
    """Train the channel weights of one input, and say where they take effect.

    Raises
    ------
    RequestError
        For blended weights without gradients.
    ClassifierError
        For scores or gradients that are not numbers.
    """
    masks = from_masks(parameters, problem.classifier.gradients)
    if parameters.mixing == "blended":
        if masks:
            raise RequestError(BLENDED_NEEDS_GRADIENTS)
        weights, evidence = _blended(problem, parameters)
    else:
        weights = _tossed(problem, parameters)
        evidence = torch.empty(0) if masks else _evidence(problem, _along(weights.path, parameters.steps))
    extra = {"alpha": weights.path[-1].tolist(), "mixing": parameters.mixing} | weights.extra
    if masks:
        effects = drawn_effects(problem, parameters.masks, problem.x.shape[1], _places(problem.x.shape[2:]))
        found, extra = effects.map, extra | effects.extra()
    else:
        found, extra = _pooled(evidence), extra | {"estimate": "gradient"}
    return Result(found, weights.path[-1] - 0.5, MEANING, f"{problem.score.unit} a place", weights.error, extra=extra)


def forwards(prices: Prices, parameters: DcmixParameters) -> float:
    """The map, and the weights; Shapley values of up to 8 stains come from the tosses' scores."""
    C, masks = prices.stains, from_masks(parameters, prices.classifier.gradients)
    work = 2 * max(1, parameters.masks // 2) if masks else parameters.steps * 2 * prices.with_gradient
    tossed = parameters.mixing == "tossed"
    shapley = parameters.shapley and not (tossed and C <= MOST_EXACT)
    return work + (tossed_forwards(C) if tossed else 0) + (stain_forwards("shapley", C) if shapley else 0)


def _tossed(problem: Problem, parameters: DcmixParameters) -> _Weights:
    C = problem.x.shape[1]
    if C <= MOST_EXACT:
        scores = score_subsets(problem, every_subset(C))
        trained, error = train(scores, parameters.steps), None
        extra: dict[str, object] = {"pull": trained.pull.tolist()}
        if parameters.shapley:
            extra["shapley"] = shapley_game(C).of(scores).tolist()
        return _Weights(trained.path, None, extra)
    pull, error = banzhaf_game(C).play(problem)
    assert error is not None
    scale = 0.5 / float(pull.abs().max().clamp_min(1e-12))
    extra = {"pull": pull.tolist(), "pull_standard_error": error.tolist()}
    return _Weights(one_step(pull).path, scale * error, extra | _shapley(problem, parameters))


def _blended(problem: Problem, parameters: DcmixParameters) -> tuple[_Weights, Tensor]:
    """The weights, and the (C, h, w) evidence along the way."""
    C = problem.x.shape[1]
    path = [torch.full((C,), 0.5)]
    evidence = torch.zeros(problem.x.shape[1:])
    for step in range(parameters.steps):
        found = _gradient_of_games(problem, path[-1])
        evidence += found / (2 * parameters.steps)
        path.append(moved(path[-1], found.sum(dim=(1, 2)), parameters.steps))
        problem.progress(step + 1, parameters.steps)
    return _Weights(torch.stack(path), None, _shapley(problem, parameters)), evidence


def _shapley(problem: Problem, parameters: DcmixParameters) -> dict[str, object]:
    """For the record, where it is wanted."""
    if not parameters.shapley:
        return {}
    shapley, error = channel_shapley(problem)
    return {"shapley": shapley.tolist()} | ({} if error is None else {"shapley_standard_error": error.tolist()})


def _along(path: Tensor, steps: int) -> Tensor:
    """(steps, C) weights at the beginning of each step, on the straight line where there was but one long step."""
    if len(path) == steps + 1:
        return path[:-1]
    return path[0] + torch.arange(steps)[:, None] / steps * (path[-1] - path[0])


def _evidence(problem: Problem, path: Tensor) -> Tensor:
    """(C, h, w): the mean over the way, and over both games, of what each pixel mixed in does to the score."""
    evidence = torch.zeros(problem.x.shape[1:])
    for step, alpha in enumerate(path):
        evidence += _gradient_of_games(problem, alpha) / (2 * len(path))
        problem.progress(step + 1, len(path))
    return evidence


def _gradient_of_games(problem: Problem, alpha: Tensor) -> Tensor:
    """(C, h, w): up the score of M(alpha) and down that of M(1 - alpha), by the pixels mixed in. Down the score of
    M(1 - alpha) is up by alpha: the two gradients add."""
    both = torch.stack([alpha, 1 - alpha])[:, :, None, None]
    found = (problem.gradient(problem.mixed(both)) * (problem.x - problem.fill)).sum(dim=0).cpu()
    if not bool(torch.isfinite(found).all()):
        raise ClassifierError(
            "The classifier's gradients are not numbers (NaN or infinity) once stains are mixed with their fill, so nothing can "
            "be said of them. Set the estimate to masks, or choose another fill."
        )
    return found


def _places(size: torch.Size) -> tuple[int, int]:
    """Rows and columns of about 8 x 8 pixels, or of more where that would be too many."""
    side = max(8.0, max(size) / MOST_PLACES)
    return max(1, round(size[0] / side)), max(1, round(size[1] / side))


def _pooled(evidence: Tensor) -> Tensor:
    """Sums over places of about 8 x 8 pixels that share out the input evenly: gradients at single pixels are noise."""
    h, w = evidence.shape[1:]
    size = (max(1, round(h / 8)), max(1, round(w / 8)))
    return interpolate(evidence[None], size=size, mode="area")[0] * (h * w / (size[0] * size[1]))
