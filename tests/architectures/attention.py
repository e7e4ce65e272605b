"""Networks of tokens: patches that attend to one another, or are read one after the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from architectures.convolutional import CLASSES, STAINS, ConvNorm


class Attention(nn.Module):
    """Queries, keys and values from one linear layer, reshaped in one go; fused or written out."""

    def __init__(self, n: int, heads: int, fused: bool) -> None:
        super().__init__()
        self.heads, self.width, self.fused = heads, n // heads, fused
        self.qkv, self.proj = nn.Linear(n, 3 * n), nn.Linear(n, n)
        self.scale = self.width**-0.5

    def forward(self, x: Tensor) -> Tensor:
        B, N, C = x.shape
        q, k, v = self.qkv(x).reshape(B, N, 3, self.heads, self.width).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            weights = ((q * self.scale) @ k.transpose(-2, -1)).softmax(dim=-1)
            y = weights @ v
        return self.proj(y.transpose(1, 2).reshape(B, N, C))


class Block(nn.Module):
    """Norm, attention, add; norm, two linear layers, add."""

    def __init__(self, n: int, heads: int, fused: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(n), nn.LayerNorm(n)
        self.attention = Attention(n, heads, fused)
        self.mlp = nn.Sequential(nn.Linear(n, 2 * n), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * n, n))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """Patches, a class token, learned positions, blocks; the class token or the mean is read (Dosovitskiy 2021)."""

    def __init__(self, token: bool = True, fused: bool = False, size: int = 64, n: int = 24, depth: int = 3) -> None:
        super().__init__()
        self.patches = nn.Conv2d(STAINS, n, 8, 8)
        self.token = token
        self.cls = nn.Parameter(torch.zeros(1, 1, n))
        self.positions = nn.Parameter(torch.zeros(1, (size // 8) ** 2 + int(token), n))
        self.blocks = nn.Sequential(*(Block(n, 4, fused) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(n), nn.Linear(n, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        B = x.shape[0]
        x = self.patches(x).flatten(2).transpose(1, 2)
        if self.token:
            x = torch.cat((self.cls.expand(B, -1, -1), x), dim=1)
        x = self.norm(self.blocks(x + self.positions))
        return self.head(x[:, 0] if self.token else x.mean(dim=1))


class Encoder(nn.Module):
    """torch's own TransformerEncoder on patches, batch first or tokens first."""

    def __init__(self, batch_first: bool, norm_first: bool = False) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.patches = nn.Conv2d(STAINS, 24, 8, 8)
        self.positions = nn.Parameter(torch.zeros(1, 64, 24))
        layer = nn.TransformerEncoderLayer(24, 4, 48, batch_first=batch_first, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(24, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).permute(0, 2, 1) + self.positions
        if self.batch_first:
            return self.head(self.encoder(x).mean(1))
        return self.head(self.encoder(x.transpose(0, 1)).mean(0))


class WindowAttention(nn.Module):
    """Attention within windows, shifted by `torch.roll` and masked, with a table of relative positions."""

    def __init__(self, n: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv, self.proj = nn.Linear(n, 3 * n), nn.Linear(n, n)
        self.bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        places = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        apart = (places[:, :, None] - places[:, None, :]).permute(1, 2, 0) + window - 1
        self.register_buffer("bias_index", (apart[..., 0] * (2 * window - 1) + apart[..., 1]).flatten())

    def forward(self, x: Tensor) -> Tensor:
        B, H, W, C = x.shape
        s, t = self.window, self.window * self.window
        rows, columns = H // s, W // s
        if self.shift > 0:
            x = torch.roll(x, shifts=(-self.shift, -self.shift), dims=(1, 2))
        x = x.view(B, rows, s, columns, s, C).permute(0, 1, 3, 2, 4, 5).reshape(B * rows * columns, t, C)
        qkv = self.qkv(x).reshape(x.size(0), t, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0] * (C // self.heads) ** -0.5, qkv[1], qkv[2]
        bias = self.bias_table[self.bias_index].view(t, t, self.heads).permute(2, 0, 1).unsqueeze(0)
        attention = q.matmul(k.transpose(-2, -1)) + bias
        if self.shift > 0:
            regions = torch.zeros((H, W), device=x.device, dtype=x.dtype)
            edges = [(0, -s), (-s, -self.shift), (-self.shift, H)]
            count = 0
            for top, bottom in edges:
                for left, right in edges:
                    regions[top:bottom, left:right] = count
                    count += 1
            regions = regions.view(rows, s, columns, s).permute(0, 2, 1, 3).reshape(rows * columns, t)
            apart = regions.unsqueeze(1) - regions.unsqueeze(2)
            mask = apart.masked_fill(apart != 0, -100.0).masked_fill(apart == 0, 0.0)
            attention = attention.view(B, rows * columns, self.heads, t, t) + mask.unsqueeze(1).unsqueeze(0)
            attention = attention.view(-1, self.heads, t, t)
        x = self.proj(F.softmax(attention, dim=-1).matmul(v).transpose(1, 2).reshape(-1, t, C))
        x = x.view(B, rows, columns, s, s, C).permute(0, 1, 3, 2, 4, 5).reshape(B, H, W, C)
        return torch.roll(x, shifts=(self.shift, self.shift), dims=(1, 2)) if self.shift > 0 else x


class SwinBlock(nn.Module):
    def __init__(self, n: int, shift: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(n), nn.LayerNorm(n)
        self.attention = WindowAttention(n, 4, 4, shift)
        self.mlp = nn.Sequential(nn.Linear(n, 2 * n), nn.GELU(), nn.Linear(2 * n, n))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Merge(nn.Module):
    """Four neighbours become one token of twice the width."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * n), nn.Linear(4 * n, 2 * n, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        parts = [x[..., 0::2, 0::2, :], x[..., 1::2, 0::2, :], x[..., 0::2, 1::2, :], x[..., 1::2, 1::2, :]]
        return self.reduction(self.norm(torch.cat(parts, -1)))


class Swin(nn.Module):
    """Windows that shift from block to block, all of it channels last (Liu 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm0 = nn.Conv2d(STAINS, 16, 4, 4), nn.LayerNorm(16)
        self.stages = nn.Sequential(SwinBlock(16, 0), SwinBlock(16, 2), Merge(16), SwinBlock(32, 0), SwinBlock(32, 2))
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stages(self.norm0(self.patches(x).permute(0, 2, 3, 1))))
        return self.head(F.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), 1).flatten(1))


class Mixer(nn.Module):
    """Linear layers across the tokens and across the channels in turn (Tolstikhin 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(STAINS, 24, 8, 8)
        self.norms = nn.ModuleList(nn.LayerNorm(24) for _ in range(4))
        self.across = nn.ModuleList(nn.Linear(64, 64) for _ in range(2))
        self.along = nn.ModuleList(nn.Linear(24, 24) for _ in range(2))
        self.head = nn.Linear(24, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).mT
        x = x + F.gelu(self.across[0](self.norms[0](x).mT)).mT
        x = x + F.gelu(self.along[0](self.norms[1](x)))
        x = x + F.gelu(self.across[1](self.norms[2](x).mT)).mT
        x = x + F.gelu(self.along[1](self.norms[3](x)))
        return self.head(x.mean(dim=1))


class AttentionPooled(nn.Module):
    """A convolutional map whose places are read by one learned query through nn.MultiheadAttention."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(STAINS, 8, 3, 4), ConvNorm(8, 16, 3, 2))
        self.query = nn.Parameter(torch.zeros(1, 1, 16))
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.body(x).flatten(2).transpose(1, 2)
        y, _ = self.attention(self.query.expand(x.shape[0], -1, -1), tokens, tokens, need_weights=False)
        return self.head(y.squeeze(1))


class MultipleInstances(nn.Module):
    """The field is cut into tiles, each is encoded, a gated attention weighs them (Ilse 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(ConvNorm(STAINS, 8, 3, 2), ConvNorm(8, 12, 3, 2))
        self.v, self.u, self.w = nn.Linear(12, 8), nn.Linear(12, 8), nn.Linear(8, 1)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        b, c = x.shape[0], x.shape[1]
        tiles = x.unfold(2, 16, 16).unfold(3, 16, 16).permute(0, 2, 3, 1, 4, 5).reshape(-1, c, 16, 16)
        h = self.encoder(tiles).mean((2, 3)).view(b, -1, 12)
        weights = torch.softmax(self.w(torch.tanh(self.v(h)) * torch.sigmoid(self.u(h))), dim=1)
        return self.head((weights * h).sum(dim=1))


class Recurrent(nn.Module):
    """A convolutional map read row by row by a GRU, both ways, and by an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(STAINS, 8, 3, 4), ConvNorm(8, 8, 3, 2))
        self.gru = nn.GRU(64, 12, batch_first=True, bidirectional=True)
        self.lstm = nn.LSTM(24, 12)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x).permute(0, 2, 1, 3).flatten(2)
        rows, _ = self.gru(y)
        out, (last, _) = self.lstm(rows.transpose(0, 1))
        return self.head(last[-1] + out.mean(0))


class CrossAttention(nn.Module):
    """A few learned latents read the map through attention written out with einsum (Jaegle 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(STAINS, 8, 3, 4), ConvNorm(8, 16, 3, 2))
        self.latents = nn.Parameter(torch.zeros(4, 16))
        self.key, self.value = nn.Linear(16, 16), nn.Linear(16, 16)
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        m = self.body(x).flatten(2).transpose(-1, -2)
        latents = self.latents.unsqueeze(0).repeat(m.shape[0], 1, 1)
        for _ in range(2):
            weights = torch.einsum("bld,bmd->blm", latents, self.key(m)).div(4.0).softmax(-1)
            latents = self.norm(latents + torch.einsum("blm,bmd->bld", weights, self.value(m)))
        return self.head(latents.flatten(1))
