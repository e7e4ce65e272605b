"""A comparison in words: the table under the views, how far the maps agree, what to be careful about. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_attribution.desktop.explain.words import percent
from napari_attribution.methods.attribution import Attribution
from napari_attribution.methods.choice.catalogue import ALL

if TYPE_CHECKING:
    from napari_attribution.desktop.compare.limits import Limits
    from napari_attribution.desktop.compare.request import Comparison, Side
    from napari_attribution.faithfulness.agreement import Agreement

NOTHING = "–"

FAINT = 2.5
"""How many times smaller one map's values must be than the other's to look pale on its scale."""

ROWS = (
    ("class", "Class", "The class that the map speaks for"),
    ("says", "Classifier says", "The class that the classifier itself chooses"),
    ("probability", "Probability", "What the classifier gives to the class that the map speaks for, from 0 to 1"),
    ("score", "Score", "The score that is explained, in its unit"),
    ("stain", "Top stain", "The stain that counts for most, and its share"),
    (
        "kept",
        "Top 20 % keeps",
        "How far to trust the map: how much of the score is kept by the strongest fifth of the map alone. 100 % is the score of "
        "the well as it is, 0 % that of the fill alone",
    ),
    (
        "elsewhere",
        "… laid elsewhere",
        "The yardstick: how much of the score is kept by the same shape, laid elsewhere. A map that shows what the classifier "
        "uses keeps much more than this",
    ),
    ("time", "Time", "What it took"),
)
"""Name, title and tooltip of each row of the table."""

CORRELATION_TIP = (
    "Do both maps put the places of the well in the same order? Spearman's rank correlation of all pixels: +1 is the same order, "
    "0 no relation, −1 the reverse. It does not depend on the maps' units."
)
OVERLAP_TIP = (
    "Do both maps point at the same places? Of the 20 % of places that speak most for the class in each map, the share that both "
    "have in common (Dice's coefficient): 100 % are the same places. By chance it would be the figure in brackets."
)


def cells(attribution: Attribution) -> dict[str, str]:
    """A column of the table, by the name of the row."""
    target, predicted = attribution.target, attribution.predicted
    unit = "" if attribution.score_name == "probability" else f" {attribution.score_name}"
    return {
        "class": target,
        "says": predicted,
        "probability": f"{attribution.probabilities[target]:.2f}",
        "score": f"{attribution.score:.2f}{unit}".replace("-", "−"),
        "stain": top_stain(attribution),
        "kept": _share(attribution, "keep 20"),
        "elsewhere": _share(attribution, "elsewhere 20"),
        "time": f"{attribution.seconds:.1f} s" if attribution.seconds < 10 else f"{attribution.seconds:.0f} s",
    }


def top_stain(attribution: Attribution) -> str:
    """ "Mito 71 %"."""
    shares = {stain: share for stain, share in attribution.channel_importance.items() if math.isfinite(share)}
    if not any(shares.values()):
        return NOTHING
    first = max(shares, key=lambda stain: shares[stain])
    return f"{first} {percent(shares[first])}" if shares[first] > 0 else "none speaks for it"


def _share(attribution: Attribution, name: str) -> str:
    found = attribution.faithfulness
    return percent(found[name]) if name in found else "not known"


def correlation(found: Agreement) -> str:
    """ "The maps' places are in much the same order: correlation +0.83.", without digits that mean nothing."""
    if found.correlation is None:
        return ""
    rho = found.correlation
    strength = next(words for least, words in _ORDERS if abs(rho) >= least)
    if rho <= -0.3:
        strength = "in reverse order"
    return f"Order of places: {strength} (rank correlation {rho:+.2f}).".replace("-", "−")


_ORDERS = (
    (0.995, "the same"),
    (0.9, "nearly the same"),
    (0.6, "much the same"),
    (0.3, "somewhat alike"),
    (0.0, "not related"),
)


def overlap(found: Agreement) -> str:
    """ "Strongest places: 63 % in common (20 % by chance)."."""
    if found.overlap is None or found.by_chance is None:
        return ""
    return f"Strongest places: {percent(found.overlap)} in common ({percent(found.by_chance)} by chance)."


def headline(comparison: Comparison) -> str:
    """What the comparison says, in a sentence."""
    one, other = (side.attribution for side in comparison.sides)
    target = one.target
    if comparison.differs == "well":
        p, q = (answer.probabilities[answer.target] for answer in (one, other))
        names = [side.name for side in comparison.sides]
        return f"{target}: {p:.2f} in {names[0]}, {q:.2f} in {names[1]}."
    found = comparison.agreement
    if found is None or found.overlap is None or found.by_chance is None or found.by_chance >= 1:
        return f"Two maps of {target}."
    beyond = (found.overlap - found.by_chance) / (1 - found.by_chance)
    told = "point at the same places" if beyond >= 0.6 else "agree in part" if beyond >= 0.25 else "point elsewhere"
    return f"The two {comparison.differs}s {told}."


def notes(comparison: Comparison) -> list[str]:
    """What the reader should know: of units, places, sizes, and each answer's own warnings."""
    a, b = comparison.sides
    said = list(comparison.notes)
    if not comparison.same_units:
        said.append(
            f"The maps have different units ({a.name}: {a.attribution.units}; {b.name}: {b.attribution.units}), so each has a "
            "colour scale of its own: compare where they point, not how strong the colours are."
        )
    if comparison.differs == "well":
        said.append("Pixels of two wells are not the same places, so no agreement of the maps is given.")
        said += _linked(a, b)
    weaker = _weaker(comparison)
    if weaker:
        said.append(weaker)
    if comparison.differs == "classifier" and comparison.same_units and "logit" in a.attribution.units:
        said.append(
            "Each classifier has logits of its own: the same colour is the same number, but need not weigh the same."
        )
    if a.inputs != b.inputs:
        said.append(f"{a.name} looks at {_by(a.inputs)} pixels at a time, {b.name} at {_by(b.inputs)}.")
    said += comparison.agreement.why if comparison.agreement else ()
    said += [
        f"{side.name}: {' '.join(side.attribution.trust)}"
        for side in comparison.sides
        if "keep 20" not in side.attribution.faithfulness and side.attribution.trust
    ]
    shared = set(a.attribution.warnings) & set(b.attribution.warnings)
    said += [warning for warning in a.attribution.warnings if warning in shared]
    for side in comparison.sides:
        said += [f"{side.name}: {warning}" for warning in side.attribution.warnings if warning not in shared]
    return said


