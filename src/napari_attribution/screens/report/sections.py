"""The sections of the report, from results to HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_attribution.errors import AttributionError
from napari_attribution.screens.report import charts
from napari_attribution.screens.report.answers import sight_of
from napari_attribution.screens.report.columns import DOUBTED, FLAGGED, method_title, title
from napari_attribution.screens.report.page import (
    as_jpeg,
    as_png,
    facts,
    figure,
    gallery,
    heading,
    image,
    paragraph,
    table,
)
from napari_attribution.screens.report.scale import PERCENTILES
from napari_attribution.screens.report.thumbnails import Light, Sight, picture, small
from napari_attribution.screens.report.told import asked, circumstances, overview
from napari_attribution.screens.report.wells import Wells, about, counted, first_field, why

if TYPE_CHECKING:
    from napari_attribution.screens.results import Results
    from napari_attribution.screens.results.notes import Note

SIDE = 320
"""Pixels of a thumbnail."""

MOST = 250
"""Wells of which the flags are told in words."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Made:
    """A title, and HTML."""

    title: str
    parts: tuple[str, ...]


def sections(results: Results, wells: Wells, column: str, method: str, each: int, progress: Progress) -> Made:
    """All sections.

    Parameters
    ----------
    results : Results
    wells : Wells
    column : str
        The number by which the wells at both ends are pictured.
    method : str
        Whose map and importances are shown.
    each : int
        Wells that are pictured of either end, and of the flagged ones.
    progress : callable
        Told of every plate and every picture; may raise to stop.
    """
    try:
        notes, unread = results.notes, ""
    except AttributionError as error:
        notes, unread = {}, str(error)
    chosen = _pictured(wells, column, each)
    shown = plates(wells, method, results.stains)
    count = len(shown) + sum(len(some) for _, some in chosen)
    done = 0

    def step() -> None:
        nonlocal done
        progress(done, count)
        done += 1

    name = str(wells.frame["plate"].iloc[0]) if len(wells.frame) and "plate" in wells.frame else results.path.name
    excluded = {well for well, note in notes.items() if note["excluded"] is not None}
    parts = [
        heading(f"Screen of {name}", 1),
        paragraph(overview(wells, notes)),
        heading("What was asked"),
        facts(asked(results.record)),
        heading("The plate"),
        paragraph(
            f"{_signs(wells, excluded)} The colours of numbers run from the {PERCENTILES[0]:.0f}nd to the "
            f"{PERCENTILES[1]:.0f}th percentile of the wells.",
            quiet=True,
        ),
        gallery([_plate(wells, one, excluded, step) for one in shown], "plates"),
        *_stains(wells, results, method),
        *_flags(wells),
        *_pictures(results, wells, chosen, column, method, step),
        *_noted(notes, unread),
        heading("With what"),
        facts(circumstances(results.record)),
    ]
    progress(count, count)
    return Made(f"Screen of {name}", tuple(parts))


def plates(wells: Wells, method: str, stains: Sequence[str]) -> list[str]:
    """The columns that are shown as plates: what was done and said, the flags, the stains, the measures of the map.

    What is the same in all wells is left out.
    """
    wanted = [
        *wells.conditions,
        "predicted",
        "margin",
        FLAGGED,
        DOUBTED,
        *(f"importance.{method}.{stain}" for stain in stains),
        *(column for column in wells.offered if column.startswith((f"map.{method}.", f"distance.{method}"))),
    ]
    return [column for column in wanted if column in wells.offered and (column == "predicted" or wells.varies(column))]


def _plate(wells: Wells, column: str, excluded: set[str], step: Callable[[], None]) -> str:
    step()
    drawn = charts.plate_chart(wells, column, excluded)
    return figure([image(as_png(drawn), f"The plate, coloured by {title(column, wells.methods)}")], "")


def _signs(wells: Wells, excluded: set[str]) -> str:
    rows, columns = wells.layout
    told = ["a dark corner: flagged for the explanation"] if wells.doubted.any() else []
    told += ["a light corner: flagged otherwise"] if (wells.flagged & ~wells.doubted).any() else []
    told += ["a stroke: left out"] if excluded else []
    told += ["a cross: could not be explained"] if wells.failed.any() else []
    told += ["hatched: no image"] if len(wells.positions) < rows * columns else []
    return f"{'; '.join(told).capitalize()}." if told else ""


def _stains(wells: Wells, results: Results, method: str) -> list[str]:
    there = [stain for stain in results.stains if f"importance.{method}.{stain}" in wells.offered]
    if not there or "predicted" not in wells.offered:
        return []
    drawn = image(as_png(charts.stains_chart(wells, method, there)), "The importance of each stain, by class", "wide")
    return [
        heading("Which stain decides"),
        paragraph(
            f"Share of the explanation that is each stain's ({method_title(method)}): the mean over the wells of a class, with "
            "one standard deviation between wells.",
            quiet=True,
        ),
        drawn,
    ]


