"""TrainedClassifier: a classifier, and what its training says of the stains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from torch import nn

from napari_attribution.classifiers.cards.card import ClassifierCard

if TYPE_CHECKING:
    from napari_attribution.training.network.fitting import Epoch

MIXED = "dcmix"
ALL_STAINS = "all stains"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrainedClassifier:
    """What `train_dcmix` answers.

    Parameters
    ----------
    card : ClassifierCard
        Of the best seed's network: its stains, classes, and the mean and std of the wells that it was trained on.
    network : Module
        That of the seed with the lowest validation loss, on the CPU, to be scored with.
    importances : (S, C) float64 ndarray
        The mixing weights of every seed that came to a network, see `seeds`, as shares; rows sum to 1.
    accuracy : mapping of name to (S,) float64 ndarray
        Share of the held-out wells that are called right by the mean probability of their fields: of "dcmix", and, where they
        were compared, of "all stains" and of each stain alone. NaN where a training failed.
    held_out : tuple of S int
        Wells that each of these is measured on.
    chance : float
        What calling every one of them by their commonest class would come to.
    shapley, permutation : (C,) float64 ndarray
        Mean over held-out wells of what each stain gives to the contrast of the predicted class with the best of the others, in
        logits, for the best seed's network: exact Shapley values, and the loss when the stain's pixels are rearranged.
    warnings : tuple of str
        Why the answer may not be what it seems, in sentences.
    histories : mapping of name to tuple of S tuples of Epoch
    best : int
        The place of the best seed among `seeds`, from 0.
    record : mapping
        All that is needed to repeat the training, as plain data.
    """

    card: ClassifierCard
    network: nn.Module
    importances: Floats
    accuracy: Mapping[str, Floats]
    held_out: tuple[int, ...]
    chance: float
    shapley: Floats
    permutation: Floats
    warnings: tuple[str, ...]
    histories: Mapping[str, tuple[tuple[Epoch, ...], ...]]
    best: int
    record: Mapping[str, Any]

    @property
    def stains(self) -> tuple[str, ...]:
        return self.card.stains

    @property
    def classes(self) -> tuple[str, ...]:
        return self.card.classes

    @property
    def seeds(self) -> tuple[int, ...]:
        """The S seeds that came to a network, of all that the recipe asked for."""
        return tuple(map(int, self.record["splits"]))

    @property
    def importance(self) -> Floats:
        """(C,) mean over the seeds; sums to 1."""
        return np.asarray(self.importances.mean(axis=0))

    @property
    def spread(self) -> Floats:
        """(C,) standard deviation over the seeds; NaN for a single one."""
        if len(self.importances) == 1:
            return np.full(len(self.stains), np.nan)
        return np.asarray(self.importances.std(axis=0, ddof=1))

    @property
    def ranking(self) -> tuple[str, ...]:
        """The stains, the most important first."""
        return tuple(self.stains[c] for c in np.argsort(-self.importance, kind="stable"))

    def save(self, path: str | PathLike[str]) -> Path:
        """Write FILE.pt (TorchScript), FILE.pt2 (torch.export), the card, and FILE.training.json: this answer.

        Parameters
        ----------
        path : path
            FILE, with or without one of these endings; what is there of that name is replaced.

        Returns
        -------
        Path of FILE.pt, which `load_classifier` opens.

        Raises
        ------
        OutputError
            Where they cannot be written.
        """
        from napari_attribution.training.answers.saving import save

        return save(self, Path(path))


def read_answer(path: str | PathLike[str]) -> TrainedClassifier:
    """What `TrainedClassifier.save` wrote.

    Parameters
    ----------
    path : path of FILE.training.json, or of one of the files beside it.

    Raises
    ------
    RecordError
        For a file that is missing, or holds something else.
    ClassifierError
        For weights that cannot be opened.
    """
    from napari_attribution.training.answers.saving import read

    return read(Path(path))
