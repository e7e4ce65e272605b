r"""PCIM, pixel channel importance by mixing: which pixels, mixed back in, make the class, and taken out, unmake it.

Siegismund et al., SLAS Discovery 2025 (arXiv 2412.02275). Implemented from the published description; the number of
steps, the optimiser, the initial value and any regulariser are not known to us, so what follows is our reading. Every
pixel of one image is a channel of its own, mixed by a trainable nonnegative weight alpha in front of the frozen
classifier f:

    M(alpha) = B + alpha * (X - B),     alpha* = argmin over alpha >= 0 of loss(f(M(alpha)), c)

with B the fill (`napari_attribution.methods.question.fills`).

Form "literal": one alpha per pixel, shared by the stains, from 1, no regulariser; loss is the negative score.

Form "coarse-to-fine" (default) deviates where the literal form is known to fail. On grid mosaics of real wells (one tile of
a treated well among eight of untreated ones; `benchmarks/faithfulness.py`) the literal form is at chance.

- two games at once, keep and remove: alpha is pulled up the score of M(alpha) and down that of M(1 - alpha);
- the pull is summed, not stepped along pixel by pixel: E = mean over the steps of (X - B) times the gradients of both games, one
  value a pixel and stain. Adam's equal step for every pixel destroys the map;
- training goes from alpha = 1/2 down to almost nothing (the remove game sees the rest), and alpha leans towards the regions that E
  has favoured so far, ever more: what is asked at last is asked of a mixture that already keeps, or lacks, those regions.
  Without leaning, the sum is Integrated Gradients, from the fill;
- alpha is G_fine * E, G a Gaussian of `fine` pixels and E summed over the stains: a free weight per pixel invites adversarial
  speckle. It is weighed by E in the region around it (`napari_attribution.methods.shared.regions`), with a standard deviation of
  `region` times the input's longer side: coarse first, then fine. Its largest value is 1; what speaks against the class is
  negative;
- regions are also asked for directly: `covered` of them along the longer side are covered in turn, one forward each, and what the
  score loses weighs beside their evidence (`napari_attribution.methods.question.covering`). Too small a region for so few holes,
  less than half a step from one to the next, is judged by its evidence alone;
- with `per_stain` (ours) alpha is shared out among the stains by their own fine evidence, so that a stain which speaks against the
  class is negative where others outvote it, and the stains add up to alpha. What E sums to over a stain's pixels is the stain's
  importance.

Tried on the mosaics, and left out as no better: jitter of the input by up to 4 px, the blurred input as a second fill, alphas
drawn at random, leaning on without changing the level. There is no early stop: E is a mean over levels of alpha, each of which
is asked once.

Form "smooth": alpha is a grid, upsampled bilinearly, that starts at 1/2, stays within [0, 1] and goes in steps in proportion to
the gradient; the map is the change of alpha. Every change gains score; what a stain gained where it was mixed in, less
what it gained where it was mixed out, is its importance.

In a well of several inputs (tiles, cells) the largest weight moves as far in an input without signal as in one with it, so
each input's map is scaled by the score that it gained, the input that gained most keeping its own.

Where the network gives no gradients (`estimate`), the form is smooth, and asks the same two games of masks drawn at random on the
same grid (`napari_attribution.methods.shared.drawn_masks`). They tell the effect of each weight on the score, its gradient averaged
over mixtures about alpha = 1/2, and alpha goes that way in one step, so far that the strongest weight reaches a bound; what
that gains is the stains' importance, with its standard error. `steps` and `step_size` have no part in it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from napari_attribution.errors import RequestError
from napari_attribution.methods.channels.values import Stains, stain_values
from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.choice.parameters import PcimParameters, from_masks
from napari_attribution.methods.question.covering import losses, regions
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.shared.coarse_to_fine import agreed, as_numbers, evidence
from napari_attribution.methods.shared.drawn_masks import drawn_effects

CHANGE = "change of mixing weight"
WEIGHT = "mixing weight"
PULLED = "score gained by mixing the stain in"
GAINED = "score gained by mixing the stain in, less what mixing it out gained"
LITERAL_NEEDS_GRADIENTS = (
    "The literal form of PCIM has a weight for every pixel, which only gradients can train. Choose the form smooth, which can "
    "be estimated from drawn masks."
)


def compute(problem: Problem, parameters: PcimParameters) -> Result:
    """Train the mixing weights of one input, or estimate what they do from drawn masks.

    Raises
    ------
    RequestError
        For the literal form without gradients.
    ClassifierError
        For gradients or scores that are not numbers.
    """
    if from_masks(parameters, problem.classifier.gradients):
        return _from_masks(problem, parameters)
    if parameters.form == "coarse-to-fine":
        return _coarse_to_fine(problem, parameters)
    channels = problem.x.shape[1] if parameters.per_stain else 1
    if parameters.form == "literal":
        change, gained = _literal(problem, parameters, channels)
    else:
        change, gained = _smooth(problem, parameters, channels)
    stains = Stains(gained.cpu(), None, GAINED)
    if not parameters.per_stain:
        stains = stain_values(problem, "shapley")
    return Result(
        (change if parameters.per_stain else change[0]).cpu(),
        stains.importance,
        stains.meaning,
        CHANGE,
        stains.spread,
        strength=float(gained.abs().sum()),
        extra={"estimate": "gradient"},
    )


def forwards(prices: Prices, parameters: PcimParameters) -> float:
    """Forwards that one input takes."""
    shapley = prices.stain_values("none" if parameters.per_stain else "shapley")
    if from_masks(parameters, prices.classifier.gradients):
        return 2 * max(1, parameters.masks // 2) + shapley
    games = 1 if parameters.form == "literal" else 2
    asked = 0.0
    if parameters.form == "coarse-to-fine" and _asks(parameters):
        rows, columns = regions(parameters.covered, prices.size)
        asked = 1.0 + rows * columns
    return parameters.steps * games * prices.with_gradient + asked + shapley


def _asks(parameters: PcimParameters) -> bool:
    """Whether regions are covered: where the holes leave no gaps."""
    return parameters.covered * parameters.region >= 0.5


def _coarse_to_fine(problem: Problem, parameters: PcimParameters) -> Result:
    region = parameters.region * max(problem.x.shape[2:])
    asks = _asks(parameters)
    pull = evidence(problem, parameters.steps, region, more=int(asks))
    lost = None
    if asks:
        lost = losses(problem, parameters.covered, region, (parameters.steps, parameters.steps + 1))
        problem.progress(parameters.steps + 1, parameters.steps + 1)
    gained = pull.sum(dim=(1, 2))
    weights = agreed(pull if parameters.per_stain else pull.sum(dim=0, keepdim=True), parameters.fine, region, lost)
    stains = Stains(gained, None, PULLED) if parameters.per_stain else stain_values(problem, "shapley")
    return Result(
        weights if parameters.per_stain else weights[0],
        stains.importance,
        stains.meaning,
        WEIGHT,
        stains.spread,
        strength=float(gained.abs().sum()),
        extra={"estimate": "gradient", "gained": float(gained.sum())},
    )


def _from_masks(problem: Problem, parameters: PcimParameters) -> Result:
    if parameters.form == "literal":
        raise RequestError(LITERAL_NEEDS_GRADIENTS)
    C, h, w = problem.x.shape[1:]
    channels = C if parameters.per_stain else 1
    effects = drawn_effects(problem, parameters.masks, channels, _grid(parameters, (h, w)))
    stains = Stains(effects.gained, effects.gained_error, GAINED)
    if not parameters.per_stain:
        stains = stain_values(problem, "shapley")
    return Result(
        effects.change if parameters.per_stain else effects.change[0],
        stains.importance,
        stains.meaning,
        CHANGE,
        stains.spread,
        strength=float(effects.gained.abs().sum()),
        extra=effects.extra(),
    )


def _grid(parameters: PcimParameters, size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of mixing weights."""
    scale = parameters.grid / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _smooth(problem: Problem, parameters: PcimParameters, channels: int) -> tuple[Tensor, Tensor]:
    """(channels, gh, gw) change of alpha, and the (channels,) score gained, negative for what was mixed out."""
    alpha = torch.full(
        (1, channels, *_grid(parameters, (problem.x.shape[2], problem.x.shape[3]))), 0.5, device=problem.x.device
    )
    gained = torch.zeros(channels, device=problem.x.device)
    for step in range(parameters.steps):
        pixels = torch.cat([alpha, 1 - alpha])
        # Down the score of M(1 - alpha) is up by alpha: the two gradients add.
        pull = _gradient(problem, pixels).sum(dim=0, keepdim=True)
        moved = (alpha + parameters.step_size * pull / pull.abs().max().clamp_min(1e-12)).clamp(0, 1)
        gained += ((moved - alpha) * pull.abs()).sum(dim=(0, 2, 3)) / 2
        alpha = moved
        problem.progress(step + 1, parameters.steps)
    return (alpha - 0.5)[0], gained


