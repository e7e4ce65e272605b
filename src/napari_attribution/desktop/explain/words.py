"""The answer in words: what a microscopist would say to a colleague. Pure functions of an Attribution."""

from __future__ import annotations

import math
from collections.abc import Mapping

from napari_attribution.methods.attribution import Attribution
from napari_attribution.methods.choice.catalogue import ALL

CONTRAST = "contrast with "


def why(attribution: Attribution) -> str:
    """ "why mito fragmented rather than control": what was asked."""
    return f"why {attribution.target}{_than(attribution)}"


def rather_than(attribution: Attribution) -> str:
    """The other class of a contrast; empty where the class was asked about by itself."""
    return attribution.score_name.removeprefix(CONTRAST) if attribution.score_name.startswith(CONTRAST) else ""


def headline(attribution: Attribution) -> str:
    """ "Mito decides (71 %)." - who decides, in one sentence."""
    shares = {stain: value for stain, value in attribution.channel_importance.items() if math.isfinite(value)}
    order = sorted(shares, key=lambda stain: -shares[stain])
    if not any(shares.values()):
        return "The stains' importance was not asked for: see the map."
    speaking = [stain for stain in order if shares[stain] > 0.005]
    if not speaking:
        return f"No stain speaks for {attribution.target}{_than(attribution)}."
    first, second = speaking[0], speaking[1] if len(speaking) > 1 else None
    if second is None or shares[first] >= 0.5:
        return f"{first} decides ({percent(shares[first])})."
    if shares[first] + shares[second] >= 0.6:
        return f"{first} ({percent(shares[first])}) and {second} ({percent(shares[second])}) decide together."
    leading = ", ".join(f"{stain} {percent(shares[stain])}" for stain in speaking[:3])
    return f"No single stain decides: {leading}."


def details(attribution: Attribution) -> str:
    """What the classifier says, what was asked, and what the shares are shares of."""
    probability = attribution.probabilities[attribution.predicted]
    sentences = [f"The classifier says {attribution.predicted} (probability {probability:.2f})."]
    if attribution.target != attribution.predicted:
        asked = attribution.probabilities[attribution.target]
        sentences.append(f"You asked about {attribution.target} (probability {asked:.2f}).")
    other = rather_than(attribution)
    if other and other != attribution.predicted:
        sentences.append(f"You compared with {other} (probability {attribution.probabilities[other]:.2f}).")
    against = opposed(attribution.channel_importance)
    if against:
        sentences.append(f"For {other}: {against}." if other else f"Against {attribution.target}: {against}.")
    if any(attribution.channel_importance.values()):
        sentences.append(f"Shares of: {attribution.importance_meaning}.")
    return " ".join(sentences)


def footnote(attribution: Attribution) -> str:
    """What it took: score, device, time."""
    seconds = attribution.seconds
    took = f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    # Of an answer that was found among the results of a screen, the work is not known.
    work = f"{attribution.forwards:.3g} forwards, " if math.isfinite(attribution.forwards) else ""
    score = f"{attribution.score:.2f}".replace("-", "−")
    return f"{attribution.score_name} {score} · {work}{took} on {attribution.device}"


def legend(attribution: Attribution, colours: tuple[str, str] = ("purple", "green")) -> str:
    """Whose map it is, what its colours (for, against) mean, and its numbers."""
    title = ALL[attribution.method].title if attribution.method in ALL else attribution.method
    other = rather_than(attribution)
    speaks_for, against = colours
    meaning = f"{speaks_for} speaks for {attribution.target}, {against} {f'for {other}' if other else 'against'}"
    return f"{title}: {meaning}; unit: {attribution.units}"


def percent(share: float) -> str:
    """Whole per cents."""
    return f"{100 * share:.0f} %".replace("-", "−")


def with_probability(name: str, probability: float | None) -> str:
    """ "mito fragmented  99 %": a class in a list."""
    if probability is None or not math.isfinite(probability):
        return name
    # Only what is exactly so is called impossible, or certain.
    sign = "< 1 %" if 0 < probability < 0.005 else "> 99 %" if 0.995 <= probability < 1 else percent(probability)
    return f"{name}  {sign}"


def _than(attribution: Attribution) -> str:
    other = rather_than(attribution)
    return f" rather than {other}" if other else ""


def opposed(importance: Mapping[str, float]) -> str:
    """The stains that speak against the class by at least five per cent."""
    stains = sorted(
        (stain for stain, value in importance.items() if value <= -0.05), key=lambda stain: importance[stain]
    )
    return ", ".join(f"{stain} ({percent(importance[stain])})" for stain in stains)
