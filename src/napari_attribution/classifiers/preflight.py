"""Preflight: do this classifier and this well fit? Asked before any explanation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.cards.io import weights_note
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.devices import find_device
from napari_attribution.classifiers.files.trial.limits import TIME_LIMIT
from napari_attribution.classifiers.heeding import heed, heeding, within
from napari_attribution.classifiers.preparation.normalisation import in_words
from napari_attribution.classifiers.preparation.prepare import Prepared, prepare
from napari_attribution.classifiers.preparation.ranges import StainRange, stain_ranges
from napari_attribution.errors import AttributionError, Cancelled
from napari_attribution.wells import Well
from napari_attribution.wells.quality import flaws

SAID = 2
"""So many stains are written about at length; of more that do not fit, the names are given."""

_REMEDY = (
    "Another camera, bit depth or scaling? Check the normalisation on the card, and that the well is of this assay."
)


@dataclass(frozen=True)
class Finding:
    """One thing looked at: right (True), worth knowing (None, perhaps seriously) or wrong (False), and what to say."""

    ok: bool | None
    title: str
    sentence: str
    serious: bool = False


@dataclass(frozen=True)
class Preflight:
    """What was found, and the classifier's answer where there is one.

    Parameters
    ----------
    findings : tuple of Finding
    predicted : str or None
        None where the classifier cannot answer.
    probabilities : mapping of class to float
    input_shape : (N, C, h, w) or None
        None where no input can be made of the well.
    normalisation : str
        How the card normalises, in words.
    ranges : tuple of C StainRange
    device : str
        Where the classifier runs, for people.
    free_bytes : int or None
        Memory free there; None where that is not known.
    cut : str
        The layer where the network is cut, its shape and by what technique; empty where it cannot be cut.
    """

    findings: tuple[Finding, ...]
    predicted: str | None
    probabilities: Mapping[str, float]
    input_shape: tuple[int, int, int, int] | None = None
    normalisation: str = ""
    ranges: tuple[StainRange, ...] = ()
    device: str = ""
    free_bytes: int | None = None
    cut: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.ok is not False for finding in self.findings)


def preflight(
    classifier: Classifier,
    well: Well,
    stain_map: Mapping[str, str] | None = None,
    cells: npt.ArrayLike | None = None,
    *,
    time_limit: float | None = TIME_LIMIT,
    cancelled: Callable[[], bool] | None = None,
) -> Preflight:
    """Look at stains, pixel size, pixel ranges and the classifier's answer; raises nothing that a user caused.

    Parameters
    ----------
    classifier : Classifier
    well : Well
    stain_map : mapping of card stain to well stain, optional
    cells : (n, 2) array, optional
        Centres (row, column) of the cells, in well pixels, for classifiers of single cells.
    time_limit : float or None
        A network that loops is stopped after so many seconds.
    cancelled : callable, optional
        Asked at every batch, and at every turn of a loop in the network; once it says True, `Cancelled` is raised.
    """
    card, device = classifier.card, find_device(classifier.device)
    unasked = Preflight((), None, {}, device=device.title, free_bytes=device.free_bytes, cut=_cut(classifier))
    try:
        prepared = prepare(well, card, stain_map, cells)
    except AttributionError as error:
        return replace(unasked, findings=(Finding(False, "Stains and size", str(error)),))
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
    ranges = stain_ranges(well, card, prepared)
    findings += normalisation(ranges)
    with heeding(within(time_limit, cancelled)):
        predicted, probabilities, answer = _answer(classifier, prepared)
    findings.append(answer)
    if predicted is not None:
        findings += [Finding(None, "Network", note) for note in classifier.notes]
    stale = weights_note(classifier.path, classifier.sha256) if classifier.path else None
    findings += [Finding(None, "Card", stale)] if stale else []
    n, c, h, w = prepared.inputs.shape
    return replace(
        unasked,
        findings=tuple(findings),
        predicted=predicted,
        probabilities=probabilities,
        input_shape=(n, c, h, w),
        normalisation=in_words(card),
        ranges=ranges,
    )


def _answer(classifier: Classifier, prepared: Prepared) -> tuple[str | None, dict[str, float], Finding]:
    """The predicted class and the probabilities, over all inputs of the well."""

    def inputs(part: slice) -> Tensor:
        heed()
        return prepared.inputs[part]

    try:
        scores = classifier.scores_of_many(inputs, len(prepared.inputs)).mean(dim=0).cpu()
    except Cancelled:
        raise
    except AttributionError as error:
        return None, {}, Finding(False, "Answer", str(error))
    if not np.isfinite(scores.numpy()).all():
        return None, {}, Finding(False, "Answer", "The scores are not numbers; check the normalisation on the card.")
    probabilities = dict(zip(classifier.classes, scores.softmax(dim=0).tolist(), strict=True))
    predicted = max(probabilities, key=lambda name: probabilities[name])
    return (
        predicted,
        probabilities,
        Finding(True, "Answer", f"{predicted}, probability {probabilities[predicted]:.2f}."),
    )


def _cut(classifier: Classifier) -> str:
    if classifier.default_layer is None:
        return ""
    layer = classifier.layer()
    shape = " x ".join(map(str, layer.shape))
    if classifier.card.size is None:
        shape = f"{layer.shape[0]} channels, a location every {layer.stride:g} pixels"
    technique = str(getattr(classifier, "technique", ""))
    return f"{layer.name}, {shape}" + (f", {technique}" if technique else "")


def pixel_size(card: ClassifierCard, well: Well) -> Finding:
    """Whether cells look as large to the classifier as they did in training."""
    want, have = card.pixel_size, well.pixel_size
    if card.mode == "resize" and card.field_size is not None and have is not None:
        return _field_size(card.field_size, (well.shape[0] * have[0], well.shape[1] * have[1]))
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


def _field_size(want: tuple[float, float], have: tuple[float, float]) -> Finding:
    """The same where whole fields are resized: then it is the field that counts, however many pixels it has."""
    said = f"{have[0]:.4g} x {have[1]:.4g} um, trained on {want[0]:.4g} x {want[1]:.4g} um"
    if all(1 / 1.25 <= there / here <= 1.25 for there, here in zip(want, have, strict=True)):
        return Finding(True, "Field size", f"{said}.")
    sentence = f"The field is {said}: cells look {want[0] / have[0]:.2g} times as large to it."
    return Finding(None, "Field size", sentence, serious=True)


def normalisation(ranges: Sequence[StainRange]) -> list[Finding]:
    """Whether every stain's range after normalisation can be what the classifier was trained on."""
    wrong = [found for found in ranges if not found.ok]
    if wrong:
        said = [found.sentence for found in wrong[:SAID]]
        rest = ", ".join(found.well_stain for found in wrong[SAID:])
        said += [f"The same goes for {rest}."] if rest else []
        return [Finding(False, "Normalisation", f"{' '.join(said)} {_REMEDY}")]
    return [Finding(True, "Normalisation", "Every stain lies where the classifier expects it.")]


def as_text(found: Preflight) -> str:
    """The input, the device, the cut and the stains' ranges, for a terminal."""
    free = "" if found.free_bytes is None or "free" in found.device else f", {found.free_bytes / 2**30:.1f} GiB free"
    lines = [f"{'device':<12} {found.device}{free}", f"{'cut':<12} {found.cut or 'none: this network cannot be cut'}"]
    if found.input_shape is None:
        return "\n".join(lines)
    n, c, h, w = found.input_shape
    lines += [
        f"{'input':<12} {n} x {c} x {h} x {w} (inputs x stains x rows x columns)",
        f"{'normalised':<12} {found.normalisation}",
    ]
    heads = ("stain", "min", "1 %", "median", "99 %", "max", "expected")
    rows: list[tuple[str, ...]] = [heads]
    for one in found.ranges:
        name = one.well_stain if one.stain == one.well_stain else f"{one.stain} = {one.well_stain}"
        expected = "" if one.expected is None else f"{one.expected[0]:.4g} to {one.expected[1]:.4g}"
        rows.append((name, *(f"{value:.4g}" for value in one.raw), expected))
        rows.append(("  normalised", *(f"{value:.3g}" for value in one.normalised), "" if one.ok else "WRONG"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines += [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)
