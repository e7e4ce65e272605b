"""Convolutional networks, each with the construction that its paper is known for, as small as they can be.

Written from the papers' descriptions; widths and depths are toys, the way the tensors flow is not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

STAINS, CLASSES = 5, 3


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, unless told otherwise, ReLU in place."""

    def __init__(self, a: int, b: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        layers = [nn.Conv2d(a, b, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(b)]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if act else []))


class Vgg(nn.Module):
    """Convolutions and max pools; the pooled map is flattened into three linear layers (Simonyan 2014)."""

    def __init__(self, normed: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        a = STAINS
        for b in (8, 0, 12, 12, 0, 16, 16, 0):
            if b == 0:
                layers.append(nn.MaxPool2d(2, 2))
            else:
                layers.append(nn.Conv2d(a, b, 3, padding=1))
                layers += [nn.BatchNorm2d(b)] * normed + [nn.ReLU(inplace=True)]
                a = b
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((3, 3))
        self.classifier = nn.Sequential(
            nn.Linear(16 * 9, 32), nn.ReLU(True), nn.Dropout(), nn.Linear(32, 32), nn.ReLU(True), nn.Dropout(),
            nn.Linear(32, CLASSES),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class AlexNet(nn.Module):
    """Large strides, local response normalisation, overlapping pools, grouped convolutions (Krizhevsky 2012)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(STAINS, 8, 7, 2, 3), nn.Conv2d(8, 16, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(16, 16, 3, padding=1)
        self.norm = nn.LocalResponseNorm(3, alpha=0.1)
        self.dense = nn.Linear(16 * 9, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.norm(F.relu(self.conv1(x))), 3, 2)
        x = F.max_pool2d(self.norm(F.relu(self.conv2(x))), 3, 2)
        x = F.relu(self.conv3(x))
        x = F.adaptive_max_pool2d(x, 3)
        return self.dense(F.dropout(x.view(x.size(0), -1), training=self.training))


class Bottleneck(nn.Module):
    """1x1, 3x3 (grouped where it is a ResNeXt), 1x1; the skip is added in place; squeeze-and-excitation if wanted."""

    def __init__(self, a: int, b: int, stride: int = 1, groups: int = 1, excite: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvNorm(a, b // 2, 1), ConvNorm(b // 2, b // 2, 3, stride, groups), ConvNorm(b // 2, b, 1, act=False)
        )
        self.excite = Excite(b) if excite else nn.Identity()
        self.downsample = ConvNorm(a, b, 1, stride, act=False) if stride > 1 or a != b else None
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        skip = x
        if self.downsample is not None:
            skip = self.downsample(x)
        out = self.excite(self.body(x))
        out += skip
        return self.relu(out)


class Excite(nn.Module):
    """Squeeze-and-excitation with 1x1 convolutions (Hu 2018); the hard sigmoid is MobileNetV3's."""

    def __init__(self, n: int, hard: bool = False) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(n, max(4, n // 4), 1), nn.Conv2d(max(4, n // 4), n, 1)
        self.gate: nn.Module = nn.Hardsigmoid(inplace=True) if hard else nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)), inplace=True)))


