"""The results of `dcmix.py` as a page and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ABOUT = ("date", "machine", "load_average", "seconds")


def page(kept: dict[str, Any]) -> str:
    """The results as a page."""
    lines = ["# Which stain matters: DCMIX where it is known", "", "Made by `benchmarks/dcmix.py`, which says how.", ""]
    lines += ["![Importances where the order is known](dcmix.png)", ""]
    for name, found in kept.items():
        lines += [
            f"## {name}",
            "",
            f"{found['date']}, {found['machine']}; {found['seconds']} s; load average {found['load_average']['before']} "
            f"before and {found['load_average']['after']} after.",
            "",
        ]
        figures = {k: v for k, v in found.items() if k not in ABOUT}
        lines += ["| | |", "|---|---|", *(f"| {key} | {_cell(value)} |" for key, value in figures.items()), ""]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"{key}: {_cell(one)}" for key, one in value.items())
    return (
        ", ".join(f"[{_cell(one)}]" if isinstance(one, list) else str(one) for one in value)
        if isinstance(value, list)
        else str(value)
    )


def plot(kept: dict[str, Any], stains: Sequence[str], tasks: Sequence[str], file: Path) -> None:
    """Importance against what is known, and each way's Spearman."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    if "graded" in kept:
        found = kept["graded"]
        grades = found["agreement of the channels"]
        for each in found["importance of each seed"]:
            left.plot(grades, each, "o-", color="#0072b2", alpha=0.45, markersize=4)
        left.set(
            xlabel="share of examples whose digit agrees", ylabel="DCMIX importance", title="Graded channels, 5 seeds"
        )
        rhos = sorted(found["Spearman with the known order, mean"].items(), key=lambda item: item[1])
        colours = ["#0072b2" if name == "DCMIX" else "#999999" for name, _ in rhos]
        middle.barh([name for name, _ in rhos], [value for _, value in rhos], color=colours)
        middle.set(xlabel="Spearman with the known order", title="Ways to ask", xlim=(min(0, *(v for _, v in rhos)), 1))
    if "planted" in kept:
        there = [task for task in tasks if task in kept["planted"]]
        shown = np.array([kept["planted"][task]["importance"] for task in there])
        right.imshow(shown, vmin=0, vmax=1, cmap="Blues")
        right.set_xticks(range(len(stains)), stains)
        right.set_yticks(range(len(there)), [task.replace(": ", ":\n") for task in there], fontsize=8)
        for row, of_task in enumerate(shown):
            for column, share in enumerate(of_task):
                mark = "•" if stains[column] in kept["planted"][there[row]]["changed"] else ""
                ink = "w" if share > 0.5 else "k"
                right.text(column, row, f"{share:.2f}{mark}", ha="center", va="center", color=ink, fontsize=8)
        right.set_title("Drawn cells; • changed")
    else:
        right.axis("off")
    figure.savefig(file, dpi=90)
