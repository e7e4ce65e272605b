"""Grid mosaics of BBBC013: nine tiles of 128 px, one of a treated well among eight of untreated wells.

The classifiers are trained on tiles of rows A-C; the mosaics are made of tiles of row D, each called right with p > 0.9 by the
classifier that is to be explained. What the map of the treated class should show is then known: the one tile.
BBBC013v1 (Ljosa et al., Nature Methods 2012) is not part of this repository.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy

STAINS = ("GFP", "DNA")
CLASSES = ("untreated", "translocated")
TILE = 128
ACROSS = 3
TREATED_FROM = 7
"""Rank of the dose from which nearly every cell has translocated."""


def doses(folder: Path) -> dict[tuple[str, int], int]:
    """Rank of the dose, 0 to 10, by row and column."""
    with (folder / "1049_Metadata.csv").open() as file:
        return {(row["Row"], int(row["Column"])): int(float(row["SBS_Doses"])) for row in csv.DictReader(file)}


def wells(folder: Path, rows: str) -> tuple[Tensor, Tensor]:
    """The (N, 2, 640, 640) untreated and fully treated wells of some rows, and their (N,) labels."""
    images, labels = [], []
    for (row, column), dose in sorted(doses(folder).items()):
        if row in rows and (dose == 0 or dose >= TREATED_FROM):
            planes = [next(folder.glob(f"Channel{c}-*-{row}-{column:02d}.tif")) for c in (1, 2)]
            images.append(np.stack([tifffile.imread(path) for path in planes]).astype(np.float32))
            labels.append(int(dose >= TREATED_FROM))
    return torch.from_numpy(np.stack(images)), torch.tensor(labels)


def block(a: int, b: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True))


class Plain(nn.Module):
    """Four convolutions, global average pool, linear."""

    flattens = False

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(block(2, 16, 2), block(16, 32, 2), block(32, 48, 2), block(48, 64, 1))
        self.head = nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x).mean(dim=(2, 3)))


class VggLike(nn.Module):
    """Convolutions with max pooling, a flattened 4 x 4 map, two fully connected layers."""

    flattens = True

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(block(2, 16, 2), block(16, 32, 1), nn.MaxPool2d(2), block(32, 48, 1), nn.MaxPool2d(2), block(48, 48, 1)),
        )
        self.head = nn.Sequential(nn.Linear(48 * 16, 64), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Linear(64, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(adaptive_avg_pool2d(self.blocks(x), 4).flatten(1))


class SqueezeExcite(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(n, n // 4), nn.Linear(n // 4, n)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.up(torch.relu(self.down(x.mean(dim=(2, 3))))))
        return x * gate[:, :, None, None]


class GatedBlock(nn.Module):
    """Two convolutions, squeeze-and-excitation, skip."""

    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            block(a, b, stride), nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b), SqueezeExcite(b)
        )
        self.skip = nn.Conv2d(a, b, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.inside(x) + self.skip(x))


class Gated(nn.Module):
    """Residual blocks with squeeze-and-excitation, global average pool, linear."""

    flattens = False

    def __init__(self) -> None:
        super().__init__()
        self.stem = block(2, 16, 2)
        self.blocks = nn.Sequential(GatedBlock(16, 32, 2), GatedBlock(32, 48, 2), GatedBlock(48, 64, 1))
        self.head = nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean(dim=(2, 3)))


NETWORKS: dict[str, Callable[[], nn.Module]] = {"plain": Plain, "VGG-like": VggLike, "squeeze-and-excitation": Gated}


def crop(rng: np.random.Generator, image: Tensor) -> Tensor:
    """A tile from anywhere in a well, turned and flipped at random."""
    top, left = rng.integers(0, image.shape[1] - TILE + 1, 2)
    tile = torch.rot90(image[:, top : top + TILE, left : left + TILE], int(rng.integers(4)), (1, 2))
    return tile.flip(2) if rng.integers(2) else tile


def grids(rng: np.random.Generator, x: Tensor, classes: list[np.ndarray], many: int) -> tuple[list[Tensor], np.ndarray]:
    """Mosaics of training wells, every other one with some treated tiles."""
    labels = np.arange(many) % 2
    made = []
    for label in labels:
        treated = rng.permutation(ACROSS**2) < label * rng.integers(1, ACROSS**2)
        tiles = [crop(rng, x[rng.choice(classes[int(one)])]) for one in treated]
        made.append(torch.cat([torch.cat(tiles[i : i + ACROSS], 2) for i in range(0, ACROSS**2, ACROSS)], 1))
    return made, labels


def train(network: nn.Module, x: Tensor, y: Tensor, steps: int = 260, batch: int = 24) -> nn.Module:
    """Random crops, flips, turns and brightness; as many crops of each class. A network that flattens its map has a weight for
    every place, and must have seen mosaics to look at each."""
    rng = np.random.default_rng(0)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=steps)
    classes = [np.flatnonzero(y.numpy() == label) for label in (0, 1)]
    for step in range(steps):
        if network.flattens and step % 3 == 2:
            crops, labels = grids(rng, x, classes, batch // 4)
        else:
            chosen = np.concatenate([rng.choice(indices, batch // 2) for indices in classes])
            crops, labels = [crop(rng, x[index]) for index in chosen], y.numpy()[chosen]
        gain = torch.from_numpy(rng.uniform(0.85, 1.2, (len(crops), x.shape[1], 1, 1)).astype(np.float32))
        loss = cross_entropy(network(torch.stack(crops) * gain), torch.from_numpy(labels), label_smoothing=0.02)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


@dataclass(frozen=True)
class Trained:
    """A classifier of tiles: its file, and what normalises a stain."""

    name: str
    path: Path
    mean: tuple[float, ...]
    std: tuple[float, ...]


def trained(folder: Path, name: str, cache: Path) -> Trained:
    """A network trained on rows A-C and scripted; from the cache if this very script made it."""
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    path = cache / f"mosaics-{name}-{key}.pt"
    x, y = wells(folder, "ABC")
    mean, std = x.mean(dim=(0, 2, 3)), x.std(dim=(0, 2, 3))
    if not path.is_file():
        cache.mkdir(exist_ok=True, parents=True)
        torch.manual_seed(0)
        network = train(NETWORKS[name](), (x - mean[:, None, None]) / std[:, None, None], y)
        torch.jit.script(network).save(str(path))
    return Trained(name, path, tuple(mean.tolist()), tuple(std.tolist()))


@dataclass(frozen=True)
class Mosaic:
    """Nine tiles of raw pixels (2, 384, 384), and where the treated one lies."""

    pixels: np.ndarray
    inside: np.ndarray


def mosaics(folder: Path, made: Trained, count: int, rows: str = "D", seed: int = 0) -> list[Mosaic]:
    """Mosaics of tiles that the classifier calls right with p > 0.9."""
    x, y = wells(folder, rows)
    across = x.shape[2] // TILE
    tiles = x[:, :, : across * TILE, : across * TILE].unfold(2, TILE, TILE).unfold(3, TILE, TILE)
    tiles = tiles.permute(0, 2, 3, 1, 4, 5).reshape(-1, len(STAINS), TILE, TILE)
    labels = y.repeat_interleave(across**2)
    network = torch.jit.load(str(made.path))
    mean, std = (torch.tensor(values)[:, None, None] for values in (made.mean, made.std))
    with torch.no_grad(), torch.jit.optimized_execution(False):
        sure = network((tiles - mean) / std).softmax(1)[torch.arange(len(labels)), labels] > 0.9
    untreated, treated = (torch.nonzero(sure & (labels == label))[:, 0].numpy() for label in (0, 1))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        place = int(rng.integers(ACROSS**2))
        chosen = rng.choice(untreated, ACROSS**2, replace=False)
        chosen[place] = rng.choice(treated)
        grid = tiles[torch.from_numpy(chosen)].reshape(ACROSS, ACROSS, len(STAINS), TILE, TILE)
        pixels = grid.permute(2, 0, 3, 1, 4).reshape(len(STAINS), ACROSS * TILE, ACROSS * TILE).numpy()
        inside = np.zeros(pixels.shape[1:], dtype=bool)
        row, column = divmod(place, ACROSS)
        inside[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = True
        found.append(Mosaic(pixels, inside))
    return found
