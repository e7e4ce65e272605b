r"""Infidelity and max-sensitivity, computed by captum, which comes with the extra "references".

Yeh et al., NeurIPS 2019 (arXiv 1901.09392):

    infidelity      E over I of (sum of I * map - (S(x) - S(x without I)))^2       lower is better
    max-sensitivity max over |d| <= radius of ||map(x + d) - map(x)|| / ||map(x)|| lower is better

Where this deviates from the paper:

- I is 1 where units are taken away, and the fill stands in for them, so that a map of drops is right as it is (the paper's
  "square removal"): random patches as in `sensitivity`, under a (C, h, w) map patches of single stains;
- the map is scaled by the factor that suits it best (captum's `normalize`), for the unit of a map is a matter of taste;
- an (h, w) map is parted evenly among its stains.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_attribution.errors import RequestError
from napari_attribution.faithfulness.ranking import count_of
from napari_attribution.faithfulness.removal import keep, map_of
from napari_attribution.faithfulness.sensitivity import patch_numbers
from napari_attribution.methods.answers.explained import Explained
from napari_attribution.methods.choice.choosing import check_parameters, find_method
from napari_attribution.methods.question.problem import Problem

MISSING = (
    "Infidelity and max-sensitivity are computed by captum, which is not installed. Install it with: "
    'pip install "napari-attribution[references]"'
)


def _metrics() -> Any:
    if find_spec("captum") is None:
        raise RequestError(MISSING)
    return import_module("captum.metrics")


def infidelity(
    problem: Problem,
    values: npt.ArrayLike,
    share: float = 0.2,
    samples: int = 30,
    patches: int = 8,
    seed: int = 0,
) -> float:
    """Mean squared error of the map's sums over random patches, in squares of the score's unit.

    It takes one forward a sample, and one more for every ten.

    Parameters
    ----------
    problem : Problem
    values : (h, w) or (C, h, w) array
        The signed map at the input's resolution.
    share : float
        Of the units that are taken away.
    samples : int
    patches : int
        Along each side of the input.
    seed : int

    Raises
    ------
    RequestError
        Where captum is not installed, or for a map with NaN or of another shape.
    """
    metrics = _metrics()
    checked = map_of(problem, values)
    numbers = patch_numbers(checked.shape, patches)
    units = int(numbers.max()) + 1
    random = np.random.default_rng(seed)

    def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
        taken = []
        for _ in range(len(inputs)):
            chosen = random.choice(units, max(1, count_of(share, units)), replace=False)
            taken.append(np.broadcast_to(np.isin(numbers, chosen), problem.x.shape[1:]))
        removed = torch.from_numpy(np.stack(taken)).to(inputs.device)
        return removed.to(inputs.dtype), torch.cat([keep(problem, ~one) for one in taken])

    def score(inputs: Tensor) -> Tensor:
        return problem.score.of(problem.classifier.scores_of_many(lambda part: inputs[part], len(inputs)))

    C = problem.x.shape[1]
    parted = np.broadcast_to(checked if checked.ndim == 3 else checked / C, problem.x.shape)
    attributions = torch.from_numpy(parted.astype(np.float32)).to(problem.x.device)
    with torch.no_grad():
        found = metrics.infidelity(
            score,
            perturb,
            problem.x,
            attributions,
            n_perturb_samples=samples,
            max_examples_per_batch=min(samples, 10),
            normalize=True,
        )
    return float(found)


def max_sensitivity(
    explained: Explained, index: int = 0, radius: float = 0.02, samples: int = 5, seed: int = 0
) -> float:
    """How much the map changes at most, relative to itself, for inputs that are nearly the same.

    Parameters
    ----------
    explained : Explained
        Its method is asked again, with the same settings and fill, `samples` + 1 times.
    index : int
        Of the input.
    radius : float
        Largest change of any value of the normalised input.
    samples : int
        Neighbours drawn.
    seed : int

    Returns
    -------
    float
        NaN for a map that is zero everywhere.

    Raises
    ------
    RequestError
        Where captum is not installed.
    """
    metrics = _metrics()
    problem, grid_shape = explained.problems[index], explained.results[index].map.shape
    method = find_method(explained.attribution.method)
    settings = check_parameters(method, explained.attribution.record["parameters"])
    compute = import_module(f"napari_attribution.methods.{method.module}").compute

    def maps(inputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (batch,) = inputs if isinstance(inputs, tuple) else (inputs,)
        # captum asks without gradients, which some methods need.
        with torch.enable_grad():
            every = [compute(_at(problem, x), settings).map.detach().reshape(grid_shape) for x in batch.split(1)]
        return (torch.stack(every).float().cpu(),)

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        found = metrics.sensitivity_max(maps, problem.x, perturb_radius=radius, n_perturb_samples=samples)
    value = float(found.max())
    return value if explained.results[index].map.any() else float("nan")


def _at(problem: Problem, x: Tensor) -> Problem:
    """The same problem for another input."""
    return Problem(problem.classifier, x.detach(), problem.fill, problem.score, problem.progress)
