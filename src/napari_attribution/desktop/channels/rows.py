"""What the dock shows of the stains, as plain data: one row a stain, sorted. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_attribution.desktop.explain import words
from napari_attribution.desktop.layers.bars import bar_label
from napari_attribution.methods.attribution import Attribution

if TYPE_CHECKING:
    from napari_attribution.desktop.explain.mixed import Mixed
    from napari_attribution.methods.answers.explained import Explained
    from napari_attribution.methods.channels.importance import ChannelImportance

Value = tuple[float, str]
"""A number and its unit."""

SHUFFLED = "what the score loses when the stain's pixels are shuffled"
"""The meaning of the values that say what changes, and not who speaks for the class."""

COLUMNS = (
    "stain",
    "share",
    "spread",
    "value",
    "unit",
    "brightness alone",
    "meaning",
    "class",
    "score",
    "well",
    "about",
)


@dataclass(frozen=True)
class Row:
    """What one stain counts for.

    Parameters
    ----------
    stain : str
    share : float
        Signed; NaN where there is no number.
    spread : float, optional
        One standard deviation of the share.
    brightness : float, optional
        The share that the stain's brightness alone would give it.
    value : (float, str), optional
        The same as `share` as a number with its unit, where that is known.
    sentence : str
        What is concluded of the stain beside its brightness; empty where nothing is.
    """

    stain: str
    share: float
    spread: float | None = None
    brightness: float | None = None
    value: Value | None = None
    sentence: str = ""

    @property
    def figure(self) -> str:
        """ "71 % ± 3"."""
        if not math.isfinite(self.share):
            return "no number"
        return bar_label("", self.share, self.spread).strip()

    @property
    def told(self) -> str:
        """All that is known of the stain, in a line or two."""
        if self.sentence:
            return f"{self.stain}: {self.figure}. {self.sentence}"
        worth = f", {self.value[0]:+.3g} {self.value[1]}".replace("-", "−") if self.value else ""
        return f"{self.stain}: {self.figure}{worth}."


def rows_of_answer(attribution: Attribution, values: Mapping[str, Value]) -> tuple[Row, ...]:
    """The stains as they were computed with the map.

    Parameters
    ----------
    attribution : Attribution
    values : mapping of stain to (float, str)
        See `values_of`.
    """
    spread = attribution.channel_spread
    return _sorted(
        Row(stain, share, _finite(spread.get(stain)), value=values.get(stain))
        for stain, share in attribution.channel_importance.items()
    )


def values_of(explained: Explained) -> dict[str, Value]:
    """The stains' importance in the score's unit; empty where the method has it in a unit of its own."""
    from napari_attribution.methods.channels.values import ESTIMATORS

    results = explained.results
    if results[0].importance_meaning not in {estimator.meaning for estimator in ESTIMATORS.values()}:
        return {}
    unit = explained.problems[0].score.unit
    mean = sum(result.importance.double() for result in results) / len(results)
    return {stain: (float(value), unit) for stain, value in zip(explained.attribution.stains, mean, strict=True)}


def rows_of_estimate(importance: ChannelImportance) -> tuple[Row, ...]:
    """The stains by an estimator, beside what their brightness alone explains."""
    total = float(abs(importance.mean).sum())
    sentences = importance.sentences or ("",) * len(importance.stains)
    rows = []
    for c, stain in enumerate(importance.stains):
        value = float(importance.mean[c])
        spread = float(importance.spread[c])
        rows.append(
            Row(
                stain,
                float(importance.shares[c]),
                spread / total if total > 0 and spread > 0 else None,
                _brightness(importance, c) / total if importance.null is not None and total > 0 else None,
                (value, importance.unit),
                re.sub(r"(?<= )-(?=\d)", "−", sentences[c]),
            )
        )
    return _sorted(rows)


TRAINED = "weight of the stain in the classifier's mixing layer (DCMIX), learned with the classifier"
"""The meaning of the trained weights."""


def rows_of_mixing(mixed: Mixed, names: Mapping[str, str | None]) -> tuple[Row, ...]:
    """The stains by the trained weights of a mixing layer.

    Parameters
    ----------
    mixed : Mixed
    names : mapping of the card's stains to the well's
        Those that are not in it keep the card's name.
    """
    spreads = mixed.spread or (None,) * len(mixed.stains)
    return _sorted(
        Row(names.get(stain) or stain, share, spread)
        for stain, share, spread in zip(mixed.stains, mixed.importance, spreads, strict=True)
    )


def _brightness(importance: ChannelImportance, c: int) -> float:
    """The larger of the two nulls in the direction of the value: what the value must exceed to be beyond its brightness."""
    assert importance.null is not None
    nulls = (float(importance.null.mean[c]), float(importance.null.flat[:, c].mean()))
    return max(nulls) if importance.mean[c] >= 0 else min(nulls)


def with_estimate(attribution: Attribution, importance: ChannelImportance) -> Attribution:
    """The answer with the stains' importance by an estimator in place of its own, for the words and the layer of the bars."""
    rows = rows_of_estimate(importance)
    how = {"estimator": importance.estimator, "fill": importance.fill, "seeds": importance.seeds}
    return replace(
        attribution,
        channel_importance={row.stain: row.share for row in rows},
        channel_spread={row.stain: row.spread for row in rows if row.spread is not None},
        importance_meaning=importance.meaning,
        record={**attribution.record, "stains' importance": how},
    )


