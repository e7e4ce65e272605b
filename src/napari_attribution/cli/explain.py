"""napari-attribution explain: why does a classifier call a well a hit?"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.cli import arguments
from napari_attribution.errors import RequestError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_attribution.methods import Attribution


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser's."""
    from napari_attribution.methods.catalogue import METHODS, REFERENCES

    command = commands.add_parser("explain", help="explain a classifier's call of a well")
    command.add_argument("well", help="image file, or a folder or one file of a well with a file per stain")
    command.add_argument("--classifier", required=True, metavar="FILE", help="TorchScript or .pt2 file")
    command.add_argument(
        "--method",
        default="pixel-ablation-cam",
        help=f"one of {', '.join(METHODS)} (default: %(default)s); or what they are measured against: {', '.join(REFERENCES)}",
    )
    command.add_argument("--target", metavar="CLASS", help="class to explain (default: the predicted one)")
    command.add_argument("--against", metavar="CLASS", help="the other class, with --score contrast")
    command.add_argument("--layer", help="where to cut the network, see 'check'")
    command.add_argument("--score", default="logit", help="logit, probability or contrast (default: logit)")
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the method, such as steps=20"
    )
    command.add_argument(
        "--cells", metavar="FILE", help="centres of the cells, a row,column a line, for single-cell classifiers"
    )
    command.add_argument("--accept-flaws", action="store_true", help="explain although a stain is empty or saturated")
    command.add_argument(
        "--no-faithfulness",
        action="store_true",
        help="do not find out how much of the score the map's top 20 %% carries (it takes four forwards an input)",
    )
    command.add_argument(
        "--out", default=".", metavar="DIR", help="where to write the map and the record (default: here)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    arguments.reads_a_well(command)
    arguments.loads_a_classifier(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from napari_attribution.classifiers import load_classifier
    from napari_attribution.faithfulness.explain import explain
    from napari_attribution.keeping.export import stem_for, write_attribution
    from napari_attribution.keeping.files import check_folder
    from napari_attribution.methods.explain import check_parameters, find_method

    out = check_folder(Path(options.out))
    parameters = _parameters(options.set)
    if options.layer is not None:
        parameters["layer"] = options.layer
    check_parameters(find_method(options.method), parameters)
    well = arguments.well(options)
    classifier = load_classifier(
        options.classifier, device=options.device, card=options.card, time_limit=options.time_limit or None
    )
    attribution = explain(
        classifier,
        well,
        options.method,
        options.target,
        options.score,
        against=options.against,
        stain_map=arguments.pairs(options.map, "--map"),
        cells=_cells(options.cells),
        accept_flaws=options.accept_flaws,
        faithfulness=not options.no_faithfulness,
        progress=_progress(),
        **parameters,
    )
    stem = stem_for(attribution, well.name)
    written = write_attribution(attribution, out, stem)
    if options.json:
        answer = {
            "class": attribution.target,
            "predicted": attribution.predicted,
            "probabilities": dict(attribution.probabilities),
            "score": {"kind": attribution.score_name, "value": attribution.score},
            "method": attribution.method,
            "channel_importance": dict(attribution.channel_importance),
            "faithfulness": dict(attribution.faithfulness),
            "trust": list(attribution.trust),
            "map": str(written.map),
            "record": str(written.record),
            "seconds": round(attribution.seconds, 3),
            "device": attribution.device,
            "forwards": attribution.forwards,
            "warnings": list(attribution.warnings),
        }
        print(json.dumps(answer))
    else:
        print(_table(attribution))
        print(f"map     {written.map}\nrecord  {written.record}")
    return 0


def _progress() -> Callable[[int, int], None]:
    """Tells a person at a terminal how far it is, once it has taken two seconds."""
    started = shown = time.monotonic()
    last = (-1, -1)

    def report(done: int, total: int) -> None:
        nonlocal shown, last
        now = time.monotonic()
        if (done, total) == last or not sys.stderr.isatty():
            return
        if now - started > 2 and (now - shown > 0.2 or done == total):
            shown, last = now, (done, total)
            print(
                f"\r{100 * done / max(total, 1):3.0f} %", end="\n" if done == total else "", file=sys.stderr, flush=True
            )

    return report


def _cells(path: str | None) -> npt.NDArray[np.float64] | None:
    """The cells' centres from a table of row,column lines."""
    if path is None:
        return None
    import numpy as np

    try:
        return np.loadtxt(path, delimiter=",", ndmin=2, usecols=(0, 1))
    except (OSError, ValueError, IndexError) as error:
        raise RequestError(
            f"--cells takes a file with one row,column a line, in well pixels, without a heading: {path} is not so ({error})."
        ) from None


def _table(attribution: Attribution) -> str:
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


def _parameters(settings: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE pairs as plain values; a value is read as JSON where it is JSON."""
    values: dict[str, Any] = {}
    for name, text in arguments.pairs(settings, "--set").items():
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values
