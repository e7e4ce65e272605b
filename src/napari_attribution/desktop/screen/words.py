"""What the dock "Screen" says. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from napari_attribution.screens.report.columns import method_title, title
from napari_attribution.screens.report.wells import why
from napari_attribution.screens.run.choices import Choices

if TYPE_CHECKING:
    from napari_attribution.desktop.screen.run.state import Wanted
    from napari_attribution.desktop.screen.state import State
    from napari_attribution.screens.report.wells import Wells
    from napari_attribution.screens.results.notes import Note

NOTHING_YET = (
    "A whole plate explained: which wells the classifier calls by what, and which of its calls to doubt. Open the results of a "
    "run, run a screen, or try the sample plate."
)
HINT = "Point at a well to read it; click it to see its fields."


def unmatched(mapping: Mapping[str, str | None]) -> str:
    """What is to be done about the stains before a plate can be run; empty where each has its own."""
    missing = [stain for stain, own in mapping.items() if own is None]
    if missing:
        them = "it is" if len(missing) == 1 else "they are"
        return f"The plate has no stain of the name {_listed(missing)}: choose which of its stains {them}."
    own = list(mapping.values())
    twice = next((stain for stain in own if own.count(stain) > 1), None)
    return f"{twice} is chosen for more than one of the classifier's stains: choose others." if twice else ""


def twofold(choices: Choices) -> str:
    """What is to be done where both processes and a cluster are chosen; empty where not."""
    if choices.scheduler and choices.workers > 1:
        return "Choose one process, or no dask cluster: a cluster has workers of its own."
    return ""


def tried_again(failed: int) -> str:
    """On the button."""
    return f"Try {failed} failed field{'' if failed == 1 else 's'} again"


def more(wanted: Wanted) -> str:
    """What is other than usual, in a few words."""
    choices, usual = wanted.choices, Choices()
    told = [f"{choices.workers} processes"] if choices.workers > 1 else []
    told += [f"cluster {choices.scheduler}"] if choices.scheduler else []
    told += [f"{choices.in_hand} MiB"] if choices.in_hand != usual.in_hand else []
    told += ["trust is not measured"] if not choices.faithfulness else []
    told += ["no maps"] if not choices.maps else []
    own = [method_title(method) for method in wanted.methods if wanted.parameters.get(method)]
    return ", ".join([*told, *([f"parameters of {' and '.join(own)}"] if own else [])])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


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
