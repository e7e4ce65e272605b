"""Run a command: errors become a sentence and an exit code, never a traceback."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from napari_attribution.cli import card, check, explain, repeat, report, screen, train
from napari_attribution.errors import AttributionError


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


def _parser() -> argparse.ArgumentParser:
    from napari_attribution import __version__

    parser = argparse.ArgumentParser(
        prog="napari-attribution", description="Why does the classifier call this well a hit?"
    )
    parser.add_argument("--version", action="version", version=f"napari-attribution {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for command in (explain, screen, report, repeat, train, check, card):
        command.add_to(commands)
    return parser
