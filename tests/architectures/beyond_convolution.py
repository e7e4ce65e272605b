"""Convolutional networks that do something else besides: skips across, other norms, other spaces, stains by themselves."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from architectures.convolutional import CLASSES, STAINS, ConvNorm


class UNetClassifier(nn.Module):
    """Down, up with transposed convolutions and concatenated skips, then pooled into scores (Ronneberger 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = ConvNorm(STAINS, 8), ConvNorm(8, 12)
        self.bottom = ConvNorm(12, 16)
        self.rise2, self.up2 = nn.ConvTranspose2d(16, 12, 2, 2), ConvNorm(24, 12)
        self.rise1, self.up1 = nn.ConvTranspose2d(12, 8, 2, 2), ConvNorm(16, 8)
        self.pool = nn.MaxPool2d(2)
        self.dense = nn.Linear(24, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        a = self.down1(x)
        b = self.down2(self.pool(a))
        c = self.bottom(self.pool(b))
        d = self.up2(torch.cat([b, self.rise2(c)], dim=1))
        e = self.up1(torch.cat([a, self.rise1(d)], dim=1))
        return self.dense(torch.cat([e.mean((2, 3)), c.amax((2, 3))], dim=1))


class Norms(nn.Module):
    """Group norm, instance norm, layer norm over the whole map, and weight standardisation made in the forward."""

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.conv1, self.group = nn.Conv2d(STAINS, 8, 3, 2, 1), nn.GroupNorm(4, 8)
        self.conv2, self.instance = nn.Conv2d(8, 12, 3, 2, 1), nn.InstanceNorm2d(12, affine=True)
        self.conv3, self.layer = nn.Conv2d(12, 16, 3, 2, 1), nn.LayerNorm([16, size // 8, size // 8])
        self.dense = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.mish(self.group(self.conv1(x)))
        x = F.leaky_relu(self.instance(self.conv2(x)), 0.1)
        w = self.conv3.weight
        w = (w - w.mean(dim=(1, 2, 3), keepdim=True)) / (w.std(dim=(1, 2, 3), keepdim=True) + 1e-5)
        x = F.elu(self.layer(F.conv2d(x, w, self.conv3.bias, [2, 2], [1, 1])))
        return self.dense(torch.cat([x.mean((2, 3)), x.std((2, 3))], 1))


class Dilated(nn.Module):
    """Dilated branches (DeepLab's pyramid), a pooled branch blown up again, transposed and depthwise convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(STAINS, 8, 3, 4)
        self.branches = nn.ModuleList(nn.Conv2d(8, 6, 3, padding=d, dilation=d) for d in (1, 2, 4))
        self.pooled = nn.Conv2d(8, 6, 1)
        self.project = ConvNorm(24, 12, 1)
        self.up = nn.ConvTranspose2d(12, 12, 3, 2, 1, output_padding=1, groups=12)
        self.prelu = nn.PReLU(12)
        self.scores = nn.Conv2d(12, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        found = [F.relu(branch(x)) for branch in self.branches]
        pooled = self.pooled(F.adaptive_avg_pool2d(x, 1))
        found.append(F.interpolate(pooled, size=x.shape[2:], mode="nearest"))
        y = self.prelu(self.up(self.project(torch.cat(found, 1))))
        scores = self.scores(y).flatten(2)
        return torch.logsumexp(scores, dim=2) - torch.logsumexp(torch.zeros_like(scores), dim=2)


class FeaturePyramid(nn.Module):
    """Three maps of a backbone, blown up bilinearly to one another's size and added (Lin 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.c2, self.c3, self.c4 = ConvNorm(STAINS, 8, 3, 4), ConvNorm(8, 12, 3, 2), ConvNorm(12, 16, 3, 2)
        self.p2, self.p3, self.p4 = nn.Conv2d(8, 10, 1), nn.Conv2d(12, 10, 1), nn.Conv2d(16, 10, 1)
        self.dense = nn.Linear(30, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        c2 = self.c2(x)
        c3 = self.c3(c2)
        c4 = self.c4(c3)
        p4 = self.p4(c4)
        p3 = self.p3(c3) + F.interpolate(p4, size=c3.shape[-2:], mode="bilinear", align_corners=False)
        p2 = self.p2(c2) + F.interpolate(p3, scale_factor=2.0, mode="bilinear", align_corners=False)
        pooled = [F.adaptive_avg_pool2d(torch.relu(p), 1).flatten(1) for p in (p2, p3, p4)]
        return self.dense(torch.cat(pooled, 1))


class Spectral(nn.Module):
    """A global filter in Fourier space (Rao 2021), pixels unshuffled into channels, bilinear pooling by einsum."""

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.fold = nn.PixelUnshuffle(4)
        self.conv = ConvNorm(16 * STAINS, 8)
        side = size // 4
        self.weight = nn.Parameter(torch.randn(8, side, side // 2 + 1, 2))
        self.mix = nn.Parameter(torch.randn(6, 8))
        self.dense = nn.Linear(36, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.fold(x))
        spectrum = torch.fft.rfft2(x, norm="ortho") * torch.view_as_complex(self.weight)
        x = x + torch.fft.irfft2(spectrum, s=(x.shape[2], x.shape[3]), norm="ortho")
        y = torch.einsum("oc,nchw->nohw", self.mix, x)
        pairs = torch.einsum("nahw,nbhw->nab", y, y) / (y.shape[2] * y.shape[3])
        return self.dense(F.normalize(torch.sign(pairs.flatten(1)) * torch.sqrt(pairs.flatten(1).abs() + 1e-6)))


class SpatialTransformer(nn.Module):
    """Looks where to look: an affine grid from a localiser, sampled bilinearly (Jaderberg 2015); blurred pools."""

    def __init__(self) -> None:
        super().__init__()
        self.localise = nn.Sequential(
            ConvNorm(STAINS, 6, 5, 4), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(96, 6)
        )
        self.conv1, self.conv2 = ConvNorm(STAINS, 8), ConvNorm(8, 12)
        self.register_buffer(
            "blur", torch.tensor([1.0, 2.0, 1.0]).outer(torch.tensor([1.0, 2.0, 1.0]))[None, None] / 16
        )
        self.dense = nn.Linear(12, CLASSES)

    def pool(self, x: Tensor) -> Tensor:
        x = F.pad(x, [1, 1, 1, 1], mode="reflect")
        return F.conv2d(x, self.blur.expand(x.shape[1], 1, 3, 3), stride=2, groups=x.shape[1])

    def forward(self, x: Tensor) -> Tensor:
        theta = 0.1 * self.localise(x).view(-1, 2, 3) + torch.eye(2, 3, device=x.device, dtype=x.dtype)
        x = F.grid_sample(x, F.affine_grid(theta, x.size(), align_corners=False), align_corners=False)
        x = self.pool(self.conv2(self.pool(self.conv1(x))))
        return self.dense(x.mean(dim=(-2, -1)))


class CoordinateConv(nn.Module):
    """Tensors made in the forward: coordinates beside the stains, a mask, a table of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = ConvNorm(STAINS + 2, 8, 3, 2), ConvNorm(8, 12, 3, 2)
        self.dense = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        rows = torch.linspace(-1.0, 1.0, h, device=x.device, dtype=x.dtype).view(1, 1, h, 1).expand(n, 1, h, w)
        columns = torch.arange(w, device=x.device).to(x.dtype).div(w).view(1, 1, 1, w).expand(n, 1, h, w)
        y = self.conv2(self.conv1(torch.cat([x, rows, columns], dim=1)))
        scores = torch.zeros(n, 3, device=x.device, dtype=x.dtype)
        near = torch.ones_like(y[:, :1]) * (torch.arange(y.shape[3], device=y.device) > 1)
        scores[:, :] = self.dense((y * near).sum((2, 3)) / near.sum((2, 3)))
        return scores


class NonLocal(nn.Module):
    """Every place of the map attends to every other one (Wang 2018), and channel and place gates (CBAM, Woo 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(STAINS, 8, 3, 4), ConvNorm(8, 12, 3, 2))
        self.query, self.key, self.value = nn.Conv2d(12, 6, 1), nn.Conv2d(12, 6, 1), nn.Conv2d(12, 12, 1)
        self.gain = nn.Parameter(torch.tensor(0.5))
        self.place = nn.Conv2d(2, 1, 5, padding=2)
        self.dense = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        b, c, h, w = x.shape
        q, k, v = self.query(x).flatten(2), self.key(x).flatten(2), self.value(x).flatten(2)
        attention = torch.softmax(torch.bmm(q.transpose(1, 2), k) / 6**0.5, dim=-1)
        x = x + self.gain * torch.bmm(v, attention.transpose(1, 2)).view(b, c, h, w)
        told = torch.cat([x.mean(1, keepdim=True), x.max(dim=1, keepdim=True)[0]], 1)
        return self.dense((x * torch.sigmoid(self.place(told))).mean((2, 3)))


class StainShared(nn.Module):
    """One encoder for every stain: the stains are folded into the batch and unfolded again."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(ConvNorm(1, 6, 3, 4), ConvNorm(6, 8, 3, 2))
        self.fuse = ConvNorm(8 * STAINS, 16, 1)
        self.dense = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        y = self.encoder(x.view(b * c, 1, h, w))
        y = self.fuse(y.view(b, c * y.shape[1], y.shape[2], y.shape[3]))
        return self.dense(y.amax(dim=(2, 3)))


class StainVolume(nn.Module):
    """The stains as the depth of a volume: 3-D convolutions, then the depth is averaged away."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv3d(1, 6, (3, 3, 3), (1, 2, 2), 1), nn.BatchNorm3d(6)
        self.conv2, self.norm2 = nn.Conv3d(6, 10, (3, 3, 3), (2, 2, 2), 1), nn.BatchNorm3d(10)
        self.last = ConvNorm(10, 12, 3, 2)
        self.dense = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm1(self.conv1(x.unsqueeze(1))))
        x = torch.relu(self.norm2(self.conv2(x)))
        return self.dense(self.last(x.mean(dim=2)).mean((2, 3)))


class TwoStreams(nn.Module):
    """One stream for the nuclei, one for the other stains, joined late; weights and bias under a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.nuclei = nn.Sequential(ConvNorm(1, 6, 3, 4), ConvNorm(6, 8, 3, 2))
        self.rest = nn.Sequential(ConvNorm(STAINS - 1, 8, 3, 4), ConvNorm(8, 8, 3, 2))
        self.join = ConvNorm(16, 16)
        self.dense = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        one, rest = torch.split(x, [1, 4], dim=1)
        y = self.join(torch.cat((self.nuclei(one), self.rest(rest)), 1))
        return self.dense(F.adaptive_avg_pool2d(y, 1)[:, :, 0, 0])


class WeightNormed(nn.Module):
    """Weights that are computed: weight norm and spectral norm as parametrisations."""

    def __init__(self) -> None:
        super().__init__()
        norm, spectral = nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm
        self.conv1, self.conv2 = norm(nn.Conv2d(STAINS, 8, 3, 2, 1)), spectral(nn.Conv2d(8, 12, 3, 2, 1))
        self.conv3 = norm(nn.Conv2d(12, 16, 3, 2, 1))
        self.dense = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.conv1, self.conv2, self.conv3):
            x = F.selu(conv(x))
        return self.dense(x.mean((2, 3)))


class Quantised(nn.Module):
    """int8 from end to end; made by `variants.quantised`."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.body = nn.Sequential(
            nn.Conv2d(STAINS, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1)
        )
        self.dense = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(self.quant(x)).mean([2, 3])
        return self.dequant(self.dense(y))
