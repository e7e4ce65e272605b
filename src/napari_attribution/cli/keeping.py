"""What explain and repeat have in common: where an answer is written to, in which form, and how it is told."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_attribution.classifiers import Classifier
    from napari_attribution.methods import Attribution
    from napari_attribution.wells import Well


def add_to(command: argparse.ArgumentParser) -> None:
    """Options that say how an answer is kept."""
    command.add_argument(
        "--out", default=".", metavar="DIR", help="where to write the map and the record (default: here)"
    )
    command.add_argument(
        "--format",
        choices=("ome-tiff", "ome-zarr"),
        default="ome-tiff",
        help="of the map: float32, with the record inside (default: %(default)s)",
    )
    command.add_argument(
        "--figure",
        choices=("png", "svg", "pdf"),
        help="also draw a figure: the well, the map over it, the stains, a caption",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def check(options: argparse.Namespace) -> None:
    """See that it can be kept so, before any work is done.

    Raises
    ------
    OutputError
        Where it cannot.
    """
    from napari_attribution.keeping.files import check_folder
    from napari_attribution.keeping.ome_zarr import check_ngio

    check_folder(Path(options.out))
    if options.format == "ome-zarr":
        check_ngio()


def keep(attribution: Attribution, well: Well, options: argparse.Namespace) -> dict[str, str]:
    """Write the answer; what is where.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    from napari_attribution.keeping.export import stem_for, write_attribution

    ending = f".{options.format.replace('-', '.')}"
    written = write_attribution(attribution, options.out, stem_for(attribution, well.name), ending)
    places = {"map": str(written.map), "record": str(written.record)}
    if options.figure:
        from napari_attribution.keeping.figure import figure, write_figure

        path = written.record.with_suffix(f".{options.figure}")
        places["figure"] = str(write_figure(figure(well, attribution), path))
    return places


def answer_as_data(attribution: Attribution, places: dict[str, str]) -> dict[str, Any]:
    """The answer for a program."""
    return {
        "class": attribution.target,
        "predicted": attribution.predicted,
        "probabilities": dict(attribution.probabilities),
        "score": {"kind": attribution.score_name, "value": attribution.score},
        "method": attribution.method,
        "channel_importance": dict(attribution.channel_importance),
        "faithfulness": dict(attribution.faithfulness),
        "trust": list(attribution.trust),
        **places,
        "seconds": round(attribution.seconds, 3),
        "device": attribution.device,
        "forwards": attribution.forwards,
        "warnings": list(attribution.warnings),
    }


def mixing_in_words(classifier: Classifier) -> str:
    """What the mixing layer weighs with which a classifier begins; empty where it has none."""
    if classifier.mixing is None:
        return ""
    ranked = sorted(zip(classifier.mixing.importance, classifier.card.stains, strict=True), reverse=True)
    shares = ", ".join(f"{stain} {share:.3f}" for share, stain in ranked)
    return f"{shares} (trained weights of the stains, as shares)"


def table(attribution: Attribution) -> str:
    """The answer for a terminal."""
    probability = attribution.probabilities[attribution.target]
    lines = [
        f"class   {attribution.target} (probability {probability:.3f}"
        + ("" if attribution.target == attribution.predicted else f"; predicted: {attribution.predicted}")
        + ")",
        f"method  {attribution.method}, {attribution.score_name} {attribution.score:.3f}",
    ]
    asked = any(attribution.channel_importance.values())
    lines.append(f"stains  {attribution.importance_meaning}{', share' if asked else ''}")
    width = max(len(stain) for stain in attribution.stains)
    ranked = sorted(attribution.channel_importance.items(), key=lambda item: -item[1]) if asked else []
    for stain, share in ranked:
        spread = attribution.channel_spread.get(stain)
        bar = "#" * round(40 * max(share, 0))
        lines.append(f"        {stain:<{width}} {share:+.3f}{f' ±{spread:.3f}' if spread is not None else ''} {bar}")
    lines += [f"trust   {sentence}" for sentence in attribution.trust]
    lines += [f"note    {warning}" for warning in attribution.warnings]
    lines.append(f"work    {attribution.seconds:.2f} s on {attribution.device}, {attribution.forwards:.1f} forwards")
    return "\n".join(lines)
