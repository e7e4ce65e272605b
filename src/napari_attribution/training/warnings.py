"""Warnings: when the answer of a training is not to be taken at its word."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from napari_attribution.methods.channels.importance import without_ties

MOST_LOST = 0.03
"""By how much one blended channel may be less accurate than all stains."""
LEAST_AGREEMENT = 0.5
"""Rank correlation of two orders of the stains."""
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
    right = round(float(accuracy.mean()) * wells)
    by_chance = sum(math.comb(wells, n) * chance**n * (1 - chance) ** (wells - n) for n in range(right, wells + 1))
    if by_chance < CERTAIN:
        return ()
    return (
        f"About {right} of {wells} held-out wells are called right, as many as by chance in {by_chance:.0%} of cases: too few "
        "wells, or too few of them right, to show that the phenotype was learned. Its weights may mean nothing; label more wells.",
    )


def accuracy_lost(accuracy: Mapping[str, Floats], mixers: int, wells: int) -> tuple[str, ...]:
    """Where the blended channels are more than 3 points less accurate than all stains."""
    if not np.isfinite(accuracy.get("all stains", np.array([np.nan]))).any():
        return ()
    lost = float(np.nanmean(accuracy["all stains"]) - np.nanmean(accuracy["dcmix"]))
    if not lost > MOST_LOST:
        return ()
    blended = "One blended channel is" if mixers == 1 else f"{mixers} blended channels are"
    return (
        f"{blended} {100 * lost:.0f} points less accurate than all stains ({wells} held-out wells): the phenotype seems to show in "
        f"where stains lie together, which a blend cannot tell. Try mixers={2 * mixers}, and do not drop stains by these weights "
        "alone.",
    )


def seeds_disagree(importances: Floats, stains: Sequence[str]) -> tuple[str, ...]:
    """Where the first stain is not the same for all seeds, or there is only one seed."""
    if len(importances) == 1:
        return ("Only one seed was trained, so the spread of the importances is not known. Train three at least.",)
    first = [stains[c] for c in importances.argmax(axis=1)]
    if len(set(first)) == 1:
        return ()
    said = ", ".join(f"{stain} in {first.count(stain)}" for stain in dict.fromkeys(first))
    return (
        f"The seeds do not agree on the stain that matters most: it is {said} of {len(first)}. Stains that say the same take each "
        "other's place; more seeds and wells tell.",
    )


def orders_disagree(importance: Floats, others: Mapping[str, Floats], stains: Sequence[str]) -> tuple[str, ...]:
    """Where another measure puts another stain first, or orders the stains quite otherwise.

    Parameters
    ----------
    importance : (C,) ndarray
        Shares of the mixing weights.
    others : mapping of name to (C,) ndarray
        Such as "the Shapley values", all in the same unit.
    """
    said = []
    # A measure that finds next to nothing says nothing of the order: rearranged pixels, say, where brightness tells the class.
    largest = max((float(values.max()) for values in others.values() if np.isfinite(values).all()), default=0.0)
    for name, values in others.items():
        if not values.max() > LEAST_FOUND * largest:
            continue
        ours, theirs = stains[int(importance.argmax())], stains[int(values.argmax())]
        if ours != theirs:
            said.append(
                f"The mixing weights put {ours} first, {name} put {theirs} first. They may carry the same (redundant "
                "stains), of which a mixing layer picks one: the accuracy on each stain alone tells."
            )
        elif len(stains) >= FEWEST:
            agreement = float(spearmanr(without_ties(importance), without_ties(values)).statistic)
            if agreement < LEAST_AGREEMENT:
                said.append(
                    f"The mixing weights and {name} agree on {ours}, but order the other stains otherwise (rank correlation "
                    f"{agreement:.2f}): only the first place is to be relied on."
                )
    return tuple(said)
