"""Small networks for the tests: every kind of head that the methods treat differently, scripted or traced."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from napari_attribution import ClassifierCard
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


def card(size: int | None = 32, **changes: object) -> ClassifierCard:
    """A card for these networks, for pixels that are normalised already."""
    fields: dict[str, object] = {
        "stains": STAINS,
        "classes": CLASSES,
        "size": None if size is None else (size, size),
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


def opened(network: nn.Module, folder: Path, how: str = "scripted") -> Classifier:
    """Saved, loaded from the disk and wrapped."""
    module = torch.jit.load(str(save(network, folder / "network.pt", how))).eval()
    return Classifier(torchscript_network(module, torch.device("cpu")), card())
