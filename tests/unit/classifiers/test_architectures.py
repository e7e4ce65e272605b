"""Every kind of network that people bring, scripted, traced and exported: opened, it is what its authors have; parted, it
is still that.

`benchmarks/classifiers.py` asks at every layer of every network in the zoo, saved in every way; here a few layers must
do, and one of each kind where torch takes seconds to save.
"""

import random

import pytest
import torch
from architectures import ARCHITECTURES, Architecture
from architectures.checking import Eager, check
from architectures.saving import save

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.loading import load_classifier

EXPORTED = {
    *("VGG", "ResNet", "SE-ResNet", "DenseNet", "MobileNetV3", "EfficientNet", "ConvNeXt", "Inception", "ShuffleNetV2"),
    *("U-Net classifier", "Spectral", "CoordConv", "Stain-shared encoder", "Stains as a volume", "Weight norm", "ViT"),
    *("TransformerEncoder", "Swin", "GRU and LSTM", "Loop by size", "Checks and early return", "Dictionary output"),
    *("Tuple output", "In-place", "Shape taken early", "ResNet, half", "ResNet, autocast"),
}
"""Those of our own that stand for the others."""

ALIKE = {
    *("HF vit-msn", "HF deit", "HF dinov2-registers", "HF data2vec", "HF segformer", "HF swinv2", "HF mobilevitv2"),
    *("HF mobilenetv1", "HF textnet", "HF hgnet", "HF convnextv2", "HF vit, attention written out", "HF ijepa"),
    *("MONAI Regressor", "MONAI ResNet bottleneck", "MONAI SE-ResNet", "MONAI BasicUNet"),
}
"""Those of the libraries that another one stands for."""


def _ways(architecture: Architecture) -> tuple[str, ...]:
    if architecture.source == "own":
        return ("scripted", "traced", "exported") if architecture.name in EXPORTED else ("scripted", "traced")
    return () if architecture.name in ALIKE else ("traced",)


def _pairs(own: bool) -> list:
    return [
        pytest.param(architecture, how, id=f"{name}, {how}")
        for name, architecture in ARCHITECTURES.items()
        if (architecture.source == "own") == own
        for how in _ways(architecture)
        if how in architecture.only
    ]


@pytest.fixture(autouse=True)
def _one_thread():
    """These networks are too small to share among threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("architecture", "how"), _pairs(own=True))
def test_our_own(architecture, how, tmp_path):
    _holds(architecture, how, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "how"), _pairs(own=False))
def test_of_the_libraries(architecture, how, tmp_path):
    _holds(architecture, how, tmp_path)


def _holds(architecture: Architecture, how: str, folder) -> None:
    network = _built(architecture)
    saved = save(architecture, network, how, folder)
    if saved.path is None:
        pytest.skip(f"torch cannot save it: {saved.note}")
    if not architecture.loads:
        pytest.skip("torch cannot load what it has saved")
    classifier = load_classifier(saved.path, device="cpu", card=architecture.card)
    verdict = check(classifier, network, architecture, _some_layers(classifier))
    assert not verdict.wrong
    assert verdict.file_is_the_network or architecture.data_decides
    if not architecture.cuttable:
        assert classifier.default_layer is None
        return
    assert classifier.default_layer in verdict.exact, (classifier.notes, verdict)
    layer = classifier.layer()
    if architecture.default is not None:
        assert architecture.default.fits(layer.shape, layer.head_cost), (layer.name, layer.shape, layer.head_cost)


def _built(architecture: Architecture) -> torch.nn.Module:
    if architecture.missing:
        pytest.skip(f"{architecture.missing} is not installed")
    return architecture.build()


def _some_layers(classifier: Classifier) -> list[str]:
    """The first, the last, the default one, and one that is drawn."""
    names = [layer.name for layer in classifier.layers]
    if not names:
        return []
    chosen = {names[0], names[-1], classifier.default_layer, random.Random(0).choice(names)}
    return [name for name in names if name in chosen]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_scores_tell_inputs_apart(name):
    """A network whose answer hardly depends on its input would let wrong halves pass for right ones."""
    architecture = ARCHITECTURES[name]
    eager = Eager(_built(architecture), len(architecture.card.classes))
    with torch.no_grad():
        scores = eager.scores(architecture.inputs(8))
    assert float(scores.std(dim=0).max()) > 0.01 * float(scores.abs().max())
