"""Small CNNs trained on the doses of BBBC013, rows A-D but one: how far has GFP moved? Real wells with a known truth.

Three things of the training decide what can be said of its stains afterwards:

- Each stain of a crop is left out now and then (its mean stands in for it, as when `explain` leaves one out): else what a network
  says of one stain alone is left to chance, and Shapley values are made of nothing else.
- A field is normalised by its own mean and deviation: rows that were stained or lit otherwise do not look like other doses.
- Several networks are asked and their logits averaged: what one network says of 36 wells depends on its start.
"""

from __future__ import annotations

import csv
import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from napari_attribution import ClassifierCard, Well, read_well

STAINS = ("GFP", "DNA")
CLASSES = ("untreated", "translocated")
SIZE = 320
CROP = 160
LEFT_OUT = 0.15
"""How often a stain of a crop is left out."""
CACHE = Path(__file__).parents[2] / ".cache"


def doses(folder: Path) -> dict[tuple[str, int], int]:
    """Rank of the dose, 0 to 10, by row and column."""
    with (folder / "1049_Metadata.csv").open() as file:
        return {(row["Row"], int(row["Column"])): int(float(row["SBS_Doses"])) for row in csv.DictReader(file)}


def read(folder: Path, row: str, column: int) -> Well:
    """One well, its stains named."""
    first = next(folder.glob(f"Channel1-*-{row}-{column:02d}.tif"))
    return read_well(first, stains=STAINS)


class SmallNet(nn.Module):
    """Four conv-batchnorm-ReLU blocks, global average pool, linear."""

    def __init__(self) -> None:
        super().__init__()
        widths = (len(STAINS), 16, 32, 48, 64)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(a, b, 3, stride=1 if i == 3 else 2, padding=1, bias=False),
                    nn.BatchNorm2d(b),
                    nn.ReLU(inplace=True),
                )
                for i, (a, b) in enumerate(pairwise(widths))
            )
        )
        self.head = nn.Linear(widths[-1], len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x).mean(dim=(2, 3)))


class Committee(nn.Module):
    """The mean logits of several networks."""

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([member(x) for member in self.members]).mean(dim=0)


def trained(folder: Path, without: str, members: int, steps: int = 500) -> tuple[Path, ClassifierCard]:
    """The TorchScript file and its card; of dose 3 of 10, the probability of "translocated" is to be 0.3. Cached."""
    targets = {place: dose / 10 for place, dose in doses(folder).items() if place[0] in "ABCD" and place[0] != without}
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    path = CACHE / f"bbbc013-without-{without}-{members}-{steps}-{key}.pt"
    card = ClassifierCard(
        stains=STAINS, classes=CLASSES, size=(SIZE, SIZE), normalisation="per-image", name="BBBC013 translocation"
    )
    if not path.is_file():
        CACHE.mkdir(exist_ok=True)
        raw = torch.from_numpy(np.stack([read(folder, *place).pixels for place in targets]).astype(np.float32))
        raw = interpolate(raw, size=(SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
        x = (raw - raw.mean(dim=(2, 3), keepdim=True)) / raw.std(dim=(2, 3), keepdim=True)
        y = torch.tensor(list(targets.values()))
        torch.jit.script(Committee([train(x, y, seed, steps) for seed in range(members)]).eval()).save(str(path))
    return path, card


def train(x: Tensor, y: Tensor, seed: int, steps: int, batch: int = 24) -> nn.Module:
    """Random crops, turned and mirrored, stains left out; batches with as many of each target. A step takes 0.08 s of one core."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = SmallNet()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    alike = [np.flatnonzero(y.numpy() == target) for target in y.unique().numpy()]
    for _ in range(steps):
        chosen = np.concatenate([rng.choice(indices, batch // len(alike)) for indices in alike])
        crops = []
        for index in chosen:
            top, left = rng.integers(0, SIZE - CROP + 1, 2)
            crops.append(torch.rot90(x[index, :, top : top + CROP, left : left + CROP], int(rng.integers(4)), (1, 2)))
        each = (len(chosen), x.shape[1], 1, 1)
        gain = rng.uniform(0.8, 1.25, each).astype(np.float32) * (rng.random(each) >= LEFT_OUT)
        crops = [crop if rng.random() < 0.5 else crop.flip(2) for crop in crops]
        logits = network(torch.stack(crops) * torch.from_numpy(gain))
        loss = cross_entropy(logits, torch.stack([1 - y[chosen], y[chosen]], dim=1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()
