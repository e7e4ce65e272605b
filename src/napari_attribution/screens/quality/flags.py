"""The flags: what is wrong with a field, its explanation, its call or its place on the plate, each as data.

A limit is absolute where a measure's definition allows it: where all hits of a plate are called by its shadows, none stands
out from the others. Where it does not (how sharp is sharp depends on the stain), a field is held against the plate.

What the flags are about:

- *explanation*: the map or the stains' importances. Only these tell a classifier that decides by a shadow from one that
  sees the same shadow and does not mind.
- *image*: the pixels, whatever the classifier makes of them.
- *call*: how near the classifier was to another class.
- *plate*: where the well lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

About = Literal["explanation", "image", "call", "plate"]


@dataclass(frozen=True)
class Flag:
    """One thing that can be wrong.

    Parameters
    ----------
    name : str
        Short, as it stands in the table's column `flags`.
    about : str
        "explanation", "image", "call" or "plate".
    before, after : str
        The columns that it looks at: those whose names begin and end so; what stands between is `{names}` (a method, a stain).
    limit : float
        Beyond it is too much.
    side : str
        "above", "below", or "beyond" on either side of 0.
    sentence : str
        With `{names}` of all columns beyond the limit; `{name}`, `{value}` and `{middle}` (what it is held
        against, the plate's median or the cells) of the one that is so the farthest.
    against : str
        What the limit is a part or multiple of: "" for itself, "plate" for the plate's median, "cells" for the share of the
        field that cells cover.
    spreads : float
        How many standard deviations from the plate's median (estimated by the median absolute deviation) it must be, too.
    of_method : mapping of method to float
        Limits of single methods, where they differ.
    """

    name: str
    about: About
    before: str
    limit: float
    sentence: str
    after: str = ""
    side: Literal["above", "below", "beyond"] = "above"
    against: Literal["", "plate", "cells"] = ""
    spreads: float = 0.0
    of_method: Mapping[str, float] = field(default_factory=dict)

    def limit_of(self, between: str) -> float:
        """The limit for the column with this method or stain in the middle of its name."""
        return self.of_method.get(between, self.limit)


EDGE = {"pixel-ablation-cam": 0.33, "fused-ablation-cam": 0.42}
"""Limits for the maps of methods that lean nowhere by themselves: chosen between a sound and a confounded classifier's
(`benchmarks/screen_quality.py`). PCIM's stands by one region, which is at the edge often enough by chance."""

FLAGS = (
    Flag(
        "map at the edge",
        "explanation",
        "map.",
        0.85,
        "{value:.0%} of the map ({name}) lies in the outermost 5 % of the field, where 19 % would lie by chance (the plate's "
        "median: {middle:.0%}): the call may rest on the edge.",
        after=".edge",
        of_method=EDGE,
    ),
    Flag(
        "map beside the cells",
        "explanation",
        "map.",
        0.75,
        "Only {value:.0%} of the map ({name}) lies in cells, which cover {middle:.0%} of the field: the call may rest on what "
        "is between them.",
        after=".inside",
        side="below",
        against="cells",
    ),
    Flag(
        "map on saturated pixels",
        "explanation",
        "map.",
        0.25,
        "{value:.0%} of the map ({name}) lies in pixels that are saturated, where differences are lost.",
        after=".saturated",
    ),
    Flag(
        "map on empty pixels",
        "explanation",
        "map.",
        0.1,
        "{value:.0%} of the map ({name}) lies in pixels where no stain shows anything: the call may rest on a gap in the image.",
        after=".empty",
    ),
    Flag(
        "methods disagree",
        "explanation",
        "map.",
        0.1,
        "The map of {name} has little in common with that of the first method (rank correlation {value:.2f}; the plate's "
        "median: {middle:.2f}): trust neither alone.",
        after=".agreement",
        side="below",
    ),
    Flag(
        "unusual stains",
        "explanation",
        "distance.",
        6.0,
        "The stains count otherwise than in the other fields of this class ({name}: {value:.1f} standard deviations; the "
        "plate's median: {middle:.1f}).",
    ),
    Flag(
        "close call",
        "call",
        "margin",
        0.6931,
        "The call is close: the runner-up has more than half the probability of the class that won (logits {value:.2f} apart; "
        "the plate's median: {middle:.2f}).",
        side="below",
    ),
    Flag(
        "out of focus",
        "image",
        "quality.focus.",
        0.5,
        "{names} out of focus: the variance of the Laplacian of {name} is {value:.3g} (the plate's median: {middle:.3g}).",
        side="below",
        against="plate",
        spreads=5,
    ),
    Flag(
        "out of focus",
        "image",
        "quality.slope.",
        1.25,
        "{names} out of focus: the power spectrum of {name} falls with the slope {value:.2f} (the plate's median: "
        "{middle:.2f}).",
        side="below",
        against="plate",
        spreads=5,
    ),
    Flag(
        "saturated",
        "image",
        "quality.saturated.",
        0.005,
        "{names} saturated: {value:.1%} of the pixels of {name} share its largest value (the plate's median: {middle:.1%}).",
    ),
    Flag(
        "uneven light",
        "image",
        "quality.illumination.",
        0.9,
        "{names} unevenly lit: where it is darkest between the cells, {name} has {value:.0%} of the light of the brightest "
        "place (the plate's median: {middle:.0%}).",
        side="below",
        against="plate",
        spreads=5,
    ),
    Flag(
        "row effect",
        "plate",
        "row_effect",
        2.0,
        "The wells of this row are called otherwise than the plate's ({value:+.1f} standard deviations), and it is not known "
        "that they were treated otherwise.",
        side="beyond",
    ),
    Flag(
        "column effect",
        "plate",
        "column_effect",
        2.0,
        "The wells of this column are called otherwise than the plate's ({value:+.1f} standard deviations), and it is not known "
        "that they were treated otherwise.",
        side="beyond",
    ),
    Flag(
        "edge effect",
        "plate",
        "edge_effect",
        2.0,
        "The wells at the rim of the plate are called otherwise than the plate's ({value:+.1f} standard deviations), and it is "
        "not known that they were treated otherwise.",
        side="beyond",
    ),
)


def about(name: str) -> About:
    """What the flag of that name is about.

    Raises
    ------
    KeyError
        Where there is none.
    """
    return {flag.name: flag.about for flag in FLAGS}[name]