def _flags(wells: Wells) -> list[str]:
    """How often each flag was raised, and every flagged well in words."""
    parts = [heading("What to doubt")]
    flagged = [at for at in range(len(wells.positions)) if wells.flagged[at] or wells.failed[at]]
    if not flagged:
        return [*parts, paragraph("No well is flagged.")]
    found = counted(list(wells.frame["flags"]) if "flags" in wells.frame else [])
    predicted = wells.values("predicted")
    rows = []
    for flag, count in found.items():
        of = [predicted[at] for at in flagged if flag in wells.flags(wells.positions[at])]
        shares = ", ".join(
            f"{name} {of.count(name)} of {int((predicted == name).sum())}" for name in dict.fromkeys(of) if name
        )
        rows.append((flag, about(flag), str(count), shares))
    if rows:
        parts.append(table(("flag", "about the", "wells", "by class"), rows, ("", "", "number")))
    parts.append(heading("Flagged wells", 3))
    told = []
    for at in flagged[:MOST]:
        well = wells.positions[at]
        told.append(
            (well, wells.done(well), str(predicted[at] or "-"), ", ".join(wells.flags(well)), _sentences(wells, well))
        )
    parts.append(table(("well", "what was done", "class", "flags", "why"), told, ("well",)))
    if len(flagged) > MOST:
        parts.append(paragraph(f"And {len(flagged) - MOST} more: see the column “why” of fields.parquet.", quiet=True))
    return parts


def _sentences(wells: Wells, well: str) -> str:
    """Of every field; with its number, where there are several."""
    rows = wells.of_well(well)
    told = [(int(row["field"]), why(row)) for _, row in rows.iterrows()]
    if len(told) == 1:
        return told[0][1]
    return " ".join(f"Field {field}: {sentence}" for field, sentence in told if sentence)


def _pictured(wells: Wells, column: str, each: int) -> list[tuple[str, list[int]]]:
    """Which wells are pictured, under which words."""
    ranked = [at for at in wells.order(column) if np.isfinite(float(wells.values(column)[at]))]
    by = title(column, wells.methods)
    flags = list(zip(wells.frame[DOUBTED], wells.frame[FLAGGED], strict=True))
    flagged = sorted(np.flatnonzero(wells.flagged).tolist(), key=lambda at: flags[at], reverse=True)
    return [
        (f"Highest by {by}", ranked[:each]),
        (f"Lowest by {by}", [at for at in ranked[-each:] if at not in ranked[:each]]),
        ("Flagged, those with the most flags about the explanation first", flagged[:each]),
    ]


def _pictures(
    results: Results,
    wells: Wells,
    chosen: Sequence[tuple[str, list[int]]],
    column: str,
    method: str,
    step: Callable[[], None],
) -> list[str]:
    sights: dict[int, Sight] = {}
    for _, some in chosen:
        for at in some:
            step()
            if at not in sights:
                well = wells.positions[at]
                sights[at] = small(sight_of(results, well, first_field(wells, well), method), SIDE)
    if not any(sight.shape for sight in sights.values()):
        return [heading("Wells"), paragraph("Neither the images of the plate nor the maps could be read again.")]
    light = Light.over(list(sights.values()))
    parts = [
        heading("Wells"),
        paragraph(
            f"The first field of each, and the same with the map over it ({method_title(method)}; purple speaks for the class, "
            "green against it). Contrast and colours of the map are the same in all.",
            quiet=True,
        ),
    ]
    for words, some in chosen:
        if some:
            figures = [_well(wells, at, sights[at], light, column) for at in some]
            parts += [heading(words, 3), gallery(figures, "wells pairs")]
    return parts


def _well(wells: Wells, at: int, sight: Sight, light: Light, column: str) -> str:
    well = wells.positions[at]
    drawn = [one for one in (picture(sight, light, False), picture(sight, light, True)) if one is not None]
    images = [image(as_jpeg(one), f"{well}{' with its map' if over else ''}") for over, one in enumerate(drawn)]
    told = [
        wells.done(well),
        wells.text(well, "predicted"),
        f"{title(column, wells.methods)} {wells.text(well, column)}",
        ", ".join(wells.flags(well)),
    ]
    return figure(images, f"{well}: {'; '.join(part for part in told if part)}")


def _noted(notes: Mapping[str, Note], unread: str) -> list[str]:
    parts = [heading("Notes and exclusions")]
    if unread:
        return [*parts, paragraph(unread)]
    if not notes:
        return [*parts, paragraph("Nothing was noted, and no well was left out.")]
    rows = [(well, note["note"], note["excluded"] or "") for well, note in sorted(notes.items())]
    return [*parts, table(("well", "note", "left out, because"), rows, ("well",))]
