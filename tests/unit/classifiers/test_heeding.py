"""A network that loops can be stopped: by a time limit, or because it is wanted no more."""

import time

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import Well, explain
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.classifiers.preflight import preflight
from napari_attribution.errors import Cancelled


class LoopsOnBrightWells(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        while bool(x.mean() > 1e6):
            x = x * 1.0
        return x.mean(dim=(2, 3))


@pytest.fixture
def classifier():
    return Classifier(torchscript_network(torch.jit.script(LoopsOnBrightWells()), torch.device("cpu")), networks.card())


def well(level: float) -> Well:
    pixels = np.random.default_rng(0).normal(level, 1.0, (3, 32, 32)).astype(np.float32)
    return Well(pixels=pixels, stains=networks.STAINS)


def test_a_loop_without_end_is_stopped_by_the_time_limit(classifier):
    assert preflight(classifier, well(0.0)).predicted
    started = time.monotonic()
    found = preflight(classifier, well(9e6), time_limit=0.5)
    assert time.monotonic() - started < 5
    assert found.predicted is None
    assert any("stopped after 0.5 seconds" in finding.sentence for finding in found.findings)


def test_a_preflight_is_cancelled_within_a_loop(classifier):
    with pytest.raises(Cancelled):
        preflight(classifier, well(9e6), cancelled=lambda: True)


def test_an_explanation_is_cancelled_within_a_loop(classifier):
    asked = []

    def progress(done: int, total: int) -> None:
        asked.append((done, total))
        if len(asked) > 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        explain(classifier, well(9e6), "occlusion", accept_flaws=True, progress=progress)


def test_the_loop_answers_as_before(classifier):
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(classifier.scores(x), x.mean(dim=(2, 3)))
