"""On a GPU a classifier says what it says on the CPU, wherever its file was made; unloading gives the memory back."""

import gc

import networks
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import explain, load_classifier, read_well
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.devices import list_devices
from napari_attribution.classifiers.files.exported import exported_network

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]


class Baked(nn.Module):
    """Traced on the CPU, with the device in its graph."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = networks.make("gated")

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x + torch.ones(1, 3, 1, 1, device=x.device))


def agree(network: nn.Module, classifier: Classifier) -> None:
    x = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        want = network(x)
        torch.testing.assert_close(classifier.scores(x).cpu(), want, rtol=1e-3, atol=1e-3)
        for layer in classifier.layers:
            if layer.block:
                parts = classifier.head(classifier.features(x, layer.name), layer.name)
                torch.testing.assert_close(parts.cpu(), want, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_a_file_from_the_cpu(how, tmp_path):
    network = Baked().eval()
    classifier = load_classifier(networks.save(network, tmp_path / "n.pt", how), "cuda", networks.card())
    assert classifier.device == "cuda:0"
    assert classifier.technique == "graph cut"
    agree(network, classifier)


def test_an_exported_file():
    network = Baked().eval()
    program = torch.export.export(network, (torch.randn(2, 3, 32, 32),), dynamic_shapes=({0: torch.export.Dim("n")},))
    agree(network, Classifier(exported_network(program, torch.device("cuda:0")), networks.card()))


def test_the_sample_well_is_explained_as_on_the_cpu(pytestconfig):
    data = pytestconfig.rootpath / "sample_data"
    well = read_well(data / "wells" / "B03_mito-fragmented.ome.tiff")
    for method in ("pixel-ablation-cam", "pcim", "dcmix"):
        here, there = (
            explain(load_classifier(data / "phenotypes.pt", device), well, method) for device in ("cpu", "cuda")
        )
        assert here.predicted == there.predicted
        for stain, share in here.channel_importance.items():
            assert there.channel_importance[stain] == pytest.approx(share, abs=0.02)


def test_devices_are_listed_with_their_free_memory():
    first = list_devices()[0]
    assert first.name == "cuda:0"
    assert first.free_bytes
    assert "GiB free" in first.title


def test_unloading_gives_the_memory_back(tmp_path):
    path = networks.save(networks.make("gap"), tmp_path / "n.pt")
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    classifier = load_classifier(path, "cuda", networks.card())
    assert torch.cuda.memory_allocated() > before
    del classifier
    gc.collect()
    assert torch.cuda.memory_allocated() == before
