"""The command line: explain, check, card. Wrong input ends with one sentence and exit code 2, never a traceback."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.errors import AttributionError, RequestError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_attribution.methods import Attribution
    from napari_attribution.wells import Well


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 does not fit (check), 2 wrong input."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "±" is no reason to fail
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except AttributionError as error:
        print(f"napari-attribution: {error}", file=sys.stderr)
    except BrokenPipeError:
        # Whoever read the output has had enough; nothing may be written on the way out either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("napari-attribution: stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        if os.environ.get("NAPARI_ATTRIBUTION_DEBUG"):
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        print(
            f"napari-attribution: something unexpected went wrong ({what}). Please report it; with the environment variable "
            "NAPARI_ATTRIBUTION_DEBUG=1 set, the details are shown.",
            file=sys.stderr,
        )
    return 2


def _explain(options: argparse.Namespace) -> int:
    from napari_attribution.classifiers import load_classifier
    from napari_attribution.methods import explain
    from napari_attribution.methods.explain import check_parameters, find_method
    from napari_attribution.methods.export import check_folder, write_attribution

    out = check_folder(Path(options.out))
    parameters = _parameters(options.set)
    if options.layer is not None:
        parameters["layer"] = options.layer
    check_parameters(find_method(options.method), parameters)
    well = _well(options)
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
        stain_map=_pairs(options.map, "--map"),
        cells=_cells(options.cells),
        accept_flaws=options.accept_flaws,
        progress=_progress(),
        **parameters,
    )
    stem = "_".join((well.name, attribution.method, attribution.target)).replace(" ", "-").replace("/", "-")
    written = write_attribution(attribution, out, stem)
    if options.json:
        answer = {
            "class": attribution.target,
            "predicted": attribution.predicted,
            "probabilities": dict(attribution.probabilities),
            "score": {"kind": attribution.score_name, "value": attribution.score},
            "method": attribution.method,
            "channel_importance": dict(attribution.channel_importance),
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


def _check(options: argparse.Namespace) -> int:
    from napari_attribution.classifiers import load_classifier
    from napari_attribution.classifiers.preflight import as_text, preflight

    classifier = load_classifier(
        options.classifier, device=options.device, card=options.card, time_limit=options.time_limit or None
    )
    card = classifier.card
    size = "any size" if card.size is None else f"{card.size[0]} x {card.size[1]} pixels"
    print(f"{classifier.name}: a TorchScript classifier, on {classifier.device}")
    print(f"  stains   {', '.join(card.stains)}")
    print(f"  classes  {', '.join(card.classes)}")
    print(f"  input    {size}, mode {card.mode}")
    print(f"  gradients {'yes' if classifier.gradients else 'no'}")
    for note in classifier.notes:
        print(f"  note     {note}")
    if classifier.layers:
        print("  layers (* the default; channels x rows x columns)")
    for layer in classifier.layers:
        if layer.block or options.all_layers:
            mark = "*" if layer.name == classifier.default_layer else " "
            print(f"   {mark} {layer.name:<32} {' x '.join(map(str, layer.shape)):<16} stride {layer.stride:g}")
    hidden = sum(not layer.block for layer in classifier.layers)
    if hidden and not options.all_layers:
        print(f"     and {hidden} inside blocks (--all-layers)")
    if options.well is None:
        return 0
    found = preflight(classifier, _well(options), _pairs(options.map, "--map"))
    print(as_text(found))
    for finding in found.findings:
        mark = {True: "ok  ", None: "note", False: "WRONG"}[finding.ok]
        print(f"{mark:<5} {finding.title}: {finding.sentence}")
    return 0 if found.ok else 1


def _card(options: argparse.Namespace) -> int:
    from napari_attribution.classifiers.cards.card import ClassifierCard
    from napari_attribution.classifiers.cards.io import write_card

    size = None
    if options.size is not None:
        numbers = options.size.replace("x", ",").split(",")
        if len(numbers) not in (1, 2) or not all(number.strip().isdecimal() for number in numbers):
            raise RequestError(f"--size takes height,width in whole pixels, found {options.size!r}.")
        size = (int(numbers[0]), int(numbers[-1]))
    stains = [name for name in options.stains.split(",") if name.strip()]
    card = ClassifierCard(
        stains=stains,
        classes=options.classes,
        size=size,
        mode=options.mode or ("resize" if size else "whole"),
        overlap=options.overlap,
        **_normalisation(options, len(stains)),
        background=None if options.background is None else _numbers(options.background, "--background"),
        pixel_size=options.pixel_size,
        name=options.name or Path(options.classifier).stem,
        description=options.description,
    )
    print(write_card(card, Path(options.classifier), Path(options.out) if options.out else None))
    return 0


def _normalisation(options: argparse.Namespace, stains: int) -> dict[str, Any]:
    """The normalisation that the options speak of, as fields of a card; it is asked for, never guessed."""
    kind = options.normalisation
    if kind is None and options.percentiles is not None:
        kind = "percentiles"
    if kind is None and (options.mean is not None or options.std is not None):
        kind = "fixed"
    if kind is None:
        raise RequestError(
            "Say how the classifier's training pixels were normalised: --mean and --std (0 and 1 where the network takes them as "
            "they are), --normalisation per-image, or --percentiles LOW,HIGH."
        )
    fields: dict[str, Any] = {"normalisation": kind, "over": options.over, "together": options.together}
    for name in ("mean", "std", "percentiles"):
        if (text := getattr(options, name)) is not None:
            values = _numbers(text, f"--{name}")
            if name == "percentiles" and len(values) != 2:
                raise RequestError(
                    f"--percentiles takes two numbers in percent, LOW,HIGH (such as 1,99), found {text!r}."
                )
            fields[name] = values * stains if len(values) == 1 else values
    return fields


def _progress() -> Callable[[int, int], None]:
    """Tells a person at a terminal how far it is, once it has taken two seconds."""
    started = shown = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if sys.stderr.isatty() and now - started > 2 and (now - shown > 0.2 or done == total):
            shown = now
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


def _well(options: argparse.Namespace) -> Well:
    from napari_attribution.wells import read_well

    stains = options.stains.split(",") if options.stains else None
    return read_well(options.well, stains=stains, project=options.project, pattern=options.pattern)


def _table(attribution: Attribution) -> str:
    """The answer for a terminal."""
    probability = attribution.probabilities[attribution.target]
    lines = [
        f"class   {attribution.target} (probability {probability:.3f}"
        + ("" if attribution.target == attribution.predicted else f"; predicted: {attribution.predicted}")
        + ")",
        f"method  {attribution.method}, {attribution.score_name} {attribution.score:.3f}",
        f"stains  {attribution.importance_meaning}, share",
    ]
    width = max(len(stain) for stain in attribution.stains)
    ranked = sorted(attribution.channel_importance.items(), key=lambda item: -item[1])
    for stain, share in ranked:
        spread = attribution.channel_spread.get(stain)
        bar = "#" * round(40 * max(share, 0))
        lines.append(f"        {stain:<{width}} {share:+.3f}{f' ±{spread:.3f}' if spread is not None else ''} {bar}")
    lines += [f"note    {warning}" for warning in attribution.warnings]
    lines.append(f"work    {attribution.seconds:.2f} s on {attribution.device}, {attribution.forwards:.1f} forwards")
    return "\n".join(lines)


def _parameters(settings: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE pairs as plain values; a value is read as JSON where it is JSON."""
    values: dict[str, Any] = {}
    for name, text in _pairs(settings, "--set").items():
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise RequestError(f"{option} takes NAME=VALUE, found {text!r}.")
        pairs[name.strip()] = value.strip()
    return pairs


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise RequestError(f"{option} takes numbers with commas between them, found {text!r}.") from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise argparse.ArgumentTypeError(f"a number of seconds is wanted, found {text!r}")
    return seconds


