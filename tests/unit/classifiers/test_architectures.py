"""Every kind of network that people bring, scripted, traced and exported: opened, it is what its authors have; parted, it
is still that at every layer.

`benchmarks/classifiers.py` asks at every layer of every network in the zoo; here a few layers of each must do.
"""

import random

import pytest
import torch
from architectures import ARCHITECTURES, Architecture
from architectures.checking import Eager, Verdict, check
from architectures.saving import HOW, save

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.loading import load_classifier

LAYERS = 3
"""Drawn at random for each, beside the first, the last and the default one."""

HOW_OF = {"own": HOW, "monai": ("scripted", "traced"), "transformers": ("traced",)}
"""The libraries' networks take seconds to export."""


def pairs(*sources: str) -> list:
    return [
        pytest.param(architecture, how, id=f"{name}, {how}")
        for name, architecture in ARCHITECTURES.items()
        if architecture.source in sources
        for how in HOW_OF[architecture.source]
        if how in architecture.only
    ]


def opened(architecture: Architecture, how: str, folder) -> tuple[Classifier, Verdict]:
    """Built, saved, loaded from the disk, and asked at some of its layers."""
    if architecture.missing:
        pytest.skip(f"{architecture.missing} is not installed")
    network = architecture.build()
    saved = save(architecture, network, how, folder)
    if saved.path is None:
        pytest.skip(f"torch cannot save it: {saved.note}")
    classifier = load_classifier(saved.path, device="cpu", card=architecture.card)
    return classifier, check(classifier, network, architecture, some_layers(classifier))


def some_layers(classifier: Classifier) -> list[str]:
    names = [layer.name for layer in classifier.layers]
    chosen = {names[0], names[-1], classifier.default_layer} if names else set()
    chosen.update(random.Random(0).sample(names, min(LAYERS, len(names))))
    return [name for name in names if name in chosen]


@pytest.fixture(autouse=True)
def _one_thread():
    """These networks are too small to share among threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("architecture", "how"), pairs("own"))
def test_our_own(architecture, how, tmp_path):
    holds(architecture, how, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "how"), pairs("monai", "transformers"))
def test_of_the_libraries(architecture, how, tmp_path):
    holds(architecture, how, tmp_path)


def holds(architecture: Architecture, how: str, folder) -> None:
    classifier, verdict = opened(architecture, how, folder)
    assert not verdict.wrong
    assert verdict.file_is_the_network or architecture.data_decides
    assert not verdict.refused
    if architecture.cuttable:
        assert classifier.default_layer in verdict.exact, classifier.notes
    if architecture.default is not None:
        layer = classifier.layer()
        assert architecture.default.fits(layer.shape, layer.head_cost), (layer.name, layer.shape, layer.head_cost)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_scores_tell_inputs_apart(name):
    """A network whose answer hardly depends on its input would let wrong halves pass for right ones."""
    architecture = ARCHITECTURES[name]
    if architecture.missing:
        pytest.skip(f"{architecture.missing} is not installed")
    with torch.no_grad():
        scores = Eager(architecture.build(), len(architecture.card.classes)).scores(architecture.inputs(8))
    assert float(scores.std(dim=0).max()) > 0.01 * float(scores.abs().max())
