"""napari-attribution check: what is this file, what can be asked of it, and does this well fit?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from napari_attribution.cli import arguments, keeping

if TYPE_CHECKING:
    from napari_attribution.classifiers import Classifier


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser's."""
    command = commands.add_parser("check", help="say what a classifier file is, and whether a well fits")
    command.add_argument("classifier", metavar="FILE", help="TorchScript or .pt2 file")
    command.add_argument("--well", help="image of a well to try it on")
    command.add_argument("--all-layers", action="store_true", help="list the layers inside blocks too")
    arguments.reads_a_well(command)
    arguments.loads_a_classifier(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from napari_attribution.classifiers import load_classifier
    from napari_attribution.classifiers.preflight import as_text, preflight

    classifier = load_classifier(
        options.classifier, device=options.device, card=options.card, time_limit=options.time_limit or None
    )
    print(_about(classifier))
    print(_methods(classifier))
    if classifier.layers:
        print(_layers(classifier, options.all_layers))
    if options.well is None:
        return 0
    found = preflight(
        classifier,
        arguments.well(options),
        arguments.pairs(options.map, "--map"),
        time_limit=options.time_limit or None,
    )
    print(as_text(found))
    for finding in found.findings:
        mark = {True: "ok  ", None: "note", False: "WRONG"}[finding.ok]
        print(f"{mark:<5} {finding.title}: {finding.sentence}")
    return 0 if found.ok else 1


def _about(classifier: Classifier) -> str:
    card = classifier.card
    size = "any size" if card.size is None else f"{card.size[0]} x {card.size[1]} pixels"
    lines = [
        f"{classifier.name}: a {classifier.format} network, on {classifier.device}",
        f"  stains   {', '.join(card.stains)}",
        f"  classes  {', '.join(card.classes)}",
        f"  input    {size}, mode {card.mode}",
        f"  speed    {1000 * classifier.forward_seconds:.0f} ms a forward",
        f"  gradients {'yes' if classifier.gradients else 'no'}",
    ]
    if classifier.mixing is not None:
        lines.append(f"  mixing   {keeping.mixing_in_words(classifier)}")
    if classifier.default_layer:
        lines.append(f"  cut      by {classifier.technique}, checked against the whole network")
    return "\n".join([*lines, *(f"  note     {note}" for note in classifier.notes)])


def _methods(classifier: Classifier) -> str:
    """What can be asked, and what each answer costs."""
    from napari_attribution.methods.choice.offers import offers

    lines = ["  methods"]
    for offer in offers(classifier):
        if offer.possible:
            seconds = offer.forwards * classifier.forward_seconds
            lines.append(f"     {offer.method.name:<20} {offer.forwards:6.0f} forwards, about {seconds:.2g} s an input")
        else:
            lines.append(f"     {offer.method.name:<20} not possible")
        lines += [f"       {offer.why}"] if offer.why else []
    return "\n".join(lines)


def _layers(classifier: Classifier, all_of_them: bool) -> str:
    lines = ["  layers (* the default; channels x rows x columns; share of a forward behind it)"]
    for layer in classifier.layers:
        if layer.block or all_of_them or layer.name == classifier.default_layer:
            mark = "*" if layer.name == classifier.default_layer else " "
            shape = " x ".join(map(str, layer.shape))
            what = "tokens" if layer.tokens else ""
            lines.append(
                f"   {mark} {layer.name:<40} {shape:<16} stride {layer.stride:<5g} {layer.head_cost:4.0%} {what}".rstrip()
            )
    hidden = len(classifier.layers) - len(lines) + 1
    if hidden:
        lines.append(f"     and {hidden} inside blocks (--all-layers)")
    return "\n".join(lines)
