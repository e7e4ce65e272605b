"""Networks whose forward is more than one line after the other: loops, ifs, several outputs, in-place work."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from architectures.convolutional import CLASSES, STAINS, ConvNorm


class Base(nn.Module):
    """Stem, three blocks of one width, a last one, and the linear layer, for the forwards below."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(STAINS, 10, 3, 4)
        self.blocks = nn.ModuleList(ConvNorm(10, 10) for _ in range(3))
        self.last = ConvNorm(10, 16, 3, 2)
        self.dense = nn.Linear(16, CLASSES)

    def classify(self, x: Tensor) -> Tensor:
        return self.dense(self.last(x).mean((2, 3)))


class Loop(Base):
    """A loop over the blocks, with the number of the block in the sum."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for i, block in enumerate(self.blocks):
            x = x + block(x) / (i + 1)
        return self.classify(x)


class RangeLoop(Base):
    """The same block again and again; how often follows from the size of the map."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for i in range(x.shape[2] // 4):
            x = x + self.blocks[0](x) * (0.5 ** (i + 1))
        return self.classify(x)


class WhileLoop(Base):
    """A block is repeated until the map is weak enough: the count depends on the data."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        steps = 0
        while bool(x.abs().amax() > 1.0) and steps < 5:
            x = 0.7 * self.blocks[1](x) + 0.2 * x
            steps += 1
        return self.classify(x)


class IfOnData(Base):
    """One of two blocks, by what the map holds; the rest is behind both."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if float(x.mean()) > 100.0:
            y = self.blocks[0](x)
            x = y - 1.0
        else:
            x = self.blocks[1](x) + 0.5 * x
        x = self.blocks[2](x)
        return self.classify(x)


class EarlyReturn(Base):
    """Sanity checks that raise, and a return in the middle that is not taken for images."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4:
            raise ValueError("expected (N, C, H, W)")
        assert x.shape[1] == 5, "five stains are wanted"
        if x.shape[2] < 8:
            return torch.zeros([x.shape[0], 3], dtype=x.dtype, device=x.device)
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classify(x)


class DictOutput(Base):
    """A dictionary of scores and embedding, as many embedding models give."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.last(self.blocks[0](self.stem(x)))
        embedding = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return {"logits": self.dense(embedding), "embedding": embedding}


class TupleOutput(Base):
    """Scores, and the map that they came from."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.last(self.blocks[0](self.stem(x)))
        return self.dense(x.mean((2, 3))), x


class Answer(NamedTuple):
    logits: Tensor
    auxiliary: Tensor


class NamedOutput(Base):
    """Scores and those of a head half-way, by name: GoogLeNet's way; the second has four classes of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.auxiliary = nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Answer:
        x = self.blocks[0](self.stem(x))
        return Answer(self.classify(x), self.auxiliary(x.mean((2, 3))))


class InPlace(Base):
    """Much of it in place: on views, on slices, after the value was read for a skip."""

    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean((2, 3), keepdim=True)
        x.mul_(0.5).add_(0.1)
        x = self.stem(x)
        y = 0.5 * self.blocks[0](x)
        y.add_(x).mul_(0.7)
        y[:, :2] = 0.0
        y[:, 2:4] += x[:, :2]
        z = self.blocks[1](y) + y
        half = z[:, 5:]
        half.sub_(0.1).neg_()
        z.view(z.shape[0], -1).mul_(1.1)
        out = 2 * self.last(z)
        out += 0.1
        return self.dense(out.mean((2, 3)))


class EarlyShape(Base):
    """The shape of the input is taken at the start and used at the end."""

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        y = self.last(self.blocks[0](self.stem(x)))
        y = y.view(b, -1, (h // 8) * (w // 8)).sum(-1) / (h * w / 64)
        return self.dense(y.view(b, -1)) + 0.01 * c


@torch.jit.script
def gated(x: Tensor, gate: Tensor) -> Tensor:
    """A helper that its authors have scripted by themselves."""
    if x.shape[1] == gate.shape[1]:
        return x * torch.sigmoid(gate)
    return x


def normalised(x: Tensor, eps: float = 1e-5) -> Tensor:
    return (x - x.mean((1, 2, 3), keepdim=True)) / (x.std((1, 2, 3), keepdim=True) + eps)


class Helpers(Base):
    """Functions outside the module, one of them scripted; the input is normalised inside; an optional second input."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is not None:
            x = x * mask
        x = self.stem(normalised(x))
        for block in self.blocks:
            x = gated(x, block(x))
        return self.classify(x)


class Flipped(Base):
    """Test-time augmentation inside: the network sees twice the batch and averages."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(self.blocks[0](self.stem(torch.cat([x, x.flip(-1)]))))
        one, two = self.dense(y.mean((2, 3))).chunk(2)
        return 0.5 * (one + two)


class Ensemble(nn.Module):
    """Two networks stacked and averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = Loop(), EarlyShape()

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.one(x), self.two(x)]).mean(0)


class Gathering(Base):
    """Maps are gathered in a list and in a dictionary, and read at the end."""

    def forward(self, x: Tensor) -> Tensor:
        kept: dict[str, Tensor] = {}
        pooled: list[Tensor] = []
        x = self.stem(x)
        kept["first"] = x
        for block in self.blocks:
            x = block(x)
            pooled.append(x.mean((2, 3)))
        x = x + kept["first"]
        means = torch.stack(pooled, dim=0).sum(dim=0)
        return self.classify(x + means[:, :, None, None])


class Forked(Base):
    """Two branches that run side by side."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        future = torch.jit.fork(self.blocks[0], x)
        y = self.blocks[1](x)
        return self.classify(torch.jit.wait(future) + y)


class Counting(Base):
    """Keeps count of its calls in itself, and a running mean of what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        x = self.stem(x)
        return self.classify(self.blocks[0](x) + x)


class TopK(Base):
    """Reads only the strongest places of the map: sorting, gathering, indices, where."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(self.blocks[0](self.stem(x)))
        flat = x.flatten(2)
        _, where = torch.topk(flat.sum(1), 8, dim=1)
        best = torch.gather(flat, 2, where.unsqueeze(1).expand(-1, flat.shape[1], -1))
        best = torch.where(best > 0.1, best, torch.zeros_like(best))
        return self.dense(best.mean(2))


class PowerPool(Base):
    """Generalised mean pooling with a learned power, channels normalised, a learned temperature on cosines."""

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.ones(1) * 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(self.blocks[0](self.stem(x)))
        pooled = x.clamp(min=1e-6).pow(self.power).mean((2, 3)).pow(1.0 / self.power)
        return 5 * F.linear(F.normalize(pooled, dim=1), F.normalize(self.dense.weight, dim=1))
