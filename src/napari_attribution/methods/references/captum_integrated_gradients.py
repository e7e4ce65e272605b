"""Integrated Gradients as captum computes it: a peer to compare ours with.

`captum.attr.IntegratedGradients` (Kokhlikyan et al., 2020, arXiv 2009.07896), asked for the same score, from the same fill, with
the same number of steps as `napari_attribution.methods.references.integrated_gradients`, which says what the map is.
"""

from __future__ import annotations

from napari_attribution.classifiers.memory import BUDGET
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.captum_extra import counted, require
from napari_attribution.methods.references.integrated_gradients import forwards
from napari_attribution.methods.references.parameters import IntegratedGradientsParameters
from napari_attribution.methods.references.paths import bytes_with_gradient, resolved

__all__ = ["compute", "forwards"]


def compute(problem: Problem, parameters: IntegratedGradientsParameters) -> Result:
    """The signed (C, h, w) map.

    Raises
    ------
    RequestError
        Where captum is not installed.
    """
    require()
    from captum.attr import IntegratedGradients

    values = IntegratedGradients(counted(problem, parameters.steps)).attribute(
        problem.x,
        baselines=problem.fill.expand_as(problem.x),
        n_steps=parameters.steps,
        internal_batch_size=max(1, BUDGET // bytes_with_gradient(problem)),
    )
    problem.progress(parameters.steps, parameters.steps)
    return resolved(problem, values[0].detach(), parameters.smooth, steps=parameters.steps)
