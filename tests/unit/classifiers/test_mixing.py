"""A mixing layer at the beginning of a loaded network is recognised; what only looks like one is not."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d

from napari_attribution import ClassifierCard, load_classifier

STAINS = ("DNA", "ER", "RNA", "Mito")
WEIGHTS = torch.tensor([[0.2, 0.0, 0.6, 0.2], [3.0, 0.0, 1.0, 0.0]])
IMPORTANCE = [0.475, 0.0, 0.425, 0.1]


class Table(nn.Module):
    """As this project keeps its mixing layers."""

    def __init__(self, weights=WEIGHTS):
        super().__init__()
        self.weights = nn.Parameter(weights.clone())

    def forward(self, x):
        return conv2d(x, self.weights[:, :, None, None])


class Network(nn.Module):
    def __init__(self, first, channels=2, reads_twice=False):
        super().__init__()
        self.blend = first
        self.rest = nn.Sequential(
            nn.Conv2d(channels, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)
        )
        self.reads_twice = reads_twice

    def forward(self, x):
        scores = self.rest(self.blend(x)).reshape(x.shape[0], 2)
        if self.reads_twice:
            scores = scores + x.mean(dim=(1, 2, 3))[:, None]
        return scores


def convolution(weights, bias=False, size=1):
    layer = nn.Conv2d(weights.shape[1], weights.shape[0], size, bias=bias, padding=size // 2)
    with torch.no_grad():
        layer.weight[:] = weights[:, :, None, None] / size**2
    return layer


def loaded(network, form, folder, stains=STAINS):
    card = ClassifierCard(stains=stains, classes=("a", "b"), size=(16, 16), mean=(0.0,) * 4, std=(1.0,) * 4)
    x = torch.randn(2, 4, 16, 16)
    path = folder / f"network{'.pt2' if form == 'exported' else '.pt'}"
    network = network.eval()
    if form == "exported":
        torch.export.save(torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("n")},)), path)
    else:
        made = torch.jit.script(network) if form == "scripted" else torch.jit.trace(network, x)
        made.save(path)
    return load_classifier(path, device="cpu", card=card, time_limit=None)


@pytest.mark.parametrize("form", ["scripted", "traced", "exported"])
@pytest.mark.parametrize("first", [Table(), convolution(WEIGHTS)], ids=["table", "convolution"])
def test_a_mixing_layer(first, form, tmp_path):
    mixing = loaded(Network(first), form, tmp_path).mixing
    np.testing.assert_allclose(mixing.weights, WEIGHTS, rtol=1e-6)
    np.testing.assert_allclose(mixing.importance, IMPORTANCE, atol=1e-6)
    assert mixing.where == "blend"


@pytest.mark.parametrize("form", ["scripted", "exported"])
def test_more_mixers_than_stains_are_recognised_as_a_table_alone(form, tmp_path):
    many = torch.rand(6, 4)
    assert loaded(Network(Table(many), 6), form, tmp_path).mixing.weights.shape == (6, 4)
    assert loaded(Network(convolution(many), 6), form, tmp_path).mixing is None


NONE = {
    "a weight below zero": Network(convolution(WEIGHTS - 0.01)),
    "a table below zero": Network(Table(WEIGHTS - 0.01)),
    "a bias": Network(convolution(WEIGHTS, bias=True)),
    "a neighbourhood": Network(convolution(WEIGHTS, size=3)),
    "no weight at all": Network(Table(0 * WEIGHTS)),
    "an input that is read elsewhere too": Network(Table(), reads_twice=True),
    "something before it": Network(nn.Sequential(nn.ReLU(), Table())),
}


@pytest.mark.parametrize("form", ["scripted", "exported"])
@pytest.mark.parametrize("network", NONE.values(), ids=NONE)
def test_what_is_none(network, form, tmp_path):
    assert loaded(network, form, tmp_path).mixing is None
