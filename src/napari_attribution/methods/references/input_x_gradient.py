r"""Input x Gradient: what the score would gain by every pixel, were the network a line.

Shrikumar et al., 2016 (arXiv 1605.01713). With the input X (C x h x w), the fill B and the score S,

    M_cij = (X_cij - B_cij) dS/dX_cij

A control more than a method: it is the first step of the literal form of PCIM (`napari_attribution.methods.pcim`), which
adds nothing where it is not more faithful than this.

Where this deviates from the paper:

- X is measured from the fill (`napari_attribution.methods.question.fills`), not from zero: the two are one where the fill is the
  mean that the card normalises to zero;
- the map may be smoothed by a Gaussian (`smooth`, in input pixels): the benchmark asks whether more than speckle is lost.
"""

from __future__ import annotations

from napari_attribution.methods.choice.cost import Prices
from napari_attribution.methods.question.problem import Problem, Result
from napari_attribution.methods.references.parameters import InputXGradientParameters
from napari_attribution.methods.references.paths import mean_gradient, resolved


def compute(problem: Problem, parameters: InputXGradientParameters) -> Result:
    """The signed (C, h, w) map."""
    values = (problem.x - problem.fill)[0] * mean_gradient(problem, [1.0], [1.0])
    return resolved(problem, values, parameters.smooth)


def forwards(prices: Prices, parameters: InputXGradientParameters) -> float:
    """One with its gradient."""
    return prices.with_gradient
