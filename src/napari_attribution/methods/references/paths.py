"""What the references by input gradients share: sums of gradients between the fill and the input, and smoothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from skimage.filters import gaussian
from torch import Tensor

from napari_attribution.classifiers.memory import in_batches
from napari_attribution.methods.question.problem import Problem, Result

MEANING = "sum of the stain's map"


def mean_gradient(problem: Problem, alphas: Sequence[float], weights: Sequence[float]) -> Tensor:
    """(C, h, w) weighted sum of the score's gradients at mixtures of fill (0) and input (1), batched by bytes."""
    at = torch.tensor(alphas, dtype=torch.float32)[:, None, None, None]
    by = torch.tensor(weights, dtype=torch.float32, device=problem.x.device)
    total = torch.zeros_like(problem.x[0])

    def run(part: slice) -> Tensor:
        problem.progress(part.start, len(at))
        total.add_(torch.einsum("m,mcij->cij", by[part], problem.gradient(problem.mixed(at[part]))))
        return by[part]

    in_batches(run, len(at), bytes_with_gradient(problem))
    problem.progress(len(at), len(at))
    return total


def bytes_with_gradient(problem: Problem) -> int:
    """What a forward of one input with its gradient takes: about two float32 of every layer are kept at once."""
    classifier = problem.classifier
    h, w = problem.x.shape[2:]
    measured = classifier.card.size or (256, 256)
    values = sum(n * rows * columns for n, rows, columns in (layer.shape for layer in classifier.layers))
    values = int(values * h * w / (measured[0] * measured[1])) or 64 * problem.x.numel()
    return 8 * values


def resolved(problem: Problem, values: Tensor, smooth: float, **found: object) -> Result:
    """The answer that a (C, h, w) map makes; smoothing moves values about, and leaves each stain its sum."""
    values = values.float().cpu()
    importance = values.sum(dim=(1, 2))
    if smooth:
        blurred = gaussian(values.numpy(), sigma=smooth, mode="reflect", channel_axis=0)
        values = torch.from_numpy(blurred)
    return Result(values, importance, MEANING, f"{problem.score.unit} a pixel", extra={"smooth": smooth, **found})
