"""What the dock "Screen" says. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari_attribution.screens.report.columns import title
from napari_attribution.screens.report.wells import why

if TYPE_CHECKING:
    from napari_attribution.desktop.screen.state import State
    from napari_attribution.screens.report.wells import Wells
    from napari_attribution.screens.results.notes import Note

NOTHING_YET = (
    "A whole plate explained: which wells the classifier calls by what, and which of its calls to doubt. Open the results of a "
    "run, run a screen, or try the sample plate."
)
HINT = "Point at a well to read it; click it to see its fields."


def marks(wells: Wells, notes: Mapping[str, Note]) -> str:
    """What the signs on the plate mean, of those that are there."""
    told = []
    rows, columns = wells.layout
    if wells.doubted.any():
        told.append("◤ flagged for the explanation")
    if (wells.flagged & ~wells.doubted).any():
        told.append("◸ flagged otherwise")
    if any(note["excluded"] is not None for note in notes.values()):
        told.append("╱ left out")
    if wells.failed.any():
        told.append("✕ not explained")
    if len(wells.positions) < rows * columns:
        told.append("▨ no image")
    return "   ".join(one.replace(" ", "\u00a0") for one in told)


def about(state: State) -> str:
    """The open well's name, what was done to it, and what the classifier says."""
    wells = state.wells
    if wells is None or not state.current:
        return ""
    rows = wells.of_well(state.current)
    row = rows[rows["field"] == state.field].iloc[0].to_dict()
    told = wells.done(state.current)
    if not isinstance(row.get("predicted"), str) or not row["predicted"]:
        return f"{told}. Not explained." if told else "Not explained."
    probability = row.get(f"probability.{row['predicted']}")
    says = f"The classifier says {row['predicted']}"
    says += f" (probability {probability:.2f})." if probability is not None else "."
    return f"{told}. {says}" if told else says


def rank(state: State) -> str:
    """ "3rd of 384 by the importance of Mito"."""
    wells = state.wells
    if wells is None or not state.current:
        return ""
    at = wells.index[state.current]
    by = title(state.column, wells.methods)
    if at not in state.ranked:
        return "not among the wells that the filter passes"
    return f"number {state.ranked.index(at) + 1} of {len(state.ranked)} by {by}"


def wrong(state: State) -> str:
    """Why the open field is flagged, and which other fields of the well are."""
    wells = state.wells
    if wells is None or not state.current:
        return ""
    rows = wells.of_well(state.current)
    told, others = "", []
    for _, row in rows.iterrows():
        sentence = why(row)
        if int(row["field"]) == state.field:
            told = sentence
        elif sentence:
            others.append(str(int(row["field"])))
    several = len(others) > 1
    also = (
        f"Field{'s' if several else ''} {', '.join(others)} of this well {'are' if several else 'is'} flagged as well."
    )
    return " ".join(part for part in (told, also if others else "") if part)