def _parser() -> argparse.ArgumentParser:
    from napari_attribution import __version__
    from napari_attribution.methods.catalogue import METHODS

    parser = argparse.ArgumentParser(
        prog="napari-attribution", description="Why does the classifier call this well a hit?"
    )
    parser.add_argument("--version", action="version", version=f"napari-attribution {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def reads_a_well(command: argparse.ArgumentParser) -> None:
        command.add_argument("--stains", help="names of the well's channels, in their order, with commas between them")
        command.add_argument("--project", help="make one plane of a z-stack: max, mean or middle")
        command.add_argument(
            "--pattern", help="for a file per stain: a regular expression with the named groups stain, well and field"
        )
        command.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="STAIN=CHANNEL",
            help="the classifier's STAIN is the well's CHANNEL",
        )

    def loads_a_classifier(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--card", help="bioimage.io description of the classifier; by default the one beside the file"
        )
        command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
        command.add_argument(
            "--time-limit",
            type=_seconds,
            default=60.0,
            metavar="SECONDS",
            help="a classifier that is new here is tried out first and stopped after so long; 0 for a file that is trusted: "
            "no trial (default: 60)",
        )

    explain = commands.add_parser("explain", help="explain a classifier's call of a well")
    explain.add_argument("well", help="image file, or a folder or one file of a well with a file per stain")
    explain.add_argument("--classifier", required=True, metavar="FILE", help="TorchScript file")
    explain.add_argument(
        "--method", default="pixel-ablation-cam", help=f"one of {', '.join(METHODS)} (default: %(default)s)"
    )
    explain.add_argument("--target", metavar="CLASS", help="class to explain (default: the predicted one)")
    explain.add_argument("--against", metavar="CLASS", help="the other class, with --score contrast")
    explain.add_argument("--layer", help="where to cut the network, see 'check'")
    explain.add_argument("--score", default="logit", help="logit, probability or contrast (default: logit)")
    explain.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the method, such as steps=20"
    )
    explain.add_argument(
        "--cells", metavar="FILE", help="centres of the cells, a row,column a line, for single-cell classifiers"
    )
    explain.add_argument("--accept-flaws", action="store_true", help="explain although a stain is empty or saturated")
    explain.add_argument(
        "--out", default=".", metavar="DIR", help="where to write the map and the record (default: here)"
    )
    explain.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    reads_a_well(explain)
    loads_a_classifier(explain)
    explain.set_defaults(run=_explain)

    check = commands.add_parser("check", help="say what a classifier file is, and whether a well fits")
    check.add_argument("classifier", metavar="FILE", help="TorchScript file")
    check.add_argument("--well", help="image of a well to try it on")
    check.add_argument("--all-layers", action="store_true", help="list the layers inside blocks too")
    reads_a_well(check)
    loads_a_classifier(check)
    check.set_defaults(run=_check)

    card = commands.add_parser("card", help="write the card of a classifier file")
    card.add_argument("classifier", metavar="FILE", help="TorchScript file")
    card.add_argument("--stains", required=True, help="stains in the order of the input, with commas between them")
    card.add_argument("--classes", required=True, help="classes in the order of the scores, with commas between them")
    card.add_argument("--size", help="height,width of the input in pixels; leave out where any size will do")
    card.add_argument("--mode", choices=["resize", "whole", "tiles", "cells"], help="how a well becomes an input")
    card.add_argument(
        "--overlap",
        type=float,
        default=0.25,
        help="the part that neighbouring tiles share at least (default: %(default)s)",
    )
    card.add_argument(
        "--normalisation",
        choices=["fixed", "per-image", "percentiles"],
        help="by a fixed --mean and --std, by each image's own, or by its --percentiles",
    )
    card.add_argument("--mean", help="one for all stains, or one a stain, in detector units, with commas between them")
    card.add_argument("--std", help="one for all stains, or one a stain, in detector units, with commas between them")
    card.add_argument("--percentiles", metavar="LOW,HIGH", help="in percent: what becomes 0 and what becomes 1")
    card.add_argument(
        "--over",
        choices=["input", "well"],
        default="input",
        help="an image is each input by itself, or the whole well before it is resized or cut (default: %(default)s)",
    )
    card.add_argument("--together", action="store_true", help="an image's numbers are those of all its stains together")
    card.add_argument("--background", help="per stain: the value that means 'nothing there'")
    card.add_argument("--pixel-size", type=float, help="in um, of the wells it was trained on")
    card.add_argument("--name", help="what to call the classifier")
    card.add_argument("--description", default="", help="what it was trained for, and on what")
    card.add_argument("-o", "--out", metavar="CARD", help="where to write (default: beside FILE)")
    card.set_defaults(run=_card)
    return parser


if __name__ == "__main__":
    sys.exit(main())
