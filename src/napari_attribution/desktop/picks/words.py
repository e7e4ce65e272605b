"""What a cell is to the classifier, in words. Pure functions of an Attribution."""

from __future__ import annotations

from napari_attribution.methods.attribution import Attribution

HARDLY = 0.005
"""Of what the well shows: less than this is as good as nothing."""


def headline(attribution: Attribution) -> str:
    """ "Without cell 12 the score drops by 0.11 logit." - the part first: it is about the well as it is."""
    assert attribution.place is not None
    name, part = attribution.place.name, attribution.part
    if part is None:
        probability = attribution.probabilities[attribution.predicted]
        return f"{_first(name)} is {attribution.predicted} to the classifier ({per_cent(probability)})."
    share = part.share
    if (share is not None and abs(share) < HARDLY) or part.loses == 0:
        return f"Without {name} the score stays as it is: it hardly counts for {attribution.target}."
    unit = attribution.score_name.split(" ")[0]
    change = f"{number(abs(part.loses))}{' logit' if unit != 'probability' else ''}"
    if part.loses < 0:
        return f"Without {name} the score rises by {change}: it speaks against {attribution.target}."
    of = "" if share is None else f", {per_cent(share)} of what speaks for {attribution.target} here"
    return f"Without {name} the score drops by {change}{of}."


def details(attribution: Attribution) -> str:
    """What the classifier says of the place by itself, and what the stains count for there."""
    sentences = []
    if attribution.part is not None:
        others = "" if attribution.target == attribution.predicted else _leading(attribution)
        own = per_cent(attribution.probabilities[attribution.target])
        name = _first(attribution.place.name if attribution.place else "it")
        sentences.append(f"{name} by itself, on an empty field: {attribution.target} {own}{others}.")
        if others:
            sentences.append("So little on an empty field is unlike any well, so trust the first number more.")
    elif attribution.target != attribution.predicted:
        sentences.append(
            f"You asked about {attribution.target} ({per_cent(attribution.probabilities[attribution.target])})."
        )
    shares = attribution.channel_importance
    if any(shares.values()):
        top = max(shares, key=lambda stain: shares[stain])
        if shares[top] > HARDLY:
            sentences.append(f"In it, {top} speaks most for {attribution.target} ({per_cent(shares[top])}).")
        else:
            sentences.append(f"In it, no stain speaks for {attribution.target}.")
        sentences.append(f"Shares of: {attribution.importance_meaning}.")
    return " ".join(sentences)


def _leading(attribution: Attribution) -> str:
    return f" ({attribution.predicted} {per_cent(attribution.probabilities[attribution.predicted])})"


def _first(name: str) -> str:
    return name[:1].upper() + name[1:]


def per_cent(share: float) -> str:
    """One digit behind the point where it matters: "3.8 %", "97 %"."""
    value = 100 * share
    digits = 1 if abs(value) < 10 else 0
    return f"{value:.{digits}f} %".replace("-", "−")


def number(value: float) -> str:
    """Two digits that count: "0.11", "1.3"."""
    return f"{value:.2g}" if abs(value) < 10 else f"{value:.0f}"
