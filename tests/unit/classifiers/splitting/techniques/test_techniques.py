"""Every technique parts every network exactly, alone; and what is not exact is never used."""

from pathlib import Path

import networks
import pytest
import torch
from torch import Tensor, nn

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.exported import exported_network
from napari_attribution.classifiers.network import Network
from napari_attribution.classifiers.splitting.finding import find_cuts
from napari_attribution.classifiers.splitting.halves import Halves
from napari_attribution.classifiers.splitting.techniques.dispatch_capture import DispatchCapture
from napari_attribution.classifiers.splitting.techniques.exported_cut import ExportedCut
from napari_attribution.classifiers.splitting.techniques.graph_cut import GraphCut
from napari_attribution.classifiers.splitting.techniques.interpreter.graph_interpreter import GraphInterpreter
from napari_attribution.classifiers.splitting.techniques.technique import Parts
from napari_attribution.classifiers.splitting.techniques.torchscript_graph import TorchScriptGraph
from napari_attribution.errors import LayerError

CPU = torch.device("cpu")


def technique(kind: str, name: str, folder: Path, x: Tensor):
    """The technique, and the whole network that it is to part."""
    network = networks.make(kind)
    if name == "exported graph":
        program = torch.export.export(network, (x.repeat(2, 1, 1, 1),), dynamic_shapes=({0: torch.export.Dim("n")},))
        module = program.module(check_guards=False)
        return ExportedCut(module, x), module
    module = torch.jit.load(str(networks.save(network, folder / "n.pt"))).eval()
    if name == "dispatch capture":
        return DispatchCapture(module, x), module
    graph = TorchScriptGraph(module)
    return (GraphCut if name == "graph cut" else GraphInterpreter)(graph, x), module


@pytest.mark.parametrize("name", ["graph cut", "graph interpreter", "exported graph", "dispatch capture"])
@pytest.mark.parametrize("kind", networks.NETWORKS)
def test_each_technique_is_exact_at_every_cut(kind, name, tmp_path):
    if (kind, name) == ("branching", "exported graph"):
        pytest.skip("torch.export refuses branches that depend on the pixels")
    x = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    used, module = technique(kind, name, tmp_path, x[:1])
    assert used.name == name
    program = used.program()
    cuts = find_cuts(program, program.run(1), program.run(2))
    assert len(cuts) >= 15
    whole_in = x.clone().requires_grad_(True)
    with torch.jit.optimized_execution(False):
        whole = module(whole_in.clone())
        (whole_gradient,) = torch.autograd.grad(whole.sum(), whole_in)
        for cut in cuts:
            halves = Halves(used.part(cut), cut)
            parts_in = x.clone().requires_grad_(True)
            maps, carried = halves.features(parts_in.clone())
            assert tuple(maps.shape[1:]) == cut.shape
            parts = halves.head(maps, carried)
            torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)
            if halves.gradients:
                (parts_gradient,) = torch.autograd.grad(parts.sum(), parts_in)
                torch.testing.assert_close(parts_gradient, whole_gradient, rtol=1e-4, atol=1e-6)
            # One input's remains serve for activations of its own that differ.
            single, left = halves.features(x[:1].clone())
            several = single * torch.tensor([1.0, 0.5, 0.0])[:, None, None, None]
            together = halves.head(several, left)
            alone = torch.cat([halves.head(one, left) for one in several.split(1)])
            torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


class Sabotaged(GraphCut):
    """Halves that are nearly right: the head forgets a thousandth of the activation."""

    name = "sabotaged"

    def part(self, cut):
        parts = super().part(cut)
        return Parts(parts.first, lambda activation, carried: parts.second(0.999 * activation, carried))


class SabotagedBatch(GraphCut):
    """Right for every input alone, wrong for several: the second activation is taken for the first."""

    name = "sabotaged batch"

    def part(self, cut):
        parts = super().part(cut)
        return Parts(
            parts.first, lambda activation, carried: parts.second(activation[:1].expand_as(activation).clone(), carried)
        )


class SabotagedGradient(GraphCut):
    """Right scores, but the gradient is lost on the way."""

    name = "sabotaged gradient"

    def part(self, cut):
        parts = super().part(cut)
        return Parts(parts.first, lambda activation, carried: parts.second(activation.detach(), carried))


