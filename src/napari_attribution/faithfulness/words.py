"""How far to trust a map, in the words of a microscopist. Pure functions."""

from __future__ import annotations

from napari_attribution.faithfulness.quick import Quick


def sentences(found: Quick | None, target: str) -> tuple[str, ...]:
    """What the quick measures say.

    Parameters
    ----------
    found : Quick or None
        None where the map has no order, or is nowhere positive.
    target : str
        The class explained.
    """
    if found is None:
        return (f"The map prefers no place that speaks for {target}, so there is no top of it to keep or remove.",)
    keep, remove, elsewhere = (found.share(score) for score in (found.keep, found.remove, found.elsewhere))
    if keep is None or remove is None or elsewhere is None:
        return _in_scores(found, target)
    return (
        f"Keeping only the top 20 % of {_map(found)} keeps {_percent(keep)} of the score; removing it leaves "
        f"{_percent(remove)}. The same shape laid elsewhere keeps {_percent(elsewhere)}.",
        *_doubt(keep, remove, elsewhere),
    )


def _doubt(keep: float, remove: float, elsewhere: float) -> tuple[str, ...]:
    """What a reader should conclude, where it is not good."""
    if keep <= elsewhere and remove >= 1 - elsewhere:
        return ("Other places do as well: do not rely on this map alone, compare it with another method.",)
    return ()


def _in_scores(found: Quick, target: str) -> tuple[str, ...]:
    """Where the range of the score is no measure: plain scores."""
    scores = (found.whole, found.filled, found.keep, found.remove, found.elsewhere)
    if max(scores) - min(scores) <= 1e-6 * max(abs(score) for score in scores):
        return (f"The score is {_number(found.whole)} whatever is filled: no map can say why.",)
    comparison = "higher than" if found.filled > found.whole else "almost as high as"
    return (
        f"With everything filled, the score for {target} is {_number(found.filled)}, {comparison} the well's "
        f"{_number(found.whole)}: shares of it mean little. Top 20 % of {_map(found)} kept: {_number(found.keep)}; removed: "
        f"{_number(found.remove)}; the same shape laid elsewhere: {_number(found.elsewhere)}.",
    )


def _map(found: Quick) -> str:
    """What the top is of."""
    what = "the map (stains at places)" if found.of_stains else "the map"
    if found.inputs == 1:
        return what
    each = what.replace("the map", "each input's map")
    return each if found.asked == found.inputs else f"{each} ({found.asked} of {found.inputs} inputs)"


def _percent(share: float) -> str:
    return f"{100 * share + 0.0:.0f} %".replace("-0 %", "0 %").replace("-", "−")


def _number(score: float) -> str:
    return f"{score:.3g}".replace("-", "−")
