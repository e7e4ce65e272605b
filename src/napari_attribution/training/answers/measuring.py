"""Measuring: how many held-out wells a network calls right, and what its stains count for there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.loading import load_classifier
from napari_attribution.errors import WellError
from napari_attribution.methods.channels.importance import channel_importance
from napari_attribution.training.answers.saving import write_torchscript
from napari_attribution.training.fields.examples import Examples
from napari_attribution.training.labelling.labelled import LabelledWell
from napari_attribution.training.network.moment import Moment
from napari_attribution.wells import Well

MOST_WELLS = 32
"""Held-out wells whose stains are taken away; of more, this many are picked evenly."""
ESTIMATORS = ("shapley", "permutation")

Tell = Callable[[Moment], None]


@torch.no_grad()
def probabilities(network: nn.Module, examples: Examples, device: torch.device, batch: int) -> npt.NDArray[np.float64]:
    """(N, K) probabilities of the classes."""
    network = network.to(device).eval()
    found = []
    for at in range(0, len(examples), batch):
        x = torch.from_numpy(np.asarray(examples.inputs[at : at + batch], np.float32)).to(device)
        found.append(network(x).double().softmax(dim=1).cpu())
    network.cpu()
    return torch.cat(found).numpy()


def accuracy_by_well(network: nn.Module, held_out: Examples, device: torch.device, batch: int) -> float:
    """Share of the wells whose class has the highest mean probability over their fields."""
    found = probabilities(network, held_out, device, batch)
    groups = np.array(held_out.groups)
    wells, first = np.unique(groups, return_index=True)
    called = np.array([found[groups == well].mean(axis=0).argmax() for well in wells])
    return float((called == held_out.classes[first]).mean())


def measured(
    network: nn.Module,
    card: ClassifierCard,
    wells: Sequence[LabelledWell],
    device: str,
    place: Path,
    tell: Tell | None = None,
) -> tuple[dict[str, npt.NDArray[np.float64]], tuple[str, ...]]:
    """What each stain counts for to the saved network, by each of `ESTIMATORS`: (C,) means over the wells, a field of each.

    Of a well the first field that can be read is taken. A sentence is added where of some wells none could: means are then over
    the others, and NaN where there are none.

    Parameters
    ----------
    network : Module
    card : ClassifierCard
    wells : sequence of LabelledWell
        That it was not trained on.
    device : str
    place : Path
        A folder, to save it in.

    Raises
    ------
    DeviceError
        For no room on the device.
    """
    weights = place / "network.pt"
    write_torchscript(network, weights)
    classifier = load_classifier(weights, device, card, time_limit=None)
    picked = [
        wells[n] for n in np.unique(np.linspace(0, len(wells) - 1, min(len(wells), MOST_WELLS)).round().astype(int))
    ]
    values: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in ESTIMATORS}
    for number, well in enumerate(picked):
        for name, mean in _of_well(classifier, well).items():
            values[name].append(mean)
        if tell:
            tell(Moment("measuring", number + 1, len(picked)))
    C, done = len(card.stains), len(values[ESTIMATORS[0]])
    means = {name: np.mean(found, axis=0) if found else np.full(C, np.nan) for name, found in values.items()}
    return means, () if done == len(picked) else (_in_part(done, len(picked)),)


def _of_well(classifier: Classifier, well: LabelledWell) -> dict[str, npt.NDArray[np.float64]]:
    """(C,) values by estimator in the first field that can be read; empty where none can be read any more."""
    for field in well.fields:
        try:
            pixels = field if isinstance(field, Well) else field.read()
            return {
                name: channel_importance(classifier, pixels, name, score="contrast", null=False, accept_flaws=True).mean
                for name in ESTIMATORS
            }
        except WellError:
            continue
    return {}


def _in_part(done: int, asked: int) -> str:
    what = "so there are none" if done == 0 else "so they are of those alone"
    return (
        f"The Shapley and permutation values were measured on {done} of {asked} wells, {what}: the others could not be read any "
        "more. See that the plate can still be reached, and train again in the same folder."
    )
