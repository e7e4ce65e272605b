"""napari-attribution repeat: the same question again, from its record."""

from __future__ import annotations

import argparse
import json

from napari_attribution.cli import arguments, keeping


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser's."""
    command = commands.add_parser(
        "repeat", help="ask the question of a record again, and say whether the answer is the same"
    )
    command.add_argument(
        "record", metavar="RECORD", help="record (JSON), or a map that was exported with its record inside"
    )
    command.add_argument("--well", metavar="WELL", help="take this image instead of the record's")
    command.add_argument("--classifier", metavar="FILE", help="take this classifier instead of the record's")
    command.add_argument(
        "--device", help="compute here instead of where the record was made: auto, cpu, cuda, cuda:1, mps"
    )
    arguments.limits_a_trial(command)
    keeping.add_to(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from napari_attribution.keeping.records import read_record
    from napari_attribution.keeping.repeat import repeat

    recorded = read_record(options.record)
    keeping.check(options)
    found = repeat(
        recorded,
        well=options.well,
        classifier=options.classifier,
        device=options.device,
        time_limit=options.time_limit or None,
        progress=arguments.progress(),
    )
    places = keeping.keep(found.attribution, found.well, options)
    if options.json:
        told = keeping.answer_as_data(found.attribution, places)
        print(json.dumps(told | {"same": found.same, "notes": list(found.notes)}))
        return 0
    print(keeping.table(found.attribution))
    for note in found.notes:
        print(f"repeat  {note}")
    for what, where in places.items():
        print(f"{what:<7} {where}")
    return 0
