"""A dock without a window: its controller, and a classifier and a well that fit."""

import pytest
import torch
from torch import nn

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.layers import show_well

STAINS = ("DNA", "ER", "Mito")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("classifier") / "net.pt"
    torch.jit.script(Net().eval()).save(str(path))
    return path


def card(**fields):
    defaults = {"stains": STAINS, "classes": ("control", "hit"), "size": (32, 32), "mean": (2000.0,) * 3}
    return ClassifierCard(**(defaults | {"std": (1200.0,) * 3} | fields))


@pytest.fixture
def controller(viewer, mail):
    controller = Controller(viewer, mail)
    yield controller
    controller.close()


@pytest.fixture
def ready(controller, viewer, well, weights, mail):
    show_well(viewer, well)
    mail.deliver_all()
    controller.open_classifier(weights, card())
    mail.deliver_until(lambda: controller.state.checked is not None)
    return controller


def names(viewer):
    return [layer.name for layer in viewer.layers]
