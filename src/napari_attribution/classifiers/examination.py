"""Examination: what is found out about a network when it is loaded, by trying."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from napari_attribution.classifiers.answers import same, sole_scores
from napari_attribution.classifiers.memory import is_out_of_memory
from napari_attribution.classifiers.scorer import Answers, Scorer
from napari_attribution.errors import ClassifierError


def probes(scorer: Scorer) -> Tensor:
    """(2, C, h, w) random inputs, the same ones every time."""
    h, w = scorer.card.size or (256, 256)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, len(scorer.card.stains), h, w, generator=generator).to(scorer.network.device)


def examine(scorer: Scorer, x: Tensor) -> tuple[bool, list[str]]:
    """Find out what the network answers with and how many inputs it takes, and set it on the scorer.

    Parameters
    ----------
    x : (2, C, h, w) Tensor

    Returns
    -------
    Whether it gives gradients, and sentences about what is not as usual.

    Raises
    ------
    ClassifierError
        Where the network does not answer as a classifier with this card must.
    """
    notes = []
    scorer.dtype = _dtype(scorer, x)
    scorer.answers = _answers(scorer, x)
    single = _single_scores(scorer, x)
    started = time.perf_counter()
    scorer.one_by_one = _one_by_one(scorer, x, single)
    scorer.forward_seconds = (time.perf_counter() - started) / len(x)
    gradients, said = _gives_gradients(scorer, x)
    if scorer.one_by_one:
        notes.append("The network takes one input at a time, so everything is slower.")
    if scorer.answers == "probabilities":
        notes.append("The network answers with probabilities; their logarithm serves as the logit.")
    if scorer.answers == "sigmoids":
        notes.append(
            "The network answers with a probability a class, each by itself; their log-odds serve as the logits."
        )
    return gradients, [*notes, said] if said else notes


def _dtype(scorer: Scorer, x: Tensor) -> torch.dtype:
    """float32, where the network takes it (half a network's weights need not be half its input's); else its weights'."""
    if scorer.network.dtype == torch.float32:
        return torch.float32
    scorer.dtype = torch.float32
    try:
        with torch.no_grad():
            scorer.raw(x[:1])
    except ClassifierError:
        return scorer.network.dtype
    return torch.float32


def _answers(scorer: Scorer, x: Tensor) -> Answers:
    """Whether the network answers with logits, with probabilities that sum to 1, or with one sigmoid a class."""
    answers = []
    with torch.no_grad():
        # Logits leave [0, 1] for a strong input at the latest; probabilities never do.
        strong = [factor * x[:1] for factor in (0.0, 1.0, -1.0, 100.0, -100.0)]
        for one in (*strong, 1000 * x[:1].abs(), -1000 * x[:1].abs()):
            answers.append(sole_scores(scorer.raw(one), len(scorer.card.classes)).float().flatten())
    answer = torch.stack([one for one in answers if bool(torch.isfinite(one).all())] or answers)
    if not bool(((answer >= 0) & (answer <= 1)).all()):
        return "logits"
    if answer.shape[1] > 1 and float((answer.sum(dim=1) - 1).abs().max()) < 1e-3:
        return "probabilities"
    # A sigmoid of a strong input is close to 0 or 1; an answer that does not depend on the input tells nothing of itself.
    saturates = float((answer - 0.5).abs().max()) > 0.45
    return "sigmoids" if saturates and float(answer.std(dim=0).max()) > 0 else "logits"


def _single_scores(scorer: Scorer, x: Tensor) -> Tensor:
    """The scores of the two probes, each by itself."""
    with torch.no_grad():
        scores = torch.cat([scorer.scores(single) for single in x.split(1)])
        again = torch.cat([scorer.scores(single) for single in x.split(1)])
    if not bool(torch.isfinite(scores).all()):
        raise ClassifierError(
            "For a random input the network's scores are not numbers (NaN or infinity): its weights are damaged, or the "
            "card's input size is not the one that it was made for."
        )
    if not same(scores, again):
        raise ClassifierError(
            "The network gives another answer each time it is asked: something in it is random (dropout left on?). "
            "Ask its author to export it in eval mode: torch.jit.script(model.eval())."
        )
    return scores


def _one_by_one(scorer: Scorer, x: Tensor, single: Tensor) -> bool:
    """Whether the network must be fed one input at a time."""
    try:
        with torch.no_grad():
            both = scorer.scores(x)
    except ClassifierError:
        return True
    return not same(both, single)


def _gives_gradients(scorer: Scorer, x: Tensor) -> tuple[bool, str]:
    """Whether the network gives gradients that are true, and a sentence where they are not so for an input alone.

    torch 2.13 on the CPU gives a wrong gradient where a batch norm in eval mode, of a single input, is flattened and
    transposed into tokens. So the gradient of an input alone is held against that of the same input among two, and where
    they differ, against the scores themselves.
    """
    try:
        alone = _gradient(scorer, x[:1])
        if alone is None or not bool(torch.isfinite(alone).all()):
            return False, _NO_GRADIENTS
        if scorer.one_by_one:
            return (True, "") if _true_share(scorer, x[:1], alone, 0 * alone) > 0.5 else (False, _WRONG_GRADIENTS)
        among = _gradient(scorer, x)
    except (RuntimeError, ClassifierError) as error:
        if is_out_of_memory(error):
            raise
        return False, _NO_GRADIENTS
    if among is None or not bool(torch.isfinite(among).all()):
        return False, _NO_GRADIENTS
    among = among[:1]
    if same(among, alone, _ROUNDING):
        return True, ""
    if _true_share(scorer, x[:1], among, alone) < 0.7:
        return False, _WRONG_GRADIENTS
    scorer.in_pairs = True
    return True, _DOUBLED


_ROUNDING = 3e-4
"""Of the largest gradient: what another order of summation changes in a deep network."""

_NO_GRADIENTS = "The network gives no gradients, so mixing weights are estimated from drawn masks."
_WRONG_GRADIENTS = (
    "The gradients that torch gives for this network are not true to its scores, so none are used: mixing weights are "
    "estimated from drawn masks."
)
_DOUBLED = "torch gives wrong gradients for a single input of this network, so every input is doubled where a gradient is needed."


def _gradient(scorer: Scorer, x: Tensor) -> Tensor | None:
    inputs = x.clone().requires_grad_(True)
    with torch.enable_grad():
        return torch.autograd.grad(scorer.scores(inputs).sum(), inputs, allow_unused=True)[0]


def _true_share(scorer: Scorer, x: Tensor, one: Tensor, other: Tensor) -> float:
    """Which of two gradients the scores follow along the direction in which they differ: 1 for the one, 0 for the other.

    The change of the scores over a small step either way, for the best of a few steps: too long a step meets kinks, too short
    a one rounding.
    """
    difference = (one - other).double()
    length = float(difference.norm())
    unit = (difference / max(length, 1e-30)).to(x.dtype)
    shares = []
    for size in (1e-4, 3e-4, 1e-3, 3e-3):
        step = size * float(x.norm())
        with torch.no_grad():
            ends = [float(scorer.scores(x + sign * step * unit).double().sum()) for sign in (1, -1)]
        found = (ends[0] - ends[1]) / (2 * step)
        shares.append((found - float((other * unit).sum())) / max(length, 1e-30))
    return min(shares, key=lambda share: abs(share - 1))
