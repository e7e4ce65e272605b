"""Of a .pt2 file's network all that computes is loaded, and gives the same."""

import json
from collections import OrderedDict

import networks
import pytest
import torch
from torch import Tensor, nn

from napari_attribution.classifiers.files.pt2.opening import check_pt2, open_pt2

from .conftest import BATCH, MODEL, WEIGHTS, X, changed, exported

SIZES = BATCH | {2: torch.export.Dim("h", min=16, max=4096), 3: torch.export.Dim("w", min=16, max=4096)}


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 8, 8)
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.conv(x).flatten(2).transpose(1, 2)
        return self.head(self.attention(tokens, tokens, tokens)[0].mean(dim=1))


class Answers(nn.Module):
    """Convolution, norm, dropout; a dict for an answer, a shared weight and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.3))
        self.head, self.other = nn.Linear(8, 3), nn.Linear(8, 3)
        self.other.weight = self.head.weight

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.body(x).mean(dim=(2, 3)) * torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8])
        return {"scores": self.head(y), "more": self.other(y)}


class Either(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda y: y.mean((2, 3)), lambda y: y.amax((2, 3)), (x,))


class Resizes(nn.Module):
    """Any height and width, which are reckoned with."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        a = nn.functional.interpolate(self.conv(x), size=(x.shape[2] // 3 + 1, max(x.shape[3], 7)), mode="bilinear")
        return self.head(a.reshape(x.shape[0], 4, a.shape[2] * a.shape[3]).mean(dim=2))


@pytest.mark.parametrize(
    ("network", "shapes"),
    [
        (networks.make("gap"), BATCH),
        (networks.make("gap"), None),
        (networks.make("gated"), BATCH),
        (Answers(), BATCH),
        (Attention(), BATCH),
        (Either(), BATCH),
        (Resizes(), SIZES),
    ],
    ids=["gap", "one batch", "gated", "answers", "attention", "either", "resizes"],
)
def test_ordinary_networks_are_loaded_and_give_the_same(network, shapes, tmp_path):
    path = exported(network, tmp_path / "net.pt2", shapes)
    check_pt2(path)
    mine, torchs = open_pt2(path).module(), torch.export.load(path).module()
    inputs = [X] if shapes is None else [X, X[:1], torch.cat([X, X, X])]
    if shapes is SIZES:
        inputs.append(torch.randn(3, 3, 47, 80))
    with torch.no_grad():
        for x in inputs:
            torch.testing.assert_close(mine(x), torchs(x))


def test_the_wrong_batch_is_refused_without_the_guards(tmp_path):
    network = open_pt2(exported(networks.make("gap"), tmp_path / "net.pt2")).module()
    with pytest.raises(RuntimeError, match="to be equal to 2"):
        network(X[:1])


def test_layers_keep_the_names_of_their_modules(good):
    program = open_pt2(good)
    stacks = [list(node.meta["nn_module_stack"].values()) for node in program.graph.nodes if node.op == "call_function"]
    assert stacks[0][-1][0] == "blocks.0.conv1"


def test_a_network_exported_on_a_gpu_is_read_on_the_cpu(good, tmp_path):
    def change(parts):
        for name in (MODEL, WEIGHTS):
            parts[name] = json.loads(
                json.dumps(parts[name]).replace('{"type": "cpu", "index": null}', '{"type": "cuda", "index": 0}')
            )

    network = open_pt2(changed(good, tmp_path, change)).module()
    torch.testing.assert_close(network(X), open_pt2(good).module()(X))


def test_an_answer_of_another_type(tmp_path):
    class Named(nn.Module):
        def forward(self, x: Tensor) -> OrderedDict:
            return OrderedDict(scores=x.mean(dim=(2, 3)))

    assert open_pt2(exported(Named(), tmp_path / "net.pt2")).module()(X)["scores"].shape == (2, 3)
