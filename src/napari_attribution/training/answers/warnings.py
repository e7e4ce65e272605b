"""Warnings: when the answer of a training is not to be taken at its word."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

MOST_LOST = 0.03
"""By how much one blended channel may be less accurate than all stains."""
LEAST_AGREEMENT = 0.5
"""Rank correlation of two orders of the stains."""
TIED = 0.02
"""Shares of the mixing weights that are no further apart than this stand on one place."""
LEAST_VALUE = 0.05
"""Logits: values below it are no finding, and values no further apart stand on one place."""
AS_ACCURATE = 0.05
"""How far apart two stains alone may be in accuracy that are said to carry the same."""
LEAST_FOUND = 0.25
"""Of the largest value that any measure finds: what another must find to have a say."""
FEWEST = 4
"""Stains; of fewer, a rank correlation is one swap more or less, and only the first place is compared."""
CERTAIN = 0.05

Floats = npt.NDArray[np.float64]


def at_chance(accuracy: Floats, chance: float, wells: int) -> tuple[str, ...]:
    """Where calling all wells by the commonest class might come to as many right.

    Parameters
    ----------
    accuracy : (S,) ndarray
        On held-out wells.
    chance : float
        Share of the commonest class among them.
    wells : int
        How many were held out for one seed or another.
    """
    right, by_chance = _by_chance(float(accuracy.mean()), chance, wells)
    if by_chance < CERTAIN:
        return ()
    return (
        f"About {right} of {wells} held-out wells are called right, as many as by chance in {by_chance:.0%} of cases: too few "
        "wells, or too few of them right, to show that the phenotype was learned. Its weights may mean nothing; label more wells.",
    )


def _by_chance(accuracy: float, chance: float, wells: int) -> tuple[int, float]:
    """How many wells are called right, and how often chance does as well."""
    right = round(accuracy * wells)
    return right, sum(math.comb(wells, n) * chance**n * (1 - chance) ** (wells - n) for n in range(right, wells + 1))


def accuracy_lost(accuracy: Mapping[str, Floats], mixers: int, chance: float, wells: int) -> tuple[str, ...]:
    """Where the blended channels are more than 3 points less accurate than all stains, on the mean of the seeds that have both.

    Of all stains that are no better than chance, nothing can be lost.
    """
    means = _paired(accuracy, "all stains", "dcmix")
    if means is None or not means[0] - means[1] > MOST_LOST or _by_chance(means[0], chance, wells)[1] >= CERTAIN:
        return ()
    lost = means[0] - means[1]
    blended = "One blended channel is" if mixers == 1 else f"{mixers} blended channels are"
    return (
        f"{blended} {100 * lost:.0f} points less accurate than all stains (about {lost * wells:.0f} of {wells} held-out wells): "
        "the phenotype seems to show in where stains lie together, which a blend cannot tell. Try "
        f"mixers={2 * mixers}, and do not drop stains by these weights alone.",
    )


def seeds_disagree(importances: Floats, stains: Sequence[str]) -> tuple[str, ...]:
    """Where no stain is first for all seeds, be it by a tie, or there is only one seed."""
    if len(importances) == 1:
        return ("Only one seed was trained, so the spread of the importances is not known. Train three at least.",)
    if (importances >= importances.max(axis=1, keepdims=True) - TIED).all(axis=0).any():
        return ()
    first = [stains[c] for c in importances.argmax(axis=1)]
    said = ", ".join(f"{stain} in {first.count(stain)}" for stain in dict.fromkeys(first))
    return (
        f"The seeds do not agree on the stain that matters most: it is {said} of {len(first)}. Stains that say the same take each "
        "other's place; more seeds and wells tell.",
    )


def orders_disagree(
    importances: Floats,
    others: Mapping[str, Floats],
    stains: Sequence[str],
    accuracy: Mapping[str, Floats],
    chance: float = 0.0,
) -> tuple[str, ...]:
    """Where another measure puts another stain first, or orders the stains quite otherwise.

    Parameters
    ----------
    importances : (S, C) ndarray
        Shares of the mixing weights; those that differ no more than the seeds do are not told apart.
    others : mapping of name to (C,) ndarray
        Such as "the Shapley values", all in logits.
    stains : sequence of C str
    accuracy : mapping of name to (S,) ndarray
        With that of each stain alone, where they were compared.
    chance : float, optional
        What calling every well by the commonest class comes to.
    """
    said = []
    importance = importances.mean(axis=0)
    apart = importances[:, :, None] - importances[:, None, :]  # (S, C, C)
    order = _told_apart(importance, np.maximum(TIED, apart.std(axis=0)))
    # A measure that finds next to nothing says nothing of the order: rearranged pixels, say, where brightness tells the class.
    largest = max((float(values.max()) for values in others.values() if np.isfinite(values).all()), default=0.0)
    for name, values in others.items():
        if not values.max() > max(LEAST_VALUE, LEAST_FOUND * largest):
            continue
        other = _told_apart(values, LEAST_VALUE)
        ours, theirs = int(importance.argmax()), int(values.argmax())
        if order[ours, theirs] > 0 > other[ours, theirs]:
            said.append(
                f"The mixing weights put {stains[ours]} first, {name} put {stains[theirs]} first. "
                + _alone(stains[ours], stains[theirs], accuracy, chance)
            )
        elif ours == theirs and len(stains) >= FEWEST:
            both = (order * other)[order * other != 0]
            if both.size and both.mean() < LEAST_AGREEMENT:
                said.append(
                    f"The mixing weights and {name} agree on {stains[ours]}, but order the other stains otherwise (rank "
                    f"correlation {both.mean():.2f}): only the first place is to be relied on."
                )
    return tuple(said)


def _told_apart(values: Floats, margin: Floats | float) -> Floats:
    """(C, C): 1 where the first of two stains is above the other, -1 where below, 0 where they are tied.

    The mean product of two of these, without the ties, is the rank correlation of Goodman and Kruskal (gamma).
    """
    apart = values[:, None] - values[None, :]
    return np.where(np.abs(apart) > margin, np.sign(apart), 0.0)


def _alone(ours: str, theirs: str, accuracy: Mapping[str, Floats], chance: float) -> str:
    """What the accuracies on either stain alone say of why."""
    means = _paired(accuracy, ours, theirs)
    if means is None:
        return "Neither order is to be relied on alone."
    found = f"alone, {ours} tells {means[0]:.0%} of the held-out wells, {theirs} {means[1]:.0%}"
    if max(means) <= chance:
        return f"{found[0].upper()}{found[1:]}, no more than chance ({chance:.0%}): neither order is to be relied on."
    if abs(means[0] - means[1]) <= AS_ACCURATE:
        return f"They may carry the same (redundant stains; {found}), of which a mixing layer picks one."
    return f"{found[0].upper()}{found[1:]}, so the one does not stand in for the other."


def _paired(accuracy: Mapping[str, Floats], one: str, other: str) -> tuple[float, float] | None:
    """Both means over the seeds where both are numbers; None where there is no such seed."""
    if one not in accuracy or other not in accuracy:
        return None
    known = np.isfinite(accuracy[one]) & np.isfinite(accuracy[other])
    return (float(accuracy[one][known].mean()), float(accuracy[other][known].mean())) if known.any() else None
