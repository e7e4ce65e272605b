"""Moment: what is told while a classifier is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["reading", "training", "measuring"]


@dataclass(frozen=True)
class Moment:
    """How far a training has come; told at every epoch, and often between.

    Parameters
    ----------
    phase : "reading", "training" or "measuring"
    done, total : int
        Fields that are read; epochs of all networks; wells that are measured. `total` may be too high: networks stop early.
    network : str
        The one that is trained: "dcmix", "all stains", or a stain's name; empty while nothing is trained.
    seed : int
    epoch : int
        Of this network, from 1; 0 before its first is over.
    training_loss, validation_loss, accuracy : float, optional
        Of the epoch that is over; the accuracy, from 0 to 1, is that of the validation fields.
    importance : tuple of C float, optional
        The mixing weights so far, as shares that sum to 1; of "dcmix" alone.
    """

    phase: Phase
    done: int
    total: int
    network: str = ""
    seed: int = 0
    epoch: int = 0
    training_loss: float | None = None
    validation_loss: float | None = None
    accuracy: float | None = None
    importance: tuple[float, ...] | None = None
