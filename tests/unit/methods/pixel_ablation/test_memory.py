"""Batches are sized by bytes: what torch allocates beside a forward stays within the budget, at 1080 px too."""

import networks
import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from napari_attribution import load_classifier
from napari_attribution.methods.choice.parameters import PixelAblationCamParameters
from napari_attribution.methods.pixel_ablation_cam import compute

from .conftest import Mean, problem


def peak_bytes(action):
    """The most that torch has allocated at a time while something ran, beyond what it had."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        action()
    events = [event for event in found.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def convolutional(*head: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.ReLU(), nn.Conv2d(8, 128, 4, 4), nn.ReLU(), *head).eval()


HEADS = {
    "gate": lambda: [networks.SqueezeExcite(128), Mean(), nn.Linear(128, 3)],
    "convolution": lambda: [nn.Conv2d(128, 64, 3, 2), nn.ReLU(), Mean(), nn.Linear(64, 3)],
    "two linear": lambda: [Mean(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 3)],
}


@pytest.mark.parametrize("memory", [16, 512])
@pytest.mark.parametrize("head", HEADS)
def test_extra_memory_at_1080_px_is_within_the_budget(head, memory, tmp_path):
    path = networks.save(convolutional(*HEADS[head]()), tmp_path / "n.pt", "traced", 256)
    classifier = load_classifier(path, "cpu", networks.card(None, mode="whole"), time_limit=None)
    asked = problem(classifier, size=1080)
    layer = next(each.name for each in classifier.layers if each.kind == "relu" and each.shape[0] == 128)
    settings = PixelAblationCamParameters(layer=layer, memory=memory, channels="none", head_runs=60)

    def forward():
        with torch.no_grad():
            classifier.scores(asked.x)

    extra = peak_bytes(lambda: compute(asked, settings)) - peak_bytes(forward)
    assert extra <= memory * 2**20
