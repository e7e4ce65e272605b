"""Where locations lie, against what the network itself says: the centre of the pixels that a location looks at."""

import networks
import pytest
import torch
from torch import Tensor, nn

from napari_attribution.classifiers.files.exported import exported_network
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.classifiers.splitting.finding import find_cuts
from napari_attribution.classifiers.splitting.halves import Halves

SIZE = 64


class Strided(nn.Module):
    """Odd and even kernels, dilation, padding by hand, "same", pools, and an upsampling."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 7, 2, 3)
        self.b = nn.Conv2d(4, 4, 3, 1, 2, dilation=2)
        self.c = nn.Conv2d(4, 4, 3, 2)
        self.d = nn.Conv2d(4, 4, 5, padding="same")
        self.e = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.max_pool2d(self.b(self.a(x)), 2)
        y = self.d(self.c(nn.functional.pad(y, (0, 1, 0, 1))))
        return self.e(y.mean(dim=(2, 3)))


class Patches(nn.Module):
    """Patch tokens behind a class token; the class token reads them all at the end."""

    def __init__(self, first: bool = False) -> None:
        super().__init__()
        self.first = first
        self.embed = nn.Conv2d(3, 8, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.norm = nn.LayerNorm(8)
        self.mix = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.embed(x).flatten(2).transpose(1, 2)
        y = torch.cat([self.token.expand(y.shape[0], -1, -1), y], dim=1)
        if self.first:
            y = y.transpose(0, 1)
        y = y + torch.tanh(self.mix(self.norm(y)))
        return self.head(y.mean(dim=0 if self.first else 1))


class Merging(nn.Module):
    """Channels last, rolled there and back, four neighbours merged into one, as in a Swin transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 6, 4, 4)
        self.inner = nn.Linear(6, 6)
        self.reduce = nn.Linear(24, 10)
        self.head = nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.embed(x).permute(0, 2, 3, 1)
        z = torch.roll(y, (-2, -2), (1, 2))
        y = y + torch.roll(torch.relu(self.inner(z)), (2, 2), (1, 2))
        y = torch.cat([y[:, 0::2, 0::2], y[:, 1::2, 0::2], y[:, 0::2, 1::2], y[:, 1::2, 1::2]], dim=-1)
        y = torch.tanh(self.reduce(y.flatten(1, 2)))
        return self.head(y.mean(dim=1))


class StainByStain(nn.Module):
    """One encoder for every stain, the stains taken for a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Conv2d(1, 4, 4, 4)
        self.fuse = nn.Conv2d(12, 6, 3, 2, 1)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y = torch.tanh(self.encode(x.reshape(n * c, 1, h, w)))
        y = torch.tanh(self.fuse(y.reshape(n, -1, h // 4, w // 4)))
        return self.head(y.mean(dim=(2, 3)))


CASES = {
    "strided": Strided,
    "patches": Patches,
    "tokens first": lambda: Patches(first=True),
    "merging": Merging,
    "stain by stain": StainByStain,
    "gap": lambda: networks.make("gap"),
}


def looked_at(halves: Halves, n: int, i: int, j: int) -> tuple[Tensor, Tensor]:
    """First and last row and column of the pixels that a location looks at: those with a gradient."""
    x = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2)).requires_grad_(True)
    with torch.enable_grad():
        maps, _ = halves.features(x.clone())
        (gradient,) = torch.autograd.grad(maps[0, :n, i, j].abs().sum(), x)
    there = torch.nonzero(gradient.abs().sum(dim=(0, 1)) > 0)
    return there.min(dim=0).values, there.max(dim=0).values


@pytest.mark.parametrize("how", ["scripted", "traced", "exported"])
@pytest.mark.parametrize("case", CASES)
def test_locations_lie_in_the_middle_of_what_they_look_at(case, how):
    torch.manual_seed(0)
    network = CASES[case]().eval()
    x = torch.randn(2, 3, SIZE, SIZE)
    if how == "exported":
        program = torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("n")},))
        used = exported_network(program, torch.device("cpu")).techniques(x[:1])[0]
    else:
        module = torch.jit.script(network) if how == "scripted" else torch.jit.trace(network, x)
        used = torchscript_network(module, torch.device("cpu")).techniques(x[:1])[0]
    program = used.program()
    cuts = find_cuts(program, program.run(1), program.run(2))
    checked = 0
    for cut in cuts:
        halves = Halves(used.part(cut), cut)
        n, h, w = cut.shape
        for i, j in ((h // 2, w // 2), (h // 2 - 1, w // 2)):
            low, high = looked_at(halves, n, i, j)
            if min(low) == 0 or max(high) == SIZE - 1:
                continue  # cut off at the border: its middle says nothing
            middle = (low + high) / 2
            place = (cut.grid.start[0] + i * cut.grid.jump[0], cut.grid.start[1] + j * cut.grid.jump[1])
            # A max pool looks at one of its pixels at a time.
            slack = 1.0 + (cut.grid.jump[0] / 2 if case == "strided" else 0.0)
            assert abs(float(middle[0]) - place[0]) <= slack, (cut.name, place, middle)
            assert abs(float(middle[1]) - place[1]) <= slack, (cut.name, place, middle)
            checked += 1
    assert checked >= 4
