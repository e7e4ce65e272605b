"""A small CNN trained on BBBC013 rows A-C: translocated against untreated. Real wells with a known truth."""

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


def trained(folder: Path) -> tuple[Path, ClassifierCard]:
    """The TorchScript file and its card, trained on the untreated wells of rows A-C and on those of dose 7 and more."""
    known = {place: dose for place, dose in doses(folder).items() if place[0] in "ABC" and (dose == 0 or dose >= 7)}
    return _trained(folder, "extremes", {place: 0.95 * (dose >= 7) + 0.025 for place, dose in known.items()})


def trained_on_doses(folder: Path, without: str) -> tuple[Path, ClassifierCard]:
    """The same, trained on all doses of rows A-D but one: of dose 3 of 10, the probability of "translocated" is to be 0.3."""
    known = {place: dose for place, dose in doses(folder).items() if place[0] in "ABCD" and place[0] != without}
    return _trained(folder, f"without-{without}", {place: dose / 10 for place, dose in known.items()})


def _trained(folder: Path, name: str, targets: dict[tuple[str, int], float]) -> tuple[Path, ClassifierCard]:
    """Trained until the wells have these probabilities of "translocated"; from the cache if this very script made it."""
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    path = CACHE / f"bbbc013-{name}-{key}.pt"
    raw = torch.from_numpy(np.stack([read(folder, *place).pixels for place in targets]).astype(np.float32))
    raw = interpolate(raw, size=(SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
    mean, std = raw.mean(dim=(0, 2, 3)), raw.std(dim=(0, 2, 3))
    card = ClassifierCard(
        stains=STAINS,
        classes=CLASSES,
        size=(SIZE, SIZE),
        mean=mean.tolist(),
        std=std.tolist(),
        name="BBBC013 translocation",
    )
    if not path.is_file():
        CACHE.mkdir(exist_ok=True)
        network = train((raw - mean[:, None, None]) / std[:, None, None], torch.tensor(list(targets.values())))
        torch.jit.script(network).save(str(path))
    return path, card


def train(x: Tensor, y: Tensor, steps: int = 220, batch: int = 24) -> nn.Module:
    """Random crops, flips and brightness; batches with as many of each target; about a minute on two cores."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = SmallNet()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    alike = [np.flatnonzero(y.numpy() == target) for target in y.unique().numpy()]
    for _ in range(steps):
        chosen = np.concatenate([rng.choice(indices, batch // len(alike)) for indices in alike])
        crops = []
        for index in chosen:
            top, left = rng.integers(0, SIZE - CROP + 1, 2)
            crop = x[index, :, top : top + CROP, left : left + CROP]
            crops.append(torch.rot90(crop, int(rng.integers(4)), (1, 2)))
        gain = torch.from_numpy(rng.uniform(0.8, 1.25, (len(chosen), x.shape[1], 1, 1)).astype(np.float32))
        loss = cross_entropy(network(torch.stack(crops) * gain), torch.stack([1 - y[chosen], y[chosen]], dim=1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()
