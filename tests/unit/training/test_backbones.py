"""The networks behind a mixing layer: scripted, exported, folded, seeded, and small beside nothing."""

from __future__ import annotations

import sys

import pytest
import torch

from napari_attribution.errors import RequestError
from napari_attribution.training.backbones import MixedNetwork, make_network
from napari_attribution.training.recipe import Recipe


def mixed(**choices: object) -> MixedNetwork:
    network = make_network(Recipe(**choices), stains=5, classes=3)
    assert isinstance(network, MixedNetwork)
    return network


@pytest.mark.parametrize("mixers", [1, 3])
def test_scripted_and_exported_it_answers_the_same_for_any_batch(mixers: int) -> None:
    network = mixed(mixers=mixers).eval()
    exported = torch.export.export(
        network, (torch.randn(2, 5, 48, 48),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    ).module()
    x = torch.randn(3, 5, 48, 48)
    torch.testing.assert_close(torch.jit.script(network)(x), network(x))
    torch.testing.assert_close(exported(x), network(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["monai-resnet18", "monai-densenet121", "monai-efficientnet-b0"])
def test_networks_of_monai_can_be_trained_scripted_and_exported(name: str) -> None:
    pytest.importorskip("monai")
    network = mixed(backbone=name)
    x = torch.randn(2, 5, 32, 32)
    network.folded(x).sum().backward()
    assert network.mixing.weights.grad is not None
    network.eval()
    torch.testing.assert_close(torch.jit.script(network)(x), network(x))
    exported = torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    torch.testing.assert_close(exported(x[:1].repeat(3, 1, 1, 1)), network(x[:1].repeat(3, 1, 1, 1)))


def test_a_network_of_monai_without_monai_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai", None)
    monkeypatch.setitem(sys.modules, "monai.networks", None)
    with pytest.raises(RequestError, match=r'pip install "napari-attribution\[monai\]"'):
        make_network(Recipe(backbone="monai-resnet18"), 5, 2)


@pytest.mark.parametrize("nonnegative", ["projection", "softplus"])
@pytest.mark.parametrize("mixers", [1, 3])
def test_folded_into_the_first_filters_the_mixture_and_all_gradients_are_the_same(
    nonnegative: str, mixers: int
) -> None:
    network = mixed(mixers=mixers, nonnegative=nonnegative).double().train()
    x = torch.randn(4, 5, 32, 32, dtype=torch.float64)
    found = {}
    for name, forward in (("plain", network), ("folded", network.folded)):
        network.zero_grad()
        logits = forward(x)
        logits.square().sum().backward()
        found[name] = (logits, *(parameter.grad.clone() for parameter in network.parameters()))
    torch.testing.assert_close(found["folded"], found["plain"])


def test_folding_does_not_ask_for_the_gradient_of_an_input() -> None:
    # This is what folding is for: no node in the graph gives the blended channel a gradient.
    network = mixed()
    seen, waiting = set(), [network.folded(torch.randn(2, 5, 32, 32)).grad_fn]
    first = network.backbone.stem[0].weight
    wants_input = []
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == "ConvolutionBackward0" and node._saved_weight.shape[1:] == (5, *first.shape[2:]):
            wants_input.append(node.next_functions[0][0] is not None)
        waiting += [following for following, _ in node.next_functions]
    assert wants_input == [False]


def test_the_seed_makes_the_network_and_leaves_the_random_numbers_of_others_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (make_network(Recipe(), 5, 3, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["backbone.head.weight"], other["backbone.head.weight"])


@pytest.mark.parametrize(("mixers", "stains"), [(1, 2), (1, 6), (16, 8)])
def test_the_mixing_layer_is_less_than_a_hundredth_of_the_backbone(mixers: int, stains: int) -> None:
    network = make_network(Recipe(mixers=mixers), stains, 2)
    count = {part: sum(p.numel() for p in getattr(network, part).parameters()) for part in ("mixing", "backbone")}
    assert count["mixing"] == mixers * stains
    assert count["mixing"] < 0.01 * count["backbone"]
    assert count["backbone"] > 100_000


def test_without_a_mixing_layer_the_backbone_sees_the_stains() -> None:
    network = make_network(Recipe(), 4, 2, mixed=False)
    assert not hasattr(network, "mixing")
    assert network(torch.randn(2, 4, 32, 32)).shape == (2, 2)
