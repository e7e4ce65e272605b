"""What the command train says: before, while, and after a classifier is trained."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_attribution.training.answers.answer import TrainedClassifier
    from napari_attribution.training.labelling.preview import Preview
    from napari_attribution.training.network.moment import Moment


def told(preview: Preview) -> str:
    """The preview for a terminal."""
    lines = [
        f"class     {name}: {wells} well{'s' * (wells != 1)}, {preview.fields[name]} field{'s' * (preview.fields[name] != 1)}"
        for name, wells in preview.wells.items()
    ]
    lines += [f"plates    {', '.join(preview.plates)}"] if len(preview.plates) > 1 else []
    lines += [f"stains    {', '.join(preview.stains)}", f"labels    {preview.source}"]
    lines += [f"note      {note}" for note in preview.notes]
    return "\n".join([*lines, *(f"warning   {warning}" for warning in preview.warnings)])


class Progress:
    """What a training tells, on a terminal's one line for each network; elsewhere, a line when it is over."""

    def __init__(self, stains: Sequence[str]) -> None:
        self._stains = stains
        self._terminal = sys.stderr.isatty()
        self._of: tuple[str, str, int] | None = None
        self._line = ""

    def __call__(self, moment: Moment) -> None:
        of = (moment.phase, moment.network, moment.seed)
        if of != self._of:
            self.end()
            self._of = of
        self._line = self._said(moment)
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{self._line[:width]:<{width}}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave what was said last."""
        if self._line:
            print("" if self._terminal else self._line, file=sys.stderr, flush=True)
        self._line = ""

    def _said(self, moment: Moment) -> str:
        if moment.phase != "training":
            return f"{moment.phase:<9} {moment.done:,} of {moment.total:,}"
        if moment.training_loss is None:
            return f"seed {moment.seed:<4} {moment.network}, first epoch"
        said = (
            f"seed {moment.seed:<4} {moment.network}, epoch {moment.epoch}: loss {moment.training_loss:.3f}, validation "
            f"{moment.validation_loss:.3f}, accuracy {moment.accuracy:.0%}"
        )
        if moment.importance is None:
            return said
        shares = zip(self._stains, moment.importance, strict=True)
        return f"{said}  {'  '.join(f'{stain} {bar(share, 10)} {share:.2f}' for stain, share in shares)}"


def bar(share: float, length: int = 30) -> str:
    """A share as a bar."""
    return "#" * round(length * share)


def table(answer: TrainedClassifier, weights: Path) -> str:
    """The answer for a terminal: the stains by their importance, what the networks are worth, and what is doubtful."""
    alone = [f"{_mean(answer.accuracy[stain]):.0%}" if stain in answer.accuracy else "" for stain in answer.stains]
    rows = [("stain", "importance", "spread", "alone", "Shapley", "permuted", "")]
    order = [answer.stains.index(stain) for stain in answer.ranking]
    rows += [
        (
            answer.stains[c],
            f"{answer.importance[c]:.3f}",
            f"±{answer.spread[c]:.3f}" if len(answer.importances) > 1 else "",
            alone[c],
            f"{answer.shapley[c]:+.2f}",
            f"{answer.permutation[c]:+.2f}",
            bar(answer.importance[c]),
        )
        for c in order
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [
        f"accuracy  {name}: {_mean(answer.accuracy[name]):.1%}"
        for name in ("dcmix", "all stains")
        if name in answer.accuracy
    ]
    wells, seeds = min(answer.held_out), len(answer.importances)
    lines.append(
        f"          by well, on {wells} held out, mean of {seeds} seed{'s' * (seeds != 1)}; chance: {answer.chance:.0%}"
    )
    lines += [f"note      {note}" for note in answer.record["notes"]]
    lines += [f"warning   {warning}" for warning in answer.warnings]
    return "\n".join([*lines, f"written   {weights}, its .pt2, card and .training.json"])


def as_data(answer: TrainedClassifier, weights: Path) -> dict[str, Any]:
    """The answer for a program; what is not known is null."""
    return {
        "classifier": str(weights),
        "classes": list(answer.classes),
        "seeds": list(answer.seeds),
        "importance": _by_stain(answer, answer.importance),
        "spread": _by_stain(answer, answer.spread),
        "shapley": _by_stain(answer, answer.shapley),
        "permutation": _by_stain(answer, answer.permutation),
        "accuracy": {name: [_number(value) for value in values] for name, values in answer.accuracy.items()},
        "held_out_wells": list(answer.held_out),
        "chance": answer.chance,
        "warnings": list(answer.warnings),
        "notes": list(answer.record["notes"]),
        "device": answer.record["device"],
        "seconds": answer.record["seconds"],
    }


def _by_stain(answer: TrainedClassifier, values: Iterable[float]) -> dict[str, float | None]:
    return {stain: _number(value) for stain, value in zip(answer.stains, values, strict=True)}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan
