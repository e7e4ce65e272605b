"""Networks whose heads differ in what the fast ways can do with them, opened from any kind of file; and brute force."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import networks
import pytest
import torch
from torch import Tensor, nn

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.loading import load_classifier
from napari_attribution.methods.question.problem import Problem
from napari_attribution.methods.question.score import Score


class Headed(networks.Gap):
    """Residual blocks, and any head behind them."""

    def __init__(self, *head: nn.Module) -> None:
        super().__init__()
        self.head = nn.Sequential(*head)

    def classify(self, a: Tensor) -> Tensor:
        return self.head(a)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x))


class Mean(nn.Module):
    """Global average pooling, as it is often written."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


class Tokens(nn.Module):
    """Every location a token, whose sizes are asked for, as scripted code does."""

    def forward(self, x: Tensor) -> Tensor:
        n, c = x.shape[0], x.shape[1]
        return x.view(n, c, -1).permute(0, 2, 1).reshape(n, -1)


def flat(*pool: nn.Module, size: int) -> list[nn.Module]:
    """Like VGG's head."""
    linear = [nn.Linear(12 * size**2, 24), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(24, 3)]
    return [*pool, nn.Flatten(), *linear]


HEADS: dict[str, Callable[[int], list[nn.Module]]] = {
    "flatten": lambda n: flat(size=n),
    "average pool, flatten": lambda n: flat(nn.AvgPool2d(2), size=n // 2),
    "adaptive pool, flatten": lambda n: flat(nn.AdaptiveAvgPool2d(3), size=3),
    "norm, flatten": lambda n: flat(nn.BatchNorm2d(12), size=n),
    "tokens": lambda n: [Tokens(), nn.Linear(12 * n * n, 24), nn.Tanh(), nn.Linear(24, 3)],
    "convolution to one place": lambda n: [nn.Conv2d(12, 20, n), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3)],
    "mean, two linear": lambda n: [Mean(), nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 3)],
    "pool, norm, two linear": lambda n: [
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 20), nn.GELU(), nn.Linear(20, 3),
    ],
    "mean, softmax": lambda n: [Mean(), nn.Linear(12, 3), nn.Softmax(dim=1)],
}  # fmt: skip
"""Not affine, but each begins so."""


def made(*head: nn.Module, seed: int = 0) -> nn.Module:
    """A network with random, settled batch statistics."""
    torch.manual_seed(seed)
    network = Headed(*head)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network.eval()


def brute_force(network: nn.Module, x: Tensor, score: Score) -> Tensor:
    """(h', w') drops of the eager network, in double precision."""
    network.double()
    with torch.no_grad():
        a = network.features(x.double())
        rows, columns = a.shape[2:]
        drops = []
        for first in range(0, rows * columns, 64):
            at = torch.arange(first, min(first + 64, rows * columns))
            ablated = a.repeat(len(at), 1, 1, 1)
            ablated[torch.arange(len(at)), :, at // columns, at % columns] = 0
            drops.append(score.of(as_scores(network.classify(a))) - score.of(as_scores(network.classify(ablated))))
    network.float()
    return torch.cat(drops).view(rows, columns)


def as_scores(answer: Tensor) -> Tensor:
    """Where a network answers with probabilities, their logarithms are the scores."""
    return answer.log() if bool((answer.sum(dim=1) - 1).abs().max() < 1e-6) else answer


def problem(classifier: Classifier, kind: str = "logit", size: int | tuple[int, int] = 32, seed: int = 1) -> Problem:
    h, w = (size, size) if isinstance(size, int) else size
    stains = len(classifier.card.stains)
    x = torch.randn(1, stains, h, w, generator=torch.Generator().manual_seed(seed))
    return Problem(classifier, x, torch.zeros_like(x), Score(kind, 1))


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Classifier]:
    """Saved in one of three ways, and loaded from the disk."""

    def load(network: nn.Module, how: str = "scripted", size: int = 32) -> Classifier:
        if how == "exported":
            path = tmp_path / "network.pt2"
            batch = torch.export.Dim("batch")
            x = torch.randn(2, 3, size, size)
            torch.export.save(torch.export.export(network, (x,), dynamic_shapes=({0: batch},)), path)
        else:
            path = networks.save(network, tmp_path / "network.pt", how, size)
        return load_classifier(path, "cpu", networks.card(size), time_limit=None)

    return load
