"""napari-attribution screen: a whole plate explained, measured and kept."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.cli import arguments
from napari_attribution.errors import RequestError
from napari_attribution.screens.run.choices import MEGA

if TYPE_CHECKING:
    from napari_attribution.screens.results import Results
    from napari_attribution.wells import Plate

MOST_UNMATCHED = 12


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser's."""
    from napari_attribution.methods.choice.catalogue import METHODS
    from napari_attribution.screens.run.choices import words

    command = commands.add_parser("screen", help="explain and measure every field of a plate")
    command.add_argument("plate", metavar="PLATE", help="folder, file or address (URL) of a plate")
    command.add_argument("--classifier", metavar="FILE", help="TorchScript or .pt2 file")
    command.add_argument(
        "--out",
        metavar="RESULTS",
        help="folder of the results: a table (Parquet), the maps (OME-Zarr), the record (JSON); a run that was stopped goes on",
    )
    command.add_argument("--preview", action="store_true", help="say how the plate is read, and stop")
    command.add_argument(
        "--method",
        action="append",
        metavar="METHOD",
        help=f"one of {', '.join(METHODS)}; may be given several times (default: pixel-ablation-cam)",
    )
    command.add_argument(
        "--target", metavar="CLASS", help="class to explain (default: the one predicted for each field)"
    )
    command.add_argument("--against", metavar="CLASS", help="the other class, with --score contrast")
    command.add_argument("--score", default="logit", help="logit, probability or contrast (default: logit)")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="[METHOD.]NAME=VALUE",
        help="a parameter of a method, such as pcim.steps=20; without a method's name, of all that have it",
    )
    command.add_argument("--workers", type=int, default=1, metavar="N", help=f"{words('workers')} (default: 1)")
    command.add_argument("--scheduler", metavar="tcp://...", help=words("scheduler"))
    command.add_argument(
        "--batch-bytes",
        type=_bytes,
        default=512 * MEGA,
        metavar="B",
        help=f"{words('in_hand')}, such as 512M or 2G (default: 512M)",
    )
    command.add_argument("--wells", help="only these, with commas between them: B03,C04, or B.. for a row")
    command.add_argument(
        "--retry-failed",
        action="store_true",
        help="try the fields again that failed in RESULTS; those that are computed together with them are done anew, too",
    )
    command.add_argument("--conditions", metavar="CSV", help="table of what was done to the wells, one of them a line")
    command.add_argument("--no-maps", action="store_true", help=f"do not {words('maps')}")
    command.add_argument(
        "--no-faithfulness",
        action="store_true",
        help=f"do not {words('faithfulness')}",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    arguments.reads_a_well(command)
    arguments.loads_a_classifier(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.preview:
        print(_preview(options))
        return 0
    for name in ("classifier", "out"):
        if getattr(options, name) is None:
            raise RequestError(f"--{name} is needed; only with --preview can it be left out.")
    plate = arguments.plate(options, options.plate)
    runs = _runs(options.out)
    try:
        results = _screen(options, plate)
    except KeyboardInterrupt:
        print(
            f"\nnapari-attribution: stopped. What was done is kept in {options.out}; the same command goes on.",
            file=sys.stderr,
        )
        return 130
    summary = _summary(results, runs)
    if options.retry_failed and len(results.record["runs"]) == runs:
        print(f"note    {_untried(summary['failed'])}", file=sys.stderr)
    print(json.dumps(summary) if options.json else _told(summary))
    return 0


def _preview(options: argparse.Namespace) -> str:
    """How the files map to wells, and what belongs nowhere."""
    from napari_attribution.wells.readers.plates import preview

    found = preview(options.plate, pattern=options.pattern)
    rows = [
        ("well", "field", "stain", "file"),
        *((well, str(field), stain, file) for file, well, field, stain in found.rows),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{found.format}: {found.count:,} files or images"]
    lines += ["  ".join([*(cell.ljust(w) for cell, w in zip(row[:3], widths, strict=True)), row[3]]) for row in rows]
    lines += ["..."] if found.count > len(found.rows) else []
    lines += [f"belongs nowhere: {name}" for name in found.unmatched[:MOST_UNMATCHED]]
    if len(found.unmatched) > MOST_UNMATCHED:
        lines.append(f"and {len(found.unmatched) - MOST_UNMATCHED:,} more files that belong nowhere")
    return "\n".join(lines)


def _screen(options: argparse.Namespace, plate: Plate) -> Results:
    from napari_attribution.screens.run.screen import run_screen

    methods = tuple(options.method or ("pixel-ablation-cam",))
    return run_screen(
        plate,
        options.classifier,
        options.out,
        methods=methods,
        target=options.target,
        score=options.score,
        against=options.against,
        stain_map=arguments.pairs(options.map, "--map"),
        parameters=parameters_of(methods, options.set),
        card=options.card,
        device=options.device,
        workers=options.workers,
        scheduler=options.scheduler,
        batch_bytes=options.batch_bytes,
        faithfulness=not options.no_faithfulness,
        maps=not options.no_maps,
        wells=options.wells.split(",") if options.wells else None,
        retry_failed=options.retry_failed,
        time_limit=options.time_limit or None,
        progress=_progress(),
    )


def parameters_of(methods: Sequence[str], settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """[METHOD.]NAME=VALUE by method; a value is read as JSON where it is JSON.

    Raises
    ------
    RequestError
        For a name that none of the methods has.
    """
    from napari_attribution.methods.choice.choosing import find_method

    found: dict[str, dict[str, Any]] = {}
    for name, text in arguments.pairs(settings, "--set").items():
        value = arguments.value(text)
        method, dot, parameter = name.rpartition(".")
        meant = [method] if dot else [each for each in methods if name in find_method(each).parameters.model_fields]
        if not meant:
            raise RequestError(f"None of the methods has a parameter {name!r}: {', '.join(methods)}.")
        for each in meant:
            found.setdefault(each, {})[parameter] = value
    return found


def _bytes(text: str) -> int:
    """ "512M" as 536870912."""
    units = {"K": 2**10, "M": MEGA, "G": 2**30}
    number, unit = (text[:-1], units[text[-1].upper()]) if text[-1:].upper() in units else (text, 1)
    try:
        found = int(float(number) * unit)
    except (ValueError, OverflowError):
        found = 0
    if found < MEGA:
        raise argparse.ArgumentTypeError(f"at least one megabyte is wanted, such as 512M or 2G, found {text!r}")
    return found


def _progress() -> Callable[[int, int], None]:
    """Fields done, fields a second and the time left, on a terminal's one line; without a terminal, a line a minute."""
    started = time.monotonic()
    said, begun = started, -1
    terminal = sys.stderr.isatty()

    def report(done: int, total: int) -> None:
        nonlocal said, begun
        begun = done if begun < 0 else begun
        now = time.monotonic()
        if now - said < (0.5 if terminal else 60) and done < total:
            return
        said = now
        speed = (done - begun) / max(now - started, 1e-9)
        left = f", {_duration((total - done) / speed)} left" if speed > 0 and done < total else ""
        line = f"{done:,} of {total:,} fields, {speed:.2g} fields/s{left}"
        print(
            f"\r{line:<70}" if terminal else line,
            end="" if terminal and done < total else "\n",
            file=sys.stderr,
            flush=True,
        )

    return report


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _runs(out: str) -> int:
    """How many runs there were in a folder of results."""
    try:
        return len(json.loads((Path(out) / "record.json").read_text("utf-8"))["runs"])
    except (OSError, ValueError, KeyError, TypeError):
        # Whoever runs there says what is wrong with it.
        return 0


def _untried(failed: int) -> str:
    """Why nothing was tried again."""
    if not failed:
        return "No field had failed: nothing was tried again."
    return "The plate itself lacks the fields that failed: nothing was tried again."


def _summary(results: Results, runs: int) -> dict[str, Any]:
    """What came of it, for people and programs; `runs` is how many there were before."""
    table = results.read(["well", "predicted", "flags", "error"])
    flags = table["flags"][table["flags"] != ""].str.split("; ").explode().value_counts()
    return {
        "results": str(results.path),
        "fields": len(table),
        "wells": int(table["well"].nunique()),
        "failed": int((table["error"] != "").sum()),
        "tried_again": sum(run.get("tried_again", 0) for run in results.record["runs"][runs:]),
        "errors": {
            error: int(count) for error, count in table["error"][table["error"] != ""].value_counts()[:5].items()
        },
        "classes": {name: int((table["predicted"] == name).sum()) for name in results.classes},
        "flags": {name: int(count) for name, count in flags.items()},
        "not_judged": (results.record.get("finished") or {}).get("not_judged"),
    }


def _told(summary: dict[str, Any]) -> str:
    """The summary for a terminal."""
    lines = [f"fields  {summary['fields']:,} in {summary['wells']:,} wells, {summary['failed']:,} failed"]
    if summary["tried_again"]:
        lines.append(f"        tried again: {summary['tried_again']:,} that had failed")
    lines += [f"        {count:,} x {error}" for error, count in summary["errors"].items()]
    lines += [f"class   {name}: {count:,} fields" for name, count in summary["classes"].items()]
    lines += [f"flag    {name}: {count:,} fields" for name, count in summary["flags"].items()] or ["flag    none"]
    if summary["not_judged"]:
        lines.append(
            f"note    The plate could not be judged ({summary['not_judged']}); the rest of the table is whole."
        )
    return "\n".join([*lines, f"results {summary['results']}{os.sep}"])