class ResNet(nn.Module):
    """Stem, three stages of bottlenecks, global average pool, linear (He 2016; Xie 2017 with groups; Hu 2018)."""

    def __init__(self, groups: int = 1, excite: bool = False) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(STAINS, 8, 7, 2), nn.MaxPool2d(3, 2, 1))
        self.layer1 = nn.Sequential(Bottleneck(8, 16, 1, groups, excite), Bottleneck(16, 16, 1, groups, excite))
        self.layer2 = nn.Sequential(Bottleneck(16, 24, 2, groups, excite), Bottleneck(24, 24, 1, groups, excite))
        self.layer3 = nn.Sequential(Bottleneck(24, 32, 1, groups, excite))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.stem(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class DenseLayer(nn.Module):
    """Reads the list of all that was made before it in its block."""

    def __init__(self, a: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(a), nn.Conv2d(a, 2 * growth, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(2 * growth), nn.Conv2d(2 * growth, growth, 3, padding=1, bias=False)

    def forward(self, made: list[Tensor]) -> Tensor:
        y = self.conv1(F.relu(self.norm1(torch.cat(made, 1)), inplace=True))
        return self.conv2(F.relu(self.norm2(y), inplace=True))


class DenseBlock(nn.Module):
    def __init__(self, a: int, growth: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DenseLayer(a + i * growth, growth) for i in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        made = [x]
        for layer in self.layers:
            made.append(layer(made))
        return torch.cat(made, 1)


class DenseNet(nn.Module):
    """Blocks in which every layer reads a list of everything before it (Huang 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvNorm(STAINS, 8, 5, 2), nn.MaxPool2d(3, 2, 1), DenseBlock(8, 6, 3),
            nn.BatchNorm2d(26), nn.ReLU(inplace=True), nn.Conv2d(26, 12, 1, bias=False), nn.AvgPool2d(2, 2),
            DenseBlock(12, 6, 3), nn.BatchNorm2d(30),
        )  # fmt: skip
        self.classifier = nn.Linear(30, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.features(x), inplace=True)
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(y, (1, 1)), 1))


class Inverted(nn.Module):
    """Expand, depthwise, excite, project; skip where shapes allow. Of MobileNetV3 or, with SiLU, of EfficientNet."""

    def __init__(
        self, a: int, b: int, stride: int, act: type[nn.Module], excite: bool = True, hard: bool = True
    ) -> None:
        super().__init__()
        wide = 3 * a
        self.expand = nn.Sequential(ConvNorm(a, wide, 1, act=False), act(inplace=True))
        self.depthwise = nn.Sequential(ConvNorm(wide, wide, 3, stride, wide, act=False), act(inplace=True))
        self.excite = Excite(wide, hard) if excite else nn.Identity()
        self.project = ConvNorm(wide, b, 1, act=False)
        self.use_skip = stride == 1 and a == b

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.excite(self.depthwise(self.expand(x))))
        if self.use_skip:
            y += x
        return y


class MobileNetV3(nn.Module):
    """Inverted residuals with hard swish and hard squeeze-and-excitation, two linear layers (Howard 2019)."""

    def __init__(self) -> None:
        super().__init__()
        swish, relu = nn.Hardswish, nn.ReLU
        self.features = nn.Sequential(
            ConvNorm(STAINS, 8, 3, 2, act=False), nn.Hardswish(inplace=True),
            Inverted(8, 8, 1, relu), Inverted(8, 12, 2, relu, excite=False), Inverted(12, 12, 1, swish),
            Inverted(12, 16, 2, swish), Inverted(16, 16, 1, swish),
            ConvNorm(16, 48, 1, act=False), nn.Hardswish(inplace=True),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(48, 32), nn.Hardswish(inplace=True), nn.Dropout(0.2, inplace=True), nn.Linear(32, CLASSES)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class EfficientNet(nn.Module):
    """Inverted residuals with SiLU and stochastic depth, which rests in eval mode (Tan 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(STAINS, 8, 3, 2, act=False), nn.SiLU(inplace=True))
        self.blocks = nn.ModuleList(
            Inverted(a, b, s, nn.SiLU, hard=False) for a, b, s in ((8, 8, 1), (8, 12, 2), (12, 12, 1), (12, 20, 2))
        )
        self.top = nn.Sequential(ConvNorm(20, 48, 1, act=False), nn.SiLU(inplace=True))
        self.dense = nn.Linear(48, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            y = block(x)
            if self.training:
                y = y * torch.bernoulli(torch.full([len(y), 1, 1, 1], 0.9, device=y.device))
            x = y
        return self.dense(self.top(x).mean((2, 3)))


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7, then channels last: layer norm, two linear layers; scaled and added."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(n, n, 7, padding=3, groups=n)
        self.norm = nn.LayerNorm(n, eps=1e-6)
        self.up, self.down = nn.Linear(n, 3 * n), nn.Linear(3 * n, n)
        self.scale = nn.Parameter(torch.ones(n, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.scale * self.down(F.gelu(self.up(y))).permute(0, 3, 1, 2)


class NormFirst(nn.Module):
    """Layer norm over the channels of a (N, C, h, w) map."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    """Patch stem, blocks that work channels last, layer norm before the linear layer (Liu 2022)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(STAINS, 12, 4, 4), NormFirst(12), ConvNeXtBlock(12), ConvNeXtBlock(12),
            NormFirst(12), nn.Conv2d(12, 20, 2, 2), ConvNeXtBlock(20), ConvNeXtBlock(20),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(NormFirst(20), nn.Flatten(1), nn.Linear(20, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))


class InceptionBlock(nn.Module):
    """Four branches of different reach, concatenated."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.one = ConvNorm(a, b, 1)
        self.three = nn.Sequential(ConvNorm(a, b, 1), ConvNorm(b, b, 3))
        self.tall = nn.Conv2d(a, b, (7, 1), padding=(3, 0), bias=False)
        self.wide = nn.Conv2d(b, b, (1, 7), padding=(0, 3), bias=False)
        self.norm = nn.BatchNorm2d(b, eps=0.001)
        self.pooled = ConvNorm(a, b, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = F.relu(self.norm(self.wide(self.tall(x))), inplace=True)
        branches = [self.one(x), self.three(x), seven, self.pooled(F.avg_pool2d(x, 3, 1, 1))]
        return torch.cat(branches, 1)


class Inception(nn.Module):
    """Branches and concatenations, factorised convolutions, a grid reduction (Szegedy 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(STAINS, 8, 3, 2), nn.MaxPool2d(3, 2, ceil_mode=True))
        self.first, self.second = InceptionBlock(8, 5), InceptionBlock(20, 6)
        self.reduced = ConvNorm(20, 20, 3, 2)
        self.third = InceptionBlock(44, 6)
        self.dense = nn.Linear(24, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        a = self.first(self.stem(x))
        b = torch.cat([self.reduced(a), F.max_pool2d(self.second(a), 3, 2, 1)], 1)
        c = F.dropout(F.adaptive_avg_pool2d(self.third(b), (1, 1)), training=self.training)
        return self.dense(torch.flatten(c, 1))


class Shuffle(nn.Module):
    """Half of the channels goes through, half is worked on; then they are shuffled (ShuffleNetV2)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        half = n // 2
        self.branch = nn.Sequential(
            ConvNorm(half, half, 1), ConvNorm(half, half, 3, 1, half, act=False), ConvNorm(half, half, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        one, two = x.chunk(2, dim=1)
        y = torch.cat((one, self.branch(two)), dim=1)
        n, c, h, w = y.size()
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


class ShuffleNet(nn.Module):
    """Channel split, channel shuffle, mean over both axes (Ma 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvNorm(STAINS, 8, 3, 2), nn.MaxPool2d(3, 2, 1), Shuffle(8), Shuffle(8), ConvNorm(8, 16, 3, 2), Shuffle(16)
        )
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(x).mean([2, 3]))


class SqueezeNet(nn.Module):
    """Fire modules; the scores are a map of as many channels as classes, then averaged (Iandola 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(STAINS, 12, 3, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True)
        )
        self.squeeze = nn.ModuleList(nn.Conv2d(a, 6, 1) for a in (12, 16))
        self.ones = nn.ModuleList(nn.Conv2d(6, 8, 1) for _ in range(2))
        self.threes = nn.ModuleList(nn.Conv2d(6, 8, 3, padding=1) for _ in range(2))
        self.scores = nn.Conv2d(16, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for squeeze, one, three in zip(self.squeeze, self.ones, self.threes):  # noqa: B905 - TorchScript has no strict
            y = F.relu(squeeze(x))
            x = torch.cat([F.relu(one(y)), F.relu(three(y))], 1)
        return F.adaptive_avg_pool2d(F.relu(self.scores(x)), (1, 1)).flatten(1)
