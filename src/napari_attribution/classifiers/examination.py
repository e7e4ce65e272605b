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
    gradients = _gives_gradients(scorer, x)
    if scorer.one_by_one:
        notes.append("The network takes one input at a time, so everything is slower.")
    if scorer.answers == "probabilities":
        notes.append("The network answers with probabilities; their logarithm serves as the logit.")
    if scorer.answers == "sigmoids":
        notes.append(
            "The network answers with a probability a class, each by itself; their log-odds serve as the logits."
        )
    if not gradients:
        notes.append("The network gives no gradients, so mixing weights are estimated from drawn masks.")
    return gradients, notes


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
        for factor in (0.0, 1.0, -1.0, 100.0, -100.0):
            output = scorer.raw(factor * x[:1])
            answers.append(sole_scores(output, len(scorer.card.classes)).float().flatten())
    answer = torch.stack(answers)
    if not bool(((answer >= 0) & (answer <= 1)).all()):
        return "logits"
    if answer.shape[1] > 1 and float((answer.sum(dim=1) - 1).abs().max()) < 1e-3:
        return "probabilities"
    # A network whose answer does not depend on its input tells nothing of itself.
    return "sigmoids" if float(answer.std(dim=0).max()) > 0 else "logits"


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


def _gives_gradients(scorer: Scorer, x: Tensor) -> bool:
    one = x[:1].clone().requires_grad_(True)
    try:
        with torch.enable_grad():
            gradient = torch.autograd.grad(scorer.scores(one).sum(), one, allow_unused=True)[0]
    except (RuntimeError, ClassifierError) as error:
        if is_out_of_memory(error):
            raise
        return False
    return gradient is not None and bool(torch.isfinite(gradient).all())
