r"""Integrated Gradients: the score's gradient along the straight way from the fill to the input, times that way.

Sundararajan et al., ICML 2017 (arXiv 1703.01365). With the input X (C x h x w), the baseline B and the score S,

    M_cij = (X_cij - B_cij) * integral over a in [0, 1] of dS(B + a (X - B)) / dX_cij

so that the map sums to S(X) - S(B), but for the error of the integral.

Where this deviates from the paper:

- the baseline is the fill (`napari_attribution.methods.question.fills`): what means "taken away" to every method here;
- the integral is a Gauss-Legendre sum of `steps` points, as captum's, where the paper's is a Riemann sum: it needs fewer;
- the map may be smoothed by a Gaussian (`smooth`, in input pixels), which keeps the sum of every stain. As published (0)
  it is speckle; what is faithful in it shows, and compares fairly with coarser maps, only when speckle is gone.

Tested against captum's, which stands beside it as "captum-integrated-gradients"
(`napari_attribution.methods.references.captum_integrated_gradients`).
"""

from __future__ import annotations

import numpy as np

from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.parameters import IntegratedGradientsParameters
from napari_attribution.methods.references.paths import mean_gradient, resolved


def compute(problem: Problem, parameters: IntegratedGradientsParameters) -> Result:
    """The signed (C, h, w) map."""
    points, weights = np.polynomial.legendre.leggauss(parameters.steps)
    gradient = mean_gradient(problem, ((points + 1) / 2).tolist(), (weights / 2).tolist())
    return resolved(problem, (problem.x - problem.fill)[0] * gradient, parameters.smooth, steps=parameters.steps)


def forwards(prices: Prices, parameters: IntegratedGradientsParameters) -> float:
    """One with its gradient a step."""
    return parameters.steps * prices.with_gradient