def conclusions(importance: ChannelImportance) -> tuple[str, ...]:
    """Which stains count for more than their brightness, and which do not: a sentence a kind."""
    kinds = {
        "beyond": "Beyond what brightness alone explains: {}.",
        "brightness": "No more than brightness alone explains: {}.",
        "unclear": "Not to be told from brightness: {}.",
        "nothing": "Counting for nothing: {}.",
    }
    said = []
    for verdict, words_ in kinds.items():
        stains = [
            stain for stain, found in zip(importance.stains, importance.verdicts, strict=False) if found == verdict
        ]
        said += [words_.format(", ".join(stains))] if stains else []
    return tuple(said)


def well_name(record: Mapping[str, Any]) -> str:
    """What the well of a record is called: its position and field, else its file."""
    well = record.get("well") or {}
    if well.get("position"):
        field = well.get("field")
        return f"{well['position']}" + (f" field {field}" if field is not None else "")
    source = [str(one).replace("\\", "/").rsplit("/", 1)[-1] for one in well.get("source") or ()]
    return re.sub(r"(\.ome)?\.tiff?$", "", source[0], flags=re.IGNORECASE) if source else "the well"


def table(rows: tuple[Row, ...], attribution: Attribution, about: str) -> str:
    """Tab-separated, a line a stain under the names of the columns, for a spreadsheet.

    Parameters
    ----------
    rows : tuple of Row
    attribution : Attribution
        Whose meaning, class, score and well they are.
    about : str
        "the whole well", or a part of it.
    """
    fixed = (
        attribution.importance_meaning,
        attribution.target,
        attribution.score_name,
        well_name(attribution.record),
        about,
    )
    return _lines(rows, fixed)


def table_of_mixing(rows: tuple[Row, ...], file: str) -> str:
    """The same of the trained weights of a classifier's file."""
    return _lines(rows, (TRAINED, "", "", "", f"all wells, {file}"))


def _lines(rows: tuple[Row, ...], fixed: tuple[str, ...]) -> str:
    lines = [COLUMNS]
    for row in rows:
        value, unit = row.value or (None, "")
        numbers = (_number(row.share), _number(row.spread), _number(value), unit, _number(row.brightness))
        lines.append((row.stain, *numbers, *fixed))
    return "\n".join("\t".join(" ".join(cell.split()) for cell in line) for line in lines) + "\n"


def headline(attribution: Attribution, rows: tuple[Row, ...]) -> str:
    """Who decides; of shuffled pixels, what changes most."""
    if attribution.importance_meaning != SHUFFLED or not rows:
        return words.headline(attribution)
    most = max(rows, key=lambda row: abs(row.share) if math.isfinite(row.share) else 0.0)
    return f"Shuffling {most.stain} changes the score most ({most.figure})."


def has_importance(attribution: Attribution) -> bool:
    """Whether the answer says anything of the stains."""
    return any(attribution.channel_importance.values())


def caption(attribution: Attribution, whole: bool) -> str:
    """What the bars are about: the question, the well, and whether it is all of it."""
    why, well = words.why(attribution), well_name(attribution.record)
    if attribution.place is None:
        return f"{why[0].upper()}{why[1:]}, in {well}."
    return f"{why[0].upper()}{why[1:]}, in {'the whole of ' if whole else f'{attribution.place.name} of '}{well}."


def _sorted(rows: Any) -> tuple[Row, ...]:
    """The stain that speaks most for the class first, what is no number last."""
    return tuple(sorted(rows, key=lambda row: -row.share if math.isfinite(row.share) else math.inf))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4g}"
