"""The sample classifier: a small residual network, and how it is trained and measured.

The network is trained on whole fields. Three things keep it honest about *why* it decides:

- Fields of one seed come in all four classes, so nothing but the phenotype can tell them apart.
- While it trains, the weights of its last layer must also say, for every location of the last block, which phenotype
  the cell there has, and must say little where no cell has one. What this needs besides is dropped when it is saved.
- Some training fields have one stain blanked, or some cells; a field that has lost its affected cells or their stain
  is a control.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from fields import Scene
from stains import CLASSES, STAIN_OF, STAINS
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, interpolate, pad

SIZE = (256, 256)
"""Height and width of an input."""
STRIDE = 8
"""Pixels of an input to one location of the last block."""


class BasicBlock(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, outputs, h / stride, w / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.shortcut(x))


class SmallResNet(nn.Module):
    """A stem, three stages of two residual blocks, the mean over all locations, and a linear layer.

    The stem and the last two stages each halve the field: 256 x 256 pixels end as 32 x 32 locations.
    """

    def __init__(self, stains: int = 5, classes: int = 4, widths: tuple[int, int, int] = (16, 32, 64)) -> None:
        super().__init__()
        a, b, c = widths
        self.stem = nn.Sequential(nn.Conv2d(stains, a, 3, 2, 1, bias=False), nn.BatchNorm2d(a), nn.ReLU())
        self.layer1 = nn.Sequential(BasicBlock(a, a, 1), BasicBlock(a, a, 1))
        self.layer2 = nn.Sequential(BasicBlock(a, b, 2), BasicBlock(b, b, 1))
        self.layer3 = nn.Sequential(BasicBlock(b, c, 2), BasicBlock(c, c, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(c, classes)

    def features(self, x: Tensor) -> Tensor:
        """(N, stains, h, w) to what the last block finds, (N, c, h / 8, w / 8)."""
        return self.layer3(self.layer2(self.layer1(self.stem(x))))

    def forward(self, x: Tensor) -> Tensor:
        """(N, stains, h, w) to logits, (N, classes)."""
        return self.fc(self.pool(self.features(x)).flatten(1))


def resized(pixels: np.ndarray) -> Tensor:
    """Fields in detector units, (N, C, H, W), at the size of an input."""
    return interpolate(
        torch.from_numpy(pixels.astype(np.float32)), size=SIZE, mode="bilinear", antialias=True, align_corners=False
    )


@dataclass(frozen=True)
class Examples:
    """Fields at the size of an input and their truth.

    Attributes
    ----------
    x : (N, C, h, w) Tensor
        Detector units.
    affected : (N, h, w) Tensor of bool
        Pixels of affected cells.
    cells : (N, h, w) Tensor of uint8
        Labels of all cells.
    classes : (N,) Tensor
        Numbers of the classes.
    """

    x: Tensor
    affected: Tensor
    cells: Tensor
    classes: Tensor

    def arrays(self) -> dict[str, np.ndarray]:
        """The same as arrays, to hand from one process to another."""
        return {name: tensor.numpy() for name, tensor in vars(self).items()}

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> Examples:
        """Examples from what `arrays` gave."""
        return cls(**{name: torch.from_numpy(array) for name, array in arrays.items()})


def draw(seed: int, affected: tuple[float, float] = (0.35, 0.6), classes: Sequence[str] = CLASSES) -> Examples:
    """The fields of one seed, one for each of the classes."""
    scene = Scene(seed, affected)
    fields = [scene.field(name) for name in classes]
    return Examples(
        resized(np.stack([field.pixels for field in fields])),
        torch.from_numpy(np.stack([field.affected[::2, ::2] > 0 for field in fields])),
        torch.from_numpy(np.stack([field.cells[::2, ::2] for field in fields]).astype(np.uint8)),
        torch.tensor([CLASSES.index(name) for name in classes]),
    )


def joined(parts: Sequence[Examples]) -> Examples:
    """Examples after one another."""
    names = [field.name for field in dataclasses.fields(Examples)]
    return Examples(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def statistics(examples: Examples) -> dict[str, list[float]]:
    """Per stain, in detector units: mean and standard deviation, and the median of where no cells are."""
    empty = (examples.cells == 0)[:, None].expand_as(examples.x)
    background = [examples.x[:, c][empty[:, c]].double().median() for c in range(len(STAINS))]
    return {
        "mean": [round(float(v), 2) for v in examples.x.double().mean((0, 2, 3))],
        "std": [round(float(v), 2) for v in examples.x.double().std((0, 2, 3))],
        "background": [round(float(v), 2) for v in background],
    }


def normalised(x: Tensor, card: dict[str, list[float]]) -> Tensor:
    """Detector units as the network wants them."""
    mean, std = (torch.tensor(card[name], dtype=torch.float32)[:, None, None] for name in ("mean", "std"))
    return (x - mean) / std


def train(
    examples: Examples,
    card: dict[str, list[float]],
    epochs: tuple[int, int] = (20, 4),
    batch: int = 16,
    seed: int = 0,
) -> SmallResNet:
    """A network trained on fields of known truth; the same each time on the same machine.

    Parameters
    ----------
    examples : Examples
    card : dict
        Mean, standard deviation and background per stain.
    epochs : (int, int), optional
        How often it sees a quarter of each field, from which it learns the phenotypes cheaply, and then how often the
        whole, from which it learns how much of a field must have them.
    batch, seed : int, optional
    """
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    model = SmallResNet().train().to(memory_format=torch.channels_last)
    bias = nn.Parameter(torch.zeros(len(CLASSES), 1, 1))  # of single locations, for training alone
    parameters = [*model.parameters(), bias]
    optimiser = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=1e-2)
    steps = sum(epochs) * (len(examples.x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=3e-3, total_steps=steps, pct_start=0.2)
    for epoch in range(sum(epochs)):
        order = torch.randperm(len(examples.x), generator=rng)
        losses = []
        for at in order[: len(order) // batch * batch].split(batch):
            x, affected, cells = examples.x[at], examples.affected[at], examples.cells[at]
            if epoch < epochs[0]:
                top, left = (torch.randint(SIZE[0] // 2 // STRIDE + 1, (2,), generator=rng) * STRIDE).tolist()
                x, affected, cells = (
                    field[..., top : top + SIZE[0] // 2, left : left + SIZE[1] // 2] for field in (x, affected, cells)
                )
            x, affected, classes = _blanked(x, affected, cells, examples.classes[at], card, rng)
            x, affected = _flipped(normalised(x, card), affected, rng)
            features = model.features(x.contiguous(memory_format=torch.channels_last))
            logits = model.fc(model.pool(features).flatten(1))
            share = share_by_location(affected)
            target = torch.where(share > 0.5, classes[:, None, None], 0)
            target = torch.where((share > 0.15) & (share <= 0.5), -100, target)  # the rim of a cell: either will do
            local = torch.einsum("nchw,kc->nkhw", features, model.fc.weight)
            loss = cross_entropy(logits, classes, label_smoothing=0.05) + cross_entropy(local + bias, target)
            outside = (target == 0) | (classes[:, None, None] == 0)
            loss = loss + 0.1 * (local[:, 1:].relu() * outside[:, None]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1} of {sum(epochs)}: loss {sum(losses) / len(losses):.3f}", flush=True)
    return model.to(memory_format=torch.contiguous_format).eval()


def share_by_location(affected: Tensor) -> Tensor:
    """(N, h, w) pixels of affected cells to their share around each location, (N, h / 8, w / 8).

    Three convolutions with stride 2 and padding 1 centre location i at pixel 8 i, not in the middle of its eight pixels.
    """
    half = STRIDE // 2
    around = pad(affected[:, None].float(), (half, half, half, half), mode="replicate")
    return avg_pool2d(around, STRIDE)[:, 0, : affected.shape[1] // STRIDE, : affected.shape[2] // STRIDE]


def _blanked(
    x: Tensor, affected: Tensor, cells: Tensor, classes: Tensor, card: dict[str, list[float]], rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Fields a little dimmed or brightened, some without a stain or without some cells; and the truth about them."""
    background, mean = torch.tensor(card["background"]), torch.tensor(card["mean"])
    gain = 1 + 0.12 * torch.randn(x.shape[:2], generator=rng).clamp(-2, 2)
    x = (x - background[:, None, None]) * gain[..., None, None] + background[:, None, None]
    affected, classes = affected.clone(), classes.clone()
    for i, name in enumerate(CLASSES[c] for c in classes.tolist()):
        luck, kind, share = torch.rand(3, generator=rng).tolist()
        if luck < 0.3:
            blanked = torch.randperm(len(STAINS), generator=rng)[: 1 + int(3 * share)].tolist()
            if name in STAIN_OF and luck > 0.1:  # mostly the others, or there would be too few phenotypes left
                blanked = [stain for stain in blanked if STAINS[stain] != STAIN_OF[name]]
            for stain in blanked:
                blurred = interpolate(avg_pool2d(x[i : i + 1, stain : stain + 1], 16), x.shape[-2:], mode="bilinear")
                x[i, stain] = background[stain] if kind < 0.45 else mean[stain] if kind < 0.7 else blurred[0, 0]
                if name in STAIN_OF and STAINS[stain] == STAIN_OF[name]:
                    affected[i] = False
        elif luck < 0.5:
            gone = torch.rand(256, generator=rng) < 0.8 * share
            if luck < 0.36:
                gone[cells[i][affected[i]].long()] = True
            gone[0] = False
            hidden = gone[cells[i].long()]
            fill = background if kind < 0.6 else mean
            x[i] = torch.where(hidden, fill[:, None, None], x[i])
            affected[i] &= ~hidden
        if affected[i].float().mean() < 0.01:
            classes[i] = 0
    return x, affected, classes


def _flipped(x: Tensor, affected: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """A batch turned and mirrored at random."""
    turns, mirrored = (int(torch.randint(n, (), generator=rng)) for n in (4, 2))
    x, affected = torch.rot90(x, turns, (-2, -1)), torch.rot90(affected, turns, (-2, -1))
    return (x.flip(-1), affected.flip(-1)) if mirrored else (x, affected)
