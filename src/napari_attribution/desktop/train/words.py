"""What the dock "Train channel importance" says. Pure functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_attribution.desktop.channels.rows import Row
from napari_attribution.desktop.widgets import figures
from napari_attribution.training.recipe import Recipe

if TYPE_CHECKING:
    from napari_attribution.desktop.train.course import Course
    from napari_attribution.training.answers.answer import TrainedClassifier
    from napari_attribution.training.labelling.preview import Preview

NOTHING_YET = (
    "Which stain carries a phenotype? A classifier is trained on labelled wells, with a layer in front of it that mixes the stains "
    "into one image; the weights that it learns are the answer. Choose a plate and say what its wells are, or try the "
    "sample plate."
)
SEEDS: int = Recipe.model_fields["seeds"].get_default()

MIXED, ALL = "dcmix", "all stains"
"""Names of networks; any other is that of a stain."""

COLUMNS = (
    ("accuracy alone", "Accuracy, on wells held out, of the same network trained on this stain alone"),
    ("Shapley", "What the stain adds to the trained network's score, on average over all orders of putting stains in"),
    (
        "permutation",
        "What the trained network's score loses when the stain's pixels are shuffled in place; below zero, the noise that this "
        "makes speaks for the class",
    ),
)
"""What stands beside the bars, each with its tooltip."""


def network(name: str) -> str:
    """A network's name for people."""
    return {MIXED: "DCMIX", ALL: "all stains"}.get(name, f"{name} alone")


def counts(found: Preview) -> str:
    """The classes, with their wells and fields, on which plates, and what was left out."""
    lines = [
        f"{label}: {_count(wells, 'well')}, {_count(found.fields[label], 'field')}"
        for label, wells in found.wells.items()
    ]
    if len(found.plates) > 1:
        lines.append(f"On {len(found.plates)} plates: {', '.join(found.plates)}.")
    return "\n".join([*lines, *found.notes])


def nobody_said(plates: int) -> str:
    """That a class is needed, and how it can be told."""
    where = "with a column well, one for the class, and one named plate where the plates differ" if plates > 1 else ""
    return f"Nobody said what the wells are: choose a CSV of the conditions, {where or 'with a column well and one for the class'}."


def told(course: Course, now: float, seeds: int, first_seed: int) -> str:
    """ "DCMIX, seed 2 of 3, epoch 5; right on 94 % of the validation fields. At most 2 min left."."""
    if not course.phase:
        return "Getting ready ..."
    if course.phase == "training" and course.network:
        said = network(course.network)
        if seeds > 1:
            said += f", seed {course.seed - first_seed + 1} of {seeds}"
        if course.epoch:
            said += f", epoch {course.epoch}"
        if course.accuracy is not None:
            said += f"; right on {100 * course.accuracy:.0f} % of the validation fields"
    else:
        doing = {"reading": "Reading", "measuring": "Asking the trained network", "training": "Training"}[course.phase]
        thing = {"reading": "fields", "measuring": "wells", "training": "epochs"}[course.phase]
        said = f"{doing}: {course.done} of {course.total} {thing}" if course.total else f"{doing} ..."
    left = course.left(now)
    if left is None or course.done >= course.total:
        return f"{said}."
    most = "at most " if course.phase == "training" else ""
    return f"{said}. {(most + figures.duration(left)).capitalize()} left."


def live_rows(stains: tuple[str, ...], course: Course) -> tuple[Row, ...]:
    """The bars while it is trained: in the order of the stains, so that they do not jump."""
    shares = course.importance
    return tuple(map(Row, stains, shares)) if shares is not None and len(shares) == len(stains) else ()


def rows(answer: TrainedClassifier) -> tuple[Row, ...]:
    """The bars of the answer, the largest first; a spread where there are several seeds."""
    several = len(answer.importances) > 1
    found = [
        Row(stain, float(share), float(spread) if several else None)
        for stain, share, spread in zip(answer.card.stains, answer.importance, answer.spread, strict=True)
    ]
    return tuple(sorted(found, key=lambda row: -row.share))


def headline(answer: TrainedClassifier) -> str:
    """ "GFP carries the classes: 82 % ± 3."."""
    first = rows(answer)[0]
    return f"{first.stain} matters most ({first.figure})."


def accuracies(answer: TrainedClassifier) -> str:
    """How good the network is, beside the same one on all stains."""
    named = [(network(name), answer.accuracy[name]) for name in (MIXED, ALL) if name in answer.accuracy]
    said = ", ".join(f"{name} {percent(values)}" for name, values in named)
    seeds, wells = len(answer.importances), round(sum(answer.held_out) / len(answer.held_out))
    over = f"mean ± standard deviation of {seeds} seeds" if seeds > 1 else "one seed"
    return f"Right on {wells} wells held out ({over}): {said}, by chance {100 * answer.chance:.0f} %."


def beside(answer: TrainedClassifier) -> dict[str, tuple[str, ...]]:
    """By stain, what stands in `COLUMNS`."""
    shapley, permutation = _shares(answer.shapley), _shares(answer.permutation)
    return {
        stain: (
            percent(answer.accuracy[stain]) if stain in answer.accuracy else "–",
            _share(shapley, at),
            _share(permutation, at),
        )
        for at, stain in enumerate(answer.card.stains)
    }


def table(answer: TrainedClassifier) -> str:
    """Tab-separated, a line a stain under the names of the columns, for a spreadsheet."""
    lines = [("stain", "importance", "spread", "accuracy alone", "shapley", "permutation")]
    for at, stain in enumerate(answer.card.stains):
        alone = float(np.nanmean(answer.accuracy[stain])) if stain in answer.accuracy else None
        numbers = (
            answer.importance[at],
            answer.spread[at],
            alone,
            _at(answer.shapley, at),
            _at(answer.permutation, at),
        )
        lines.append((stain, *(_number(value) for value in numbers)))
    for name in (MIXED, ALL):
        if name in answer.accuracy:
            lines.append((network(name), "", "", _number(float(np.nanmean(answer.accuracy[name]))), "", ""))
    return "\n".join("\t".join(line) for line in lines) + "\n"


def percent(values: npt.ArrayLike) -> str:
    """ "94 % ± 3"; of a single value "94 %". NaN, of a training that failed, does not count."""
    found = 100 * np.asarray(values, dtype=float).ravel()
    found = found[np.isfinite(found)]
    spread = f" ± {found.std(ddof=1):.0f}" if found.size > 1 else ""
    return f"{found.mean():.0f} %{spread}" if found.size else "–"


def _shares(values: npt.ArrayLike | None) -> npt.NDArray[np.float64] | None:
    """Values of the stains as shares of all of them, with their signs."""
    if values is None:
        return None
    found = np.asarray(values, dtype=float)
    total = np.abs(found).sum()
    return found / total if total > 0 else found


def _share(values: npt.NDArray[np.float64] | None, at: int) -> str:
    return "–" if values is None or not math.isfinite(values[at]) else f"{round(100 * values[at])} %".replace("-", "−")


def _at(values: npt.ArrayLike | None, at: int) -> float | None:
    return None if values is None else float(np.asarray(values, dtype=float)[at])


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' * (number != 1)}".replace(",", "\u2009")
