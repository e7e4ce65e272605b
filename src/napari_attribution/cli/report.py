"""napari-attribution report: what a screen found, as one HTML file."""

from __future__ import annotations

import argparse


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser's."""
    command = commands.add_parser("report", help="write the results of a screen as one HTML file")
    command.add_argument("results", metavar="RESULTS", help="folder that napari-attribution screen wrote")
    command.add_argument("-o", "--out", metavar="HTML", help="where to write (default: report.html in RESULTS)")
    command.add_argument(
        "--by",
        metavar="COLUMN",
        default="margin",
        help="column of fields.parquet by which the wells at both ends are pictured (default: %(default)s)",
    )
    command.add_argument("--method", metavar="METHOD", help="whose map is shown (default: the run's first)")
    command.add_argument(
        "--each", type=int, default=6, metavar="N", help="wells pictured of either end (default: %(default)s)"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from napari_attribution.screens.report import write_report
    from napari_attribution.screens.results import open_results

    results = open_results(options.results)
    print(write_report(results, options.out, column=options.by, method=options.method, each=options.each))
    return 0
