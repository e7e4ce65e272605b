"""Arguments that several commands take, and how they are read."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from napari_attribution.errors import RequestError

if TYPE_CHECKING:
    from napari_attribution.wells import Plate, Well


def well(options: argparse.Namespace) -> Well:
    from napari_attribution.wells import read_well

    stains = options.stains.split(",") if options.stains else None
    return read_well(options.well, stains=stains, project=options.project, pattern=options.pattern)


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise RequestError(f"{option} takes NAME=VALUE, found {text!r}.")
        pairs[name.strip()] = value.strip()
    return pairs


def value(text: str) -> Any:
    """A plain value, read as JSON where it is JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise RequestError(f"{option} takes numbers with commas between them, found {text!r}.") from None


def progress() -> Callable[[int, int], None]:
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


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise argparse.ArgumentTypeError(f"a number of seconds is wanted, found {text!r}")
    return seconds


def plate(options: argparse.Namespace, path: str) -> Plate:
    """A plate, read as the options say; what its reader found is said."""
    from napari_attribution.wells import read_plate

    found = read_plate(
        path,
        stains=options.stains.split(",") if options.stains else None,
        project=options.project,
        pattern=options.pattern,
        conditions=options.conditions,
    )
    for note in found.notes:
        print(f"note    {note}", file=sys.stderr)
    return found


def reads_images(command: argparse.ArgumentParser) -> None:
    """Options that say how the image of a field is read."""
    command.add_argument("--stains", help="names of the well's channels, in their order, with commas between them")
    command.add_argument("--project", help="make one plane of a z-stack: max, mean or middle")
    command.add_argument(
        "--pattern", help="for a file per stain: a regular expression with the named groups stain, well and field"
    )


def reads_a_well(command: argparse.ArgumentParser) -> None:
    """Options that say how a well is read, and which of its stains is which of the classifier's."""
    reads_images(command)
    command.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="STAIN=CHANNEL",
        help="the classifier's STAIN is the well's CHANNEL",
    )


def loads_a_classifier(command: argparse.ArgumentParser) -> None:
    """Options that say how a classifier is loaded."""
    command.add_argument("--card", help="bioimage.io description of the classifier; by default the one beside the file")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    limits_a_trial(command)


def limits_a_trial(command: argparse.ArgumentParser) -> None:
    """How long a classifier that is new here may take."""
    command.add_argument(
        "--time-limit",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="a classifier that is new here is tried out first and stopped after so long; 0 for a file that is trusted: "
        "no trial (default: 60)",
    )
