"""Classifiers whose right explanation is known, as TorchScript."""

from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import torch
from torch import Tensor, nn

from napari_attribution import ClassifierCard
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.methods.question.problem import Problem
from napari_attribution.methods.question.score import Score


def disc(h: int, w: int, row: float, column: float, radius: float) -> np.ndarray:
    """(h, w) bool."""
    rows, columns = np.mgrid[:h, :w]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


class Sum(nn.Module):
    """The hit's logit is the weighted sum of the input's pixels and an offset; the other classes' are fixed."""

    def __init__(self, weights: np.ndarray, offset: float = 0.0) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(weights.astype(np.float32)))
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        hit = (x * self.weights).sum(dim=(1, 2, 3)) + self.offset
        other = torch.zeros_like(hit)
        return torch.stack([other, hit, other - 1.0], dim=1)


class Root(nn.Module):
    """NaN for an input whose mean is below -2, as only some fills give."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x.mean(dim=(1, 2, 3)), (x.mean(dim=(1, 2, 3)) + 2).sqrt(), x[:, 0].mean(dim=(1, 2))], dim=1)


def classifier(network: nn.Module, folder: Path, stains: int, size: tuple[int, int]) -> Classifier:
    """Scripted, saved, loaded."""
    torch.jit.script(network.eval()).save(str(folder / "planted.pt"))
    module = torch.jit.load(str(folder / "planted.pt"))
    names = [f"stain {number}" for number in range(stains)]
    card = ClassifierCard(
        stains=names,
        classes=networks.CLASSES,
        size=size,
        mode="resize",
        mean=[0.0] * stains,
        std=[1.0] * stains,
        background=[0.0] * stains,
    )
    return Classifier(torchscript_network(module, torch.device("cpu")), card)


def problem(found: Classifier, x: np.ndarray, fill: float | np.ndarray = 0.0, kind: str = "logit") -> Problem:
    """The hit's score for (C, h, w) pixels."""
    filled = np.broadcast_to(np.asarray(fill, np.float32).reshape(-1, 1, 1), (len(x), 1, 1))
    found.forwards = 0.0
    return Problem(
        found,
        torch.from_numpy(x.astype(np.float32))[None],
        torch.from_numpy(filled.copy())[None],
        Score(kind, 1),
    )
