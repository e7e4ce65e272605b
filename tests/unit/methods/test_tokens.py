"""Transformers: the locations are the patch tokens, the class token excepted, and silencing one is what it says."""

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import Well, explain
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.exported import exported_network
from napari_attribution.classifiers.files.torchscript import torchscript_network

SIZE, PATCH, WIDTH = 32, 8, 12


class Block(nn.Module):
    """Attention and a perceptron, each behind a norm and with a skip around it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 24), nn.Linear(24, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, 2, d // 2).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) / (d // 2) ** 0.5).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(n, t, d))
        return x + self.narrow(torch.relu(self.wide(self.norm2(x))))


class Transformer(nn.Module):
    """Two blocks; the class token, or the mean of all tokens, is read at the end."""

    def __init__(self, class_token: bool) -> None:
        super().__init__()
        self.class_token = class_token
        self.embed = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.places = nn.Parameter(0.1 * torch.randn(1, (SIZE // PATCH) ** 2 + 1, WIDTH))
        self.one, self.two = Block(), Block()
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3)

    def begin(self, x: Tensor) -> Tensor:
        y = self.embed(x).flatten(2).transpose(1, 2)
        return torch.cat([self.token.expand(y.shape[0], -1, -1), y], dim=1) + self.places

    def end(self, y: Tensor) -> Tensor:
        y = self.norm(y)
        return self.head(y[:, 0] if self.class_token else y.mean(dim=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.two(self.one(self.begin(x))))


def classifier_of(network: nn.Module, how: str) -> Classifier:
    x = torch.randn(2, 3, SIZE, SIZE)
    if how == "exported":
        opened = exported_network(
            torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("n")},)), torch.device("cpu")
        )
    else:
        module = torch.jit.script(network) if how == "scripted" else torch.jit.trace(network, x)
        opened = torchscript_network(module, torch.device("cpu"))
    return Classifier(opened, networks.card(SIZE))


@pytest.mark.parametrize("how", ["scripted", "traced", "exported"])
@pytest.mark.parametrize("class_token", [True, False])
def test_silencing_tokens_is_silencing_tokens(how, class_token):
    torch.manual_seed(1)
    network = Transformer(class_token).eval()
    classifier = classifier_of(network, how)
    layer = classifier.layer()
    assert layer.tokens
    assert layer.shape == (WIDTH, SIZE // PATCH, SIZE // PATCH)
    assert layer.grid.start == ((PATCH - 1) / 2,) * 2
    assert layer.stride == PATCH
    pixels = np.random.default_rng(0).normal(size=(3, SIZE, SIZE)).astype(np.float32)
    answer = explain(
        classifier,
        Well(pixels=pixels, stains=networks.STAINS),
        "pixel-ablation-cam",
        "hit",
        channels="none",
        accept_flaws=True,
    )
    # The twin: the network itself, its tokens behind the last block that mixes patches into what is read.
    with torch.no_grad():
        tokens = network.one(network.begin(torch.from_numpy(pixels)[None]))
        rest = network.two
        if not class_token:
            tokens, rest = network.two(tokens), nn.Identity()
        whole = network.end(rest(tokens))[0, 1]
        drops = []
        for token in range(1, tokens.shape[1]):
            silenced = tokens.clone()
            silenced[:, token] = 0
            drops.append(whole - network.end(rest(silenced))[0, 1])
    want = torch.stack(drops).reshape(SIZE // PATCH, SIZE // PATCH)
    torch.testing.assert_close(torch.from_numpy(answer.native), want, rtol=1e-3, atol=1e-5)