@pytest.mark.parametrize("wrong", [Sabotaged, SabotagedBatch, SabotagedGradient])
def test_a_technique_that_is_not_exact_is_never_used(wrong, tmp_path):
    module = torch.jit.load(str(networks.save(networks.make("gap"), tmp_path / "n.pt"))).eval()
    graph = TorchScriptGraph(module)
    alone = Network(module, CPU, techniques=lambda x: [wrong(graph, x)])
    classifier = Classifier(alone, networks.card())
    assert classifier.default_layer is None
    assert classifier.layers == ()
    assert any("cannot be cut" in note for note in classifier.notes)
    with pytest.raises(LayerError, match="cannot be cut"):
        classifier.features(torch.randn(1, 3, 32, 32))
    # The next technique takes over.
    followed = Network(module, CPU, techniques=lambda x: [wrong(graph, x), GraphInterpreter(graph, x)])
    assert Classifier(followed, networks.card()).technique == "graph interpreter"


class EarlyReturn(networks.Gap):
    """All of it stands inside a branch."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] < 4:
            return torch.zeros(x.shape[0], 3)
        return self.head(self.blocks(x).mean(dim=(2, 3)))


def test_the_interpreter_enters_branches(tmp_path):
    network = EarlyReturn().eval()
    classifier = networks.opened(network, tmp_path)
    assert classifier.technique == "graph interpreter"
    assert classifier.layer().shape == (12, 8, 8)
    x = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(classifier.head(classifier.features(x)), network(x))


class ManyTurns(networks.Gap):
    """The middle block stands in a loop that asks the pixels how often."""

    def forward(self, x: Tensor) -> Tensor:
        a = self.blocks[0](x)
        turns = 0
        while turns < 4 and bool(a.abs().mean() > 0.01):
            a = self.blocks[1](a)
            turns += 1
        return self.head(self.blocks[2](a).mean(dim=(2, 3)))


def test_the_interpreter_cuts_inside_loops_and_goes_on_there(tmp_path):
    network = ManyTurns().eval()
    module = torch.jit.load(str(networks.save(network, tmp_path / "n.pt"))).eval()
    x = torch.randn(2, 3, 32, 32)
    used = GraphInterpreter(TorchScriptGraph(module), x[:1])
    program = used.program()
    cuts = find_cuts(program, program.run(1), program.run(2))
    assert sum("blocks.1" in cut.name and cut.kind == "relu" for cut in cuts) == 8  # two a turn, four turns
    with torch.no_grad():
        for cut in cuts:
            halves = Halves(used.part(cut), cut)
            torch.testing.assert_close(halves.head(*halves.features(x)), network(x), rtol=1e-5, atol=1e-6)


class BakedDevice(nn.Module):
    """Traced where there was a GPU: it moves to that device whatever it is given."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.inner = networks.make("gap")
        self.device = device

    def forward(self, x: Tensor) -> Tensor:
        shift = torch.ones(1, 3, 1, 1, device=self.device)
        return self.inner(x.to(self.device) + shift)


def test_a_device_that_was_baked_in_is_exchanged(tmp_path):
    module = torch.jit.trace(BakedDevice("cpu").eval(), torch.randn(2, 3, 32, 32))
    module.save(str(tmp_path / "n.pt"))
    graph = TorchScriptGraph(torch.jit.load(str(tmp_path / "n.pt")))
    assert graph.devices == {CPU}
    meta = torch.device("meta")
    x = torch.randn(1, 3, 32, 32)
    assert graph.whole(meta)(x.to(meta)).shape == (1, 3)
    assert graph.whole(meta)(x.to(meta)).device == meta
    used, there = GraphCut(graph, x), GraphCut(graph, x.to(meta))
    program = used.program()
    for cut in find_cuts(program, program.run(1), program.run(2)):
        halves = Halves(there.part(cut), cut)
        maps, carried = halves.features(x.to(meta))
        assert maps.device == meta
        assert halves.head(maps, carried).shape == (1, 3)


def test_a_file_from_a_gpu_runs_here(tmp_path):
    """A graph in which "cuda:0" is baked, as it is traced where there is a GPU."""
    module = torch.jit.trace(BakedDevice("cpu").eval(), torch.randn(2, 3, 32, 32))
    module.save(str(tmp_path / "cpu.pt"))
    graph = TorchScriptGraph(torch.jit.load(str(tmp_path / "cpu.pt")))
    graph.graph = graph.on(torch.device("cuda:0"))
    del graph.devices  # they are read once
    assert graph.devices == {torch.device("cuda:0")}
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(graph.whole(CPU)(x), module(x))


def test_an_exported_network_for_two_inputs_takes_any_number():
    network = networks.make("fully-connected")
    program = torch.export.export(network, (torch.randn(2, 3, 32, 32),))
    classifier = Classifier(exported_network(program, CPU), networks.card())
    x = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(classifier.scores(x), network(x), rtol=1e-5, atol=1e-6)
