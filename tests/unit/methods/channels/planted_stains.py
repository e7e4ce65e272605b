"""Classifiers whose truth is planted, stain by stain, and problems of them."""

from __future__ import annotations

import networks
import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from napari_attribution import ClassifierCard, Well
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.methods.question.problem import Problem
from napari_attribution.methods.question.score import Score

SIZE = 32


class Table(nn.Module):
    """Any game: looks up the score by which of the stains have a mean above 1/2."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("values", values)

    def forward(self, x: Tensor) -> Tensor:
        there = (x.mean(dim=(2, 3)) > 0.5).long()
        bits = torch.arange(x.shape[1])
        seen = self.values[(there << bits).sum(dim=1)]
        return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)


class Means(nn.Module):
    """The mean brightness of every stain, weighted."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights))

    def forward(self, x: Tensor) -> Tensor:
        seen = x.mean(dim=(2, 3)) @ self.weights
        return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)


class Histogram(nn.Module):
    """How many pixels of the first stain are bright, and its standard deviation: nothing but its histogram."""

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.sigmoid(5 * (x[:, 0] - 1.2)).mean(dim=(1, 2)) + x[:, 0].flatten(1).std(dim=1)
        return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)


class Fine(nn.Module):
    """How alike neighbouring pixels of the first stain are not: fine texture, of which clouds have little."""

    def forward(self, x: Tensor) -> Tensor:
        plane = x[:, 0]
        seen = (plane[:, 1:] - plane[:, :-1]).abs().mean(dim=(1, 2)) + 0.2 * x[:, 1].mean(dim=(1, 2))
        return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)


class Smooth(nn.Module):
    """The opposite: the first stain's differences speak against the class."""

    def forward(self, x: Tensor) -> Tensor:
        seen = -(x[:, 0, 1:] - x[:, 0, :-1]).abs().mean(dim=(1, 2)) + 0.2 * x[:, 1].mean(dim=(1, 2))
        return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)


class Noise(nn.Module):
    """Sees something in clouds that the stain, all rows alike, does not show much of."""

    def forward(self, x: Tensor) -> Tensor:
        seen = 0.1 * x[:, 0].mean(dim=(1, 2)) + (x[:, 0, 8:] - x[:, 0, :-8]).abs().mean(dim=(1, 2))
        return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)


class Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean(dim=(1, 2, 3))[:, None] * 0 + value for value in (0.0, 1.0, 0.5)], dim=1)


def classifier_of(network: nn.Module, stains: int = 3, size: tuple[int, int] = (SIZE, SIZE)) -> Classifier:
    module = torch.jit.script(network.eval())
    card = ClassifierCard(
        stains=names(stains),
        classes=networks.CLASSES,
        size=size,
        mode="resize",
        mean=[0.0] * stains,
        std=[1.0] * stains,
        background=[0.0] * stains,
    )
    return Classifier(torchscript_network(module, torch.device("cpu")), card)


def names(stains: int) -> tuple[str, ...]:
    return networks.STAINS if stains == 3 else tuple(f"stain {index}" for index in range(stains))


def well(stains: int = 3, seed: int = 0, size: tuple[int, int] = (SIZE, SIZE)) -> Well:
    """Blobs that are bright here and dark there, the mean of each stain about 1."""
    rng = np.random.default_rng(seed)
    pixels = np.stack([gaussian_filter(rng.uniform(size=size), 0.8) for _ in range(stains)])
    pixels = 1 + 0.4 * (pixels - pixels.mean()) / pixels.std()
    return Well(pixels.astype(np.float32), names(stains))


def problem_of(network: nn.Module, stains: int = 3, size: tuple[int, int] = (SIZE, SIZE), seed: int = 0) -> Problem:
    """Why "hit"? With zero as the fill."""
    x = torch.from_numpy(well(stains, seed, size).pixels.copy())[None]
    fill = torch.zeros(1, stains, 1, 1)
    return Problem(classifier_of(network, stains, size), x, fill, Score("logit", 1))


def table(stains: int, seed: int = 0) -> Table:
    """A game of random scores, neither monotone nor positive."""
    return Table(torch.randn(2**stains, generator=torch.Generator().manual_seed(seed)))
