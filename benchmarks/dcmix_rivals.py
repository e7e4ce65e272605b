"""What stands beside DCMIX: ways to ask a network on all stains which of them matters, and attention on its input."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from napari_attribution import ClassifierCard
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.methods.channels.values import ESTIMATORS
from napari_attribution.methods.question.problem import Problem
from napari_attribution.methods.question.score import Score
from napari_attribution.methods.references import integrated_gradients
from napari_attribution.methods.references.parameters import IntegratedGradientsParameters
from napari_attribution.training.fields.examples import Examples

ASKED = {"Shapley": "shapley", "occlusion (leave one out)": "leave-one-out", "permutation": "permutation"}
GRADIENTS = "Integrated Gradients"


class Attention(nn.Module):
    """Squeeze-and-excitation on the input channels: a gate for each, told from the means and deviations of all."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(4, channels)
        self.gates = nn.Sequential(
            nn.Linear(2 * channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid()
        )

    def strengths(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to (N, C), 0 to 1."""
        # Standardised channels all have about the same mean: the deviation says more.
        return self.gates(torch.cat([x.mean(dim=(2, 3)), x.std(dim=(2, 3))], dim=1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to the same, each channel times its gate."""
        return x * self.strengths(x)[:, :, None, None]


class WithAttention(nn.Module):
    """A backbone behind gates."""

    def __init__(self, channels: int, backbone: nn.Module) -> None:
        super().__init__()
        self.attention = Attention(channels)
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to logits."""
        return self.backbone(self.attention(x))


@torch.no_grad()
def gates(network: WithAttention, examples: Examples) -> np.ndarray:
    """(C,) mean gates."""
    return network.attention.strengths(torch.from_numpy(np.asarray(examples.inputs, np.float32))).mean(dim=0).numpy()


@torch.no_grad()
def accuracy(network: nn.Module, examples: Examples) -> float:
    """Share of the examples called right."""
    right = [
        network(torch.from_numpy(np.asarray(examples.inputs[at : at + 32], np.float32))).argmax(dim=1).numpy()
        for at in range(0, len(examples), 32)
    ]
    return float((np.concatenate(right) == examples.classes).mean())


def asked(network: nn.Module, examples: Examples, count: int, hits: bool = False) -> dict[str, np.ndarray]:
    """Each way's (C,) value of the stains: the mean over so many held-out examples of what the logit of their class owes them.

    `hits` leaves out the examples of the first class, which are controls.
    """
    C, *size = examples.inputs.shape[1:]
    zeros, classes = [0.0] * C, int(examples.classes.max()) + 1
    card = ClassifierCard(
        stains=tuple(f"stain {c}" for c in range(C)), classes=tuple(f"class {k}" for k in range(classes)), size=tuple(size),
        mode="resize", mean=zeros, std=[1.0] * C, background=zeros,
    )  # fmt: skip
    classifier = Classifier(torchscript_network(torch.jit.script(network.eval()), torch.device("cpu")), card)
    values: dict[str, list[np.ndarray]] = {name: [] for name in (*ASKED, GRADIENTS)}
    of = np.flatnonzero(examples.classes > 0) if hits else np.arange(len(examples))
    for number in of[np.unique(np.linspace(0, len(of) - 1, min(count, len(of))).astype(int))]:
        x = torch.from_numpy(np.asarray(examples.inputs[number : number + 1], np.float32))
        problem = Problem(classifier, x, torch.zeros(1, C, 1, 1), Score("logit", int(examples.classes[number])))
        for name, estimator in ASKED.items():
            values[name].append(ESTIMATORS[estimator].values(problem)[0].numpy())
        found = integrated_gradients.compute(problem, IntegratedGradientsParameters())
        values[GRADIENTS].append(found.map.sum(dim=(1, 2)).numpy())
    return {name: np.mean(found, axis=0) for name, found in values.items()}


def rho(values: np.ndarray, truth: np.ndarray) -> float:
    """Spearman's."""
    return float(spearmanr(values, truth)[0])
