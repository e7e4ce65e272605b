"""The two halves of a loaded file are exactly the whole, at every place where it can be cut."""

import networks
import pytest
import torch

from napari_attribution.classifiers.splitting.finding import find_cuts
from napari_attribution.classifiers.splitting.halves import Halves
from napari_attribution.classifiers.splitting.techniques.graph_cut import GraphCut
from napari_attribution.classifiers.splitting.techniques.torchscript_graph import TorchScriptGraph


@pytest.mark.parametrize("how", ["scripted", "traced"])
@pytest.mark.parametrize("kind", networks.NETWORKS)
def test_halves_are_the_whole_at_every_cut(kind, how, tmp_path):
    if (kind, how) == ("branching", "traced"):
        pytest.skip("tracing drops the branch")
    module = torch.jit.load(str(networks.save(networks.make(kind), tmp_path / "n.pt", how))).eval()
    x = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    whole_in = x.clone().requires_grad_(True)
    whole = module(whole_in)
    (whole_gradient,) = torch.autograd.grad(whole.sum(), whole_in)
    technique = GraphCut(TorchScriptGraph(module), x[:1])
    program = technique.program()
    cuts = find_cuts(program, program.run(1), program.run(2))
    assert len(cuts) >= 15
    for cut in cuts:
        halves = Halves(technique.part(cut), cut)
        parts_in = x.clone().requires_grad_(True)
        maps, carried = halves.features(parts_in.clone())
        assert tuple(maps.shape[1:]) == cut.shape
        parts = halves.head(maps, carried)
        torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)
        (parts_gradient,) = torch.autograd.grad(parts.sum(), parts_in)
        torch.testing.assert_close(parts_gradient, whole_gradient, rtol=1e-4, atol=1e-6)


def test_features_are_the_eager_networks(tmp_path):
    network = networks.make("gap")
    classifier = networks.opened(network, tmp_path)
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(classifier.features(x).values, network.features(x))


@pytest.mark.parametrize(
    ("kind", "how"), [("gap", "scripted"), ("gap", "traced"), ("fully-connected", "scripted"), ("gated", "traced")]
)
def test_default_layer_is_the_last_blocks_output(kind, how, tmp_path):
    classifier = networks.opened(networks.make(kind), tmp_path, how)
    layer = classifier.layer()
    assert layer.block
    assert layer.shape == (12, 8, 8)
    assert layer.stride == 4
    if kind == "gated":
        # After the squeeze-and-excitation, not before it: maps from before are half as good.
        assert layer.kind == "mul"
    else:
        assert layer.kind == "relu"


def test_the_head_shares_skips_over_a_batch(tmp_path):
    network = networks.make("gap")
    classifier = networks.opened(network, tmp_path)
    inner = next(layer.name for layer in classifier.layers if not layer.block)
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        one = classifier.features(x, inner)
        assert one.carried[0].values
        four = type(one)(one.values.repeat(4, 1, 1, 1), one.carried)
        torch.testing.assert_close(classifier.head(four, inner), network(x).repeat(4, 1))
        # In-place operations of the head have not touched what it was given.
        torch.testing.assert_close(classifier.head(one, inner), network(x))


def test_head_cost_is_the_share_of_arithmetic_behind_the_cut(tmp_path):
    classifier = networks.opened(networks.make("gap"), tmp_path)
    first, last = classifier.layers[0].name, classifier.layers[-1].name
    assert classifier.head_cost(first) > 0.5
    assert classifier.head_cost(last) < 0.02
