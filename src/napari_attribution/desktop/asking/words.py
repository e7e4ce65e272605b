"""What is said of a map that is asked, in the words of a microscopist. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_attribution.faithfulness.enough import Enough
    from napari_attribution.faithfulness.what_if import Verdict, WhatIf
    from napari_attribution.methods.attribution import Attribution


def probability(value: float) -> str:
    """Whole per cents; what is nearly sure, or nearly out of the question, is not said to be so."""
    if not math.isfinite(value):
        return "unknown"
    if 0.995 <= value < 1:
        return "> 99\u00a0%"
    if 0 < value < 0.005:
        return "< 1\u00a0%"
    return f"{100 * value:.0f}\u00a0%"


def number(value: float, sign: str = "") -> str:
    """Two decimals, or two digits of what is smaller, and a minus sign that is one."""
    small = 0 < abs(value) < 0.1
    return f"{value + 0.0:{sign}{'.2g' if small else '.2f'}}".replace("-", "−")


def fixed(value: float, limit: float) -> str:
    """With its sign, and as many decimals as tell a hundredth of the largest value; nothing is nothing."""
    decimals = min(max(2 - math.floor(math.log10(limit)), 0), 9) if limit > 0 and math.isfinite(limit) else 2
    if round(value, decimals) == 0:
        return "0"
    return f"{value:+.{decimals}f}".replace("-", "−")


def verdict(said: Verdict) -> str:
    """ "control 71 %"."""
    return f"{said.predicted} {probability(said.probabilities[said.predicted])}"


def changed(found: WhatIf) -> str:
    """ "mito fragmented 99 % → control 71 %: without this, the classifier changes its mind." """
    before, after = found.before, found.after
    if found.changes_its_mind:
        return f"{verdict(before)} → {verdict(after)}: without this, the classifier changes its mind."
    now = probability(after.probabilities[after.predicted])
    was = probability(before.probabilities[before.predicted])
    if was == now:
        return f"{before.predicted} {was}, as before: the classifier does without this."
    return f"{before.predicted} {was} → {now}: the classifier does not change its mind."


def changed_score(found: WhatIf, answer: Attribution) -> str:
    """The score that was explained, before and after, and how much is removed."""
    target, score_name, read = answer.target, answer.score_name, len(answer.stains)
    of = answer.place.name if answer.place is not None else "the well"
    before, after = found.before, found.after
    stains = "all stains" if len(found.stains) == read else f"{' and '.join(found.stains)} only"
    said = (
        f"{score_name[0].upper()}{score_name[1:]} of {target}: {number(before.score)} → {number(after.score)} "
        f"({number(after.score - before.score, '+')})"
    )
    if target not in (before.predicted, after.predicted):
        said += f"; its probability {probability(before.probabilities[target])} → {probability(after.probabilities[target])}"
    return f"{said}. Removed: {area(found.removed)} of {of}, {stains}."


def area(share: float) -> str:
    """A share of the well's pixels."""
    return (
        "less than 0.1\u00a0%"
        if 0 < share < 0.001
        else f"{100 * share:.1f}\u00a0%"
        if share < 0.1
        else f"{100 * share:.0f}\u00a0%"
    )


def unchanged(predicted: str, probabilities: Mapping[str, float], where: str) -> str:
    """What the classifier says of the well while nothing is removed."""
    return f"{predicted} {probability(probabilities[predicted])}{where}: nothing is removed yet."


def kept(found: Enough, of_stains: bool, of_place: str) -> str:
    """ "The top 20 % of the map keeps 97 % of the score: mito fragmented 98 %." """
    return f"{top(round(100 * found.part), of_stains, found.inputs, of_place)} {_keeps(found)}{verdict(found.kept)}."


def top(percent: int, of_stains: bool, inputs: int, of_place: str) -> str:
    """What is left of the map."""
    what = "each input's map" if inputs > 1 else "the map"
    what += of_place + (" (stains at places)" if of_stains else "")
    return f"All of {what}" if percent == 100 else f"The top {percent}\u00a0% of {what}"


def _keeps(found: Enough) -> str:
    if found.share is None:
        return f"has the score {number(found.kept.score)} (the fill alone: {number(found.filled)}): "
    return f"keeps {share(found.share)} of the score: "


def share(value: float) -> str:
    """Of the score's range; may be less than nothing, or more than all."""
    return f"{100 * value + 0.0:.0f}\u00a0%".replace("-0\u00a0%", "0\u00a0%").replace("-", "−")
