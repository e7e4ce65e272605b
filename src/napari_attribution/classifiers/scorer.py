"""Scorer: a network's raw answers as class scores, in the order of the card's classes."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from napari_attribution.classifiers.answers import reason, sole_scores
from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.memory import is_out_of_memory
from napari_attribution.classifiers.network import Network
from napari_attribution.errors import Cancelled, ClassifierError

Answers = Literal["logits", "probabilities", "sigmoids"]


class Scorer:
    """Runs a network and reads its answers as a card says.

    Parameters
    ----------
    network : Network
    card : ClassifierCard

    Attributes
    ----------
    answers : "logits", "probabilities" (that sum to 1) or "sigmoids" (one a class)
    one_by_one : bool
        Whether it must be fed one input at a time.
    in_pairs : bool
        Whether a single input is doubled where its gradient is asked for, because torch gives a wrong one for it alone.
    dtype : torch.dtype
        Of the inputs that it takes.
    forward_seconds : float
        What one input took when it was tried.
    """

    def __init__(self, network: Network, card: ClassifierCard) -> None:
        self.network = network
        self.card = card
        self.answers: Answers = "logits"
        self.one_by_one = False
        self.in_pairs = False
        self.dtype = network.dtype
        self.forward_seconds = 0.0

    def scores(self, x: Tensor) -> Tensor:
        """(N, C, h, w) inputs to their (N, K) logits.

        Raises
        ------
        ClassifierError
            Where the network fails on x, or answers with something else.
        """
        x = x.to(self.network.device)
        if self.one_by_one and len(x) > 1:
            return torch.cat([self.scores(single) for single in x.split(1)])
        if self.doubles(x):
            return self.scores(torch.cat([x, x]))[:1]
        return self.read(self.raw(x), x)

    def doubles(self, x: Tensor) -> bool:
        """Whether this input, or activation, must not be alone."""
        return self.in_pairs and len(x) == 1 and torch.is_grad_enabled() and x.requires_grad

    def raw(self, x: Tensor) -> Any:
        """What the network itself returns for x."""
        try:
            # The optimising executor would recompile at every new shape, for seconds; this is the plain one.
            with torch.jit.optimized_execution(False):
                return self.network.run(x.to(self.network.device, self.dtype, copy=True))
        except Cancelled:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise ClassifierError(
                f"The network cannot take an input of {tuple(x.shape)} (batch, stains, height, width): {reason(error)} "
                "Check the number of stains and the input size on the card."
            ) from error

    def read(self, output: Any, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """The logits in what the network returned for x, in float32 if nothing else is wanted.

        Raises
        ------
        ClassifierError
            Where it is an image, has another batch than x, or another number of scores than the card has classes.
        """
        n, k = len(x), len(self.card.classes)
        scores = sole_scores(output, k)
        found = tuple(scores.shape)
        if scores.ndim == 4 and scores.shape[2:] == (1, 1):
            scores = scores.flatten(1)
        if scores.ndim == 1 and k == 2 and len(scores) == n:
            scores = scores[:, None]
        if scores.ndim > 2:
            raise ClassifierError(
                f"The network answers with an image of shape {found}, not with class scores: it is a segmentation or "
                "regression network. A classifier for whole inputs is needed."
            )
        if scores.ndim != 2 or len(scores) != n:
            raise ClassifierError(
                f"For {n} input{'s' * (n > 1)} of {tuple(x.shape[1:])} the network answers with the shape {found}, but "
                f"{(n, k)} is wanted: one row an input, one score a class. Check the input size on the card ({self.card.size})."
            )
        if scores.shape[1] != k and (scores.shape[1], k) != (1, 2):
            raise ClassifierError(
                f"The network gives {scores.shape[1]} scores, but the card names {k} classes "
                f"({', '.join(self.card.classes)}). Name one class a score, in order."
            )
        return self._as_logits(scores.to(dtype))

    def _as_logits(self, scores: Tensor) -> Tensor:
        """(N, K) or (N, 1) scores as (N, K) logits: a single score is that of the second of two classes."""
        if self.answers == "probabilities":
            scores = scores.clamp_min(1e-12).log()
        elif self.answers == "sigmoids":
            scores = scores.clamp(1e-7, 1 - 1e-7).logit()
        if scores.shape[1] == 1 and len(self.card.classes) == 2:
            return torch.cat([torch.zeros_like(scores), scores], dim=1)
        return scores
