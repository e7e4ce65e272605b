"""Small networks for the tests: every kind of head that the methods treat differently, scripted or traced."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from napari_attribution import ClassifierCard, Well
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network

STAINS = ("DNA", "ER", "Mito")
CLASSES = ("control", "hit", "dead")


class Residual(nn.Module):
    """Conv, norm, ReLU, conv, norm, skip (added in place), ReLU (in place)."""

    def __init__(self, a: int, b: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(a, b, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(b)
        self.conv2 = nn.Conv2d(b, b, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(b)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Conv2d(a, b, 1, stride, bias=False) if stride != 1 or a != b else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        y += self.shortcut(x)
        return self.relu(y)


class SqueezeExcite(nn.Module):
    """Scales every channel by what all places say: not affine in the activation before it."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(n, max(2, n // 4)), nn.Linear(max(2, n // 4), n)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.up(torch.relu(self.down(x.mean(dim=(2, 3))))))
        return x * gate[:, :, None, None]


class Gap(nn.Module):
    """Residual blocks, global average pool, linear: the affine head."""

    def __init__(self, stains: int = 3, classes: int = 3) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Residual(stains, 8, 2), Residual(8, 8), Residual(8, 12, 2))
        self.head = nn.Linear(12, classes)

    def features(self, x: Tensor) -> Tensor:
        return self.blocks(x)

    def classify(self, a: Tensor) -> Tensor:
        return self.head(a.mean(dim=(2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))


class FullyConnected(Gap):
    """VGG-like: the map is flattened into two linear layers."""

    def __init__(self, stains: int = 3, classes: int = 3, size: int = 32) -> None:
        super().__init__(stains, classes)
        self.head = nn.Sequential(nn.Linear(12 * (size // 4) ** 2, 16), nn.ReLU(), nn.Linear(16, classes))

    def classify(self, a: Tensor) -> Tensor:
        return self.head(a.flatten(1))


class Gated(Gap):
    """A squeeze-and-excitation block stands behind the last residual block."""

    def __init__(self, stains: int = 3, classes: int = 3) -> None:
        super().__init__(stains, classes)
        self.gate = SqueezeExcite(12)

    def classify(self, a: Tensor) -> Tensor:
        return self.head(self.gate(a).mean(dim=(2, 3)))


class Branching(Gap):
    """Control flow that depends on the input, and a dense (concatenated) skip."""

    def forward(self, x: Tensor) -> Tensor:
        a = self.blocks[0](x)
        b = self.blocks[1](a)
        if bool(b.mean() > 1e6):
            b = b * 0
        c = self.blocks[2](torch.cat([b[:, :4], a[:, 4:]], dim=1))
        return self.head(c.mean(dim=(2, 3)))


class Deep(nn.Module):
    """Four residual blocks, of strides 2, 4, 8 and 16, and a perceptron behind their mean: no head is affine."""

    def __init__(self, stains: int = 3, classes: int = 3) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            Residual(stains, 8, 2), Residual(8, 8, 2), Residual(8, 12, 2), Residual(12, 12, 2)
        )  # fmt: skip
        self.head = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, classes))

    def classify(self, a: Tensor) -> Tensor:
        return self.head(a.mean(dim=(2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.blocks(x))


class MatchedFilter(nn.Module):
    """Looks for bright discs of 8 px in one stain: a matched filter above a threshold, averaged over ever larger places."""

    def __init__(self, stain: int = 1, stains: int = 3, threshold: float = 1.0) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(torch.arange(-7, 8), torch.arange(-7, 8), indexing="ij")
        inside = (rows**2 + columns**2 <= 16).float()
        around = (rows**2 + columns**2 <= 49).float() - inside
        self.find, self.relu = nn.Conv2d(stains, 1, 15, padding=7), nn.ReLU()
        self.places = nn.Sequential(*(nn.Sequential(nn.Conv2d(1, 1, 2, 2, bias=False), nn.ReLU()) for _ in range(4)))
        with torch.no_grad():
            self.find.weight.zero_()
            self.find.weight[0, stain] = inside / inside.sum() - around / around.sum()
            self.find.bias.fill_(-threshold)
            for place in self.places:
                place[0].weight.fill_(0.25)

    def forward(self, x: Tensor) -> Tensor:
        seen = 100 * self.places(self.relu(self.find(x))).mean(dim=(1, 2, 3))
        return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)


NETWORKS = {"gap": Gap, "fully-connected": FullyConnected, "gated": Gated, "branching": Branching}


def make(kind: str, seed: int = 0) -> nn.Module:
    """A network with random weights and random, settled batch statistics."""
    torch.manual_seed(seed)
    network = NETWORKS[kind]()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    return network.eval()


def card(size: int | tuple[int, int] | None = 32, **changes: object) -> ClassifierCard:
    """A card for these networks, for pixels that are normalised already."""
    fields: dict[str, object] = {
        "stains": STAINS,
        "classes": CLASSES,
        "size": (size, size) if isinstance(size, int) else size,
        "mode": "resize",
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
        "background": [0.0] * 3,
    }
    return ClassifierCard(**(fields | changes))


def save(network: nn.Module, path: Path, how: str = "scripted", size: int = 32) -> Path:
    """As a TorchScript file."""
    with torch.no_grad():
        module = (
            torch.jit.script(network) if how == "scripted" else torch.jit.trace(network, torch.randn(2, 3, size, size))
        )
    module.save(str(path))
    return path


def opened(network: nn.Module, folder: Path, how: str = "scripted", **changes: object) -> Classifier:
    """Saved, loaded from the disk and wrapped, with what a card changes of `card`'s."""
    module = torch.jit.load(str(save(network, folder / "network.pt", how))).eval()
    return Classifier(torchscript_network(module, torch.device("cpu")), card(**changes))


def names(stains: int) -> tuple[str, ...]:
    """Of so many stains."""
    return STAINS if stains == 3 else tuple(f"stain {index}" for index in range(stains))


def wrapped(
    network: nn.Module, size: tuple[int, int] | None = (32, 32), stains: int = 3, **changes: object
) -> Classifier:
    """Scripted and wrapped, for inputs of (h, w) pixels that are normalised already."""
    # A copy: what is wrapped has its weights frozen, and the twins want to derive by them.
    module = torch.jit.script(copy.deepcopy(network.eval()))
    zeros = [0.0] * stains
    fields = {"stains": names(stains), "mean": zeros, "std": [1.0] * stains, "background": zeros} | changes
    return Classifier(torchscript_network(module, torch.device("cpu")), card(size, **fields))


def noise(size: tuple[int, int] = (32, 32), stains: int = 3, seed: int = 0) -> Well:
    """A well of noise."""
    pixels = np.random.default_rng(seed).normal(size=(stains, *size)).astype(np.float32)
    return Well(pixels, names(stains))


def discs(size: int, places: list[tuple[int, int]], stain: int = 1, seed: int = 0) -> Well:
    """Noise, with bright discs of 8 px in one stain."""
    pixels = np.random.default_rng(seed).normal(0, 0.3, size=(3, size, size)).astype(np.float32)
    rows, columns = np.indices((size, size))
    for row, column in places:
        pixels[stain][np.hypot(rows - row, columns - column) <= 4] += 2
    return Well(pixels, STAINS)
