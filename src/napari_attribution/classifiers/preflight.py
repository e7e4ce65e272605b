"""Preflight: do this classifier and this well fit? Asked before any explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.preparation.prepare import Prepared, prepare
from napari_attribution.errors import AttributionError
from napari_attribution.wells import Well
from napari_attribution.wells.quality import flaws

FAR = 6.0
"""A stain whose typical normalised pixel is farther from zero than this was not normalised as in training."""


FLAT = 0.05
"""A stain that varies less than this, where it varied by 1 in training, was not normalised as in training."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at: right (True), worth knowing (None, perhaps seriously) or wrong (False), and what to say."""

    ok: bool | None
    title: str
    sentence: str
    serious: bool = False


@dataclass(frozen=True)
class Preflight:
    """What was found, and the classifier's answer where there is one."""

    findings: tuple[Finding, ...]
    predicted: str | None
    probabilities: Mapping[str, float]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.ok is not False for finding in self.findings)


def preflight(
    classifier: Classifier, well: Well, stain_map: Mapping[str, str] | None = None, cells: npt.ArrayLike | None = None
) -> Preflight:
    """Look at stains, pixel size, pixel ranges and the classifier's answer; raises nothing that a user caused."""
    card = classifier.card
    try:
        prepared = prepare(well, card, stain_map, cells)
    except AttributionError as error:
        return Preflight((Finding(False, "Stains and size", str(error)),), None, {})
    mapped = ", ".join(a if a == b else f"{a} = {b}" for a, b in prepared.stains.items())
    findings = [
        Finding(True, "Stains", f"{len(prepared.stains)} of {len(card.stains)} found: {mapped}."),
        pixel_size(card, well),
    ]
    severity = {"refuse": False, "warn": None}
    findings += [
        Finding(severity[flaw.severity], f"Stain {flaw.stain}", flaw.sentence)
        for flaw in flaws(well)
        if flaw.stain in prepared.stains.values()
    ]
    findings += normalisation(prepared)
    try:
        scores = classifier.scores_of_many(lambda part: prepared.inputs[part], len(prepared.inputs)).mean(dim=0).cpu()
    except AttributionError as error:
        return Preflight((*findings, Finding(False, "Answer", str(error))), None, {})
    if not np.isfinite(scores.numpy()).all():
        findings.append(Finding(False, "Answer", "The scores are not numbers; check the normalisation on the card."))
        return Preflight(tuple(findings), None, {})
    probabilities = dict(zip(card.classes, scores.softmax(dim=0).tolist(), strict=True))
    predicted = max(probabilities, key=lambda name: probabilities[name])
    findings.append(Finding(True, "Answer", f"{predicted}, probability {probabilities[predicted]:.2f}."))
    findings += [Finding(None, "Network", note) for note in classifier.notes]
    return Preflight(tuple(findings), predicted, probabilities)


def pixel_size(card: ClassifierCard, well: Well) -> Finding:
    """Whether cells look as large to the classifier as they did in training."""
    want, have = card.pixel_size, well.pixel_size
    if want is None or have is None:
        who = "the card" if want is None else "the well"
        return Finding(None, "Pixel size", f"Not compared: {who} does not give one.")
    if max(have[0] / want, want / have[0], have[1] / want, want / have[1]) > 1.25:
        return Finding(
            None,
            "Pixel size",
            f"The well has {have[0]:.3g} um a pixel, the classifier was trained on {want:.3g} um: cells look "
            f"{want / have[0]:.2g} times as large to it.",
            serious=True,
        )
    return Finding(True, "Pixel size", f"{have[0]:.3g} um, trained on {want:.3g} um.")


def normalisation(prepared: Prepared) -> list[Finding]:
    """What normalisation made of each stain: far from zero in the middle, or hardly any contrast, cannot be right."""
    wrong = []
    for index, name in enumerate(prepared.stains.values()):
        pixels = prepared.inputs[:, index].numpy()
        middle = float(np.median(pixels))
        if float(pixels.std()) < FLAT:
            wrong.append(f"{name} (its contrast is {pixels.std():.2g} of that in training)")
        if abs(middle) > FAR:
            wrong.append(f"{name} (typical pixel {middle:.1f} standard deviations from the training mean)")
    if wrong:
        return [
            Finding(
                False,
                "Normalisation",
                f"After normalisation, {', '.join(wrong)}. The card's mean and std do not suit this well's pixel values "
                "(another camera, bit depth or scaling?).",
            )
        ]
    return [Finding(True, "Normalisation", "Every stain lies where the classifier expects it.")]