def _literal(problem: Problem, parameters: PcimParameters, channels: int) -> tuple[Tensor, Tensor]:
    """(channels, h, w) change of alpha, and the (channels,) score gained."""
    alpha = torch.ones(1, channels, *problem.x.shape[2:], device=problem.x.device)
    gained = torch.zeros(channels, device=problem.x.device)
    for step in range(parameters.steps):
        pull = _gradient(problem, alpha)
        moved = (alpha + parameters.step_size * pull / pull.abs().max().clamp_min(1e-12)).clamp_min(0)
        gained += ((moved - alpha) * pull.abs()).sum(dim=(0, 2, 3))
        alpha = moved
        problem.progress(step + 1, parameters.steps)
    return (alpha - 1)[0], gained


def _gradient(problem: Problem, alpha: Tensor) -> Tensor:
    """The score's gradient by the mixing weights, each (N, channels, rows, columns) on its own."""
    size = problem.x.shape[2:]
    with torch.enable_grad():
        weights = alpha.detach().requires_grad_(True)
        fine = (
            interpolate(weights, size=size, mode="bilinear", align_corners=False)
            if alpha.shape[2:] != size
            else weights
        )
        (gradient,) = torch.autograd.grad(problem.of(problem.mixed(fine)).sum(), weights)
    return as_numbers(gradient)
