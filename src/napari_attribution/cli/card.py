"""napari-attribution card: write down what a classifier file does not say."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from napari_attribution.cli import arguments
from napari_attribution.errors import RequestError


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser's."""
    command = commands.add_parser("card", help="write the card of a classifier file")
    command.add_argument("classifier", metavar="FILE", help="TorchScript or .pt2 file")
    command.add_argument("--stains", required=True, help="stains in the order of the input, with commas between them")
    command.add_argument(
        "--classes", required=True, help="classes in the order of the scores, with commas between them"
    )
    command.add_argument("--size", help="height,width of the input in pixels; leave out where any size will do")
    command.add_argument("--mode", choices=["resize", "whole", "tiles", "cells"], help="how a well becomes an input")
    command.add_argument(
        "--overlap",
        type=float,
        default=0.25,
        help="the part that neighbouring tiles share at least (default: %(default)s)",
    )
    command.add_argument(
        "--normalisation",
        choices=["fixed", "per-image", "percentiles"],
        help="by a fixed --mean and --std, by each image's own, or by its --percentiles",
    )
    command.add_argument(
        "--mean", help="one for all stains, or one a stain, in detector units, with commas between them"
    )
    command.add_argument(
        "--std", help="one for all stains, or one a stain, in detector units, with commas between them"
    )
    command.add_argument("--percentiles", metavar="LOW,HIGH", help="in percent: what becomes 0 and what becomes 1")
    command.add_argument(
        "--over",
        choices=["input", "well"],
        default="input",
        help="an image is each input by itself, or the whole well before it is resized or cut (default: %(default)s)",
    )
    command.add_argument(
        "--together", action="store_true", help="an image's numbers are those of all its stains together"
    )
    command.add_argument("--background", help="per stain: the value that means 'nothing there'")
    command.add_argument("--pixel-size", type=float, help="in um, of the wells it was trained on")
    command.add_argument("--name", help="what to call the classifier")
    command.add_argument("--description", default="", help="what it was trained for, and on what")
    command.add_argument("-o", "--out", metavar="CARD", help="where to write (default: beside FILE)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
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
        background=None if options.background is None else arguments.numbers(options.background, "--background"),
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
            values = arguments.numbers(text, f"--{name}")
            if name == "percentiles" and len(values) != 2:
                raise RequestError(
                    f"--percentiles takes two numbers in percent, LOW,HIGH (such as 1,99), found {text!r}."
                )
            fields[name] = values * stains if len(values) == 1 else values
    return fields
