"""Fitted: a trained network, and how its training went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import nn

Ending = Literal["early", "epochs", "not a number"]


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to.

    Parameters
    ----------
    training_loss : float
        Mean over its steps.
    validation_loss : float
        Mean over the classes of their fields' mean.
    accuracy : float
        Share of the validation fields that are called right, 0 to 1.
    importance : tuple of C float, optional
        The mixing weights as shares.
    """

    training_loss: float
    validation_loss: float
    accuracy: float
    importance: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network.

    Parameters
    ----------
    network : Module
        On the CPU, to be scored with, with the weights of the best epoch; its mixing layer in the form that is saved.
    importance : (C,) float64 ndarray or None
        The shares of the stains, which sum to 1; None without a mixing layer.
    history : tuple of Epoch
    best_epoch : int
        From 1.
    ended : "early", "epochs" or "not a number"
    note : str
        What went wrong, as a sentence; most often empty.
    set_aside : str
        That a damaged checkpoint was, as a sentence; most often empty.
    """

    network: nn.Module
    importance: npt.NDArray[np.float64] | None
    history: tuple[Epoch, ...]
    best_epoch: int
    ended: Ending
    note: str = ""
    set_aside: str = ""