def _weaker(comparison: Comparison) -> str:
    """Why one of the maps is pale on a scale that holds for both."""
    if not comparison.same_units:
        return ""
    (low, pale), (high, strong) = sorted(zip(comparison.limits, (side.name for side in comparison.sides), strict=True))
    if high < FAINT * low:
        return ""
    times = f"{high / low:.0f}"
    return f"The values of {pale} are about {times} times smaller than those of {strong}: its colours show without “same scale”."


def _linked(a: Side, b: Side) -> list[str]:
    """How the views are linked, where that is not plain to see."""
    sizes = [side.attribution.pixel_size for side in (a, b)]
    unknown = [side.name for side, size in zip((a, b), sizes, strict=True) if size is None]
    if (a.map.shape, sizes[0]) == (b.map.shape, sizes[1]):
        return []
    if unknown:
        return [
            f"{' and '.join(unknown)} {'does' if len(unknown) == 1 else 'do'} not say how large a pixel is, so the views are "
            "linked by the share of the well that they show, not by µm."
        ]
    return ["The wells differ in size. The views show both at the same magnification, in µm, linked from the middle."]


def about_classifiers(
    names: tuple[str, str], classes: tuple[Sequence[str], Sequence[str]], target: str
) -> tuple[str, ...]:
    """What two classifiers do not have in common; nothing where they know the same classes."""
    known = [{name.casefold() for name in one} for one in classes]
    alone = [
        [name for name in one if name.casefold() not in others]
        for one, others in zip(classes, reversed(known), strict=True)
    ]
    if not any(alone):
        return ()
    told = "; ".join(f"only {name} knows {', '.join(own)}" for name, own in zip(names, alone, strict=True) if own)
    return (f"The classes differ: {told}. Both know {target}, but a probability is shared out among other classes.",)


def method_title(name: str) -> str:
    """As the docks write it."""
    return ALL[name].title if name in ALL else name


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def scale(limits: Limits) -> str:
    """What the numbers at the colour scale are."""
    if not limits.comparable:
        return f"A: {limits.units[0]}. B: {limits.units[1]}. Different units: each view has a scale of its own."
    unit = f"{limits.units[0][:1].upper()}{limits.units[0][1:]}"
    if not limits.shared:
        return (
            f"{unit}; each view has a scale of its own: compare where the maps point, not how strong the colours are."
        )
    return f"{unit}; {'kept' if limits.locked else 'the same'} for both views."


def readout(pixel: tuple[int, int] | None, values: Sequence[float | None], limits: Sequence[float]) -> str:
    """ "Row 211, column 300: A +0.12, B −0.03": the maps where the mouse is, with the digits that their colours can show."""
    if pixel is None:
        return ""
    told = ", ".join(
        f"{letter} {_value(value, limit)}" for letter, value, limit in zip("AB", values, limits, strict=True)
    )
    return f"Row {pixel[0]}, column {pixel[1]}: {told}"


def _value(value: float | None, limit: float) -> str:
    if value is None:
        return NOTHING
    digits = max(0, 2 - math.floor(math.log10(limit)))
    rounded = round(value, digits)
    return f"{rounded:+.{digits}f}".replace("-", "−") if rounded else "0"
