"""Problem: what every method is given, and Result: what it gives back. One input at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.splitting.layouts import Grid
from napari_attribution.methods.question.score import Score

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all); may raise `Cancelled`."""


@dataclass(frozen=True)
class Problem:
    """Why does `classifier` give `x` this score?

    Parameters
    ----------
    classifier : Classifier
    x : (1, C, h, w) Tensor
        One prepared input.
    fill : (1, C, h, w) or (1, C, 1, 1) Tensor
        What stands in for what is taken away.
    score : Score
    progress : callable
    """

    classifier: Classifier
    x: Tensor
    fill: Tensor
    score: Score
    progress: Progress = field(default=lambda done, total: None)

    def of(self, inputs: Tensor) -> Tensor:
        """(N, C, h, w) inputs to their (N,) scores."""
        return self.score.of(self.classifier.scores(inputs))

    def mixed(self, alpha: Tensor) -> Tensor:
        """The input where alpha is 1, the fill where it is 0: (N, C or 1, h or 1, w or 1) to (N, C, h, w)."""
        return self.fill + alpha.to(self.x.device) * (self.x - self.fill)

    def gradient(self, inputs: Tensor) -> Tensor:
        """The score's gradient by each input, (N, C, h, w)."""
        with torch.enable_grad():
            x = inputs.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.of(x).sum(), x)
        return gradient


@dataclass(frozen=True)
class Result:
    """A method's answer for one input.

    Parameters
    ----------
    map : (h', w') or (C, h', w') Tensor
        Signed.
    importance : (C,) Tensor
        Per stain, in the score's unit or in that of the map; may be negative.
    importance_meaning : str
        What the importance measures.
    units : str
        Unit of the map.
    spread : (C,) Tensor, optional
    grid : Grid, optional
        Where in the input the map's locations lie; by default they share it out evenly.
    extra : dict
        Other numbers worth keeping in the record.
    strength : float, optional
        For a map whose scale is its own (mixing weights move by the same largest step in every input): how much it stands
        for, in the score's unit. The maps of several tiles or cells are made comparable by it.
    """

    map: Tensor
    importance: Tensor
    importance_meaning: str
    units: str
    spread: Tensor | None = None
    grid: Grid | None = None
    extra: dict[str, object] = field(default_factory=dict)
    strength: float | None = None
