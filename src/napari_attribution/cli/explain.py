"""napari-attribution explain: why does a classifier call a well a hit?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_attribution.cli import arguments, keeping
from napari_attribution.errors import RequestError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_attribution.classifiers import Classifier


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser's."""
    from napari_attribution.methods.choice.catalogue import METHODS, REFERENCES

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
    keeping.add_to(command)
    arguments.reads_a_well(command)
    arguments.loads_a_classifier(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from napari_attribution.classifiers import load_classifier
    from napari_attribution.faithfulness.explain import explain
    from napari_attribution.methods.choice.choosing import check_parameters, find_method

    keeping.check(options)
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
        progress=arguments.progress(),
        **parameters,
    )
    places = keeping.keep(attribution, well, options)
    if options.json:
        print(json.dumps(keeping.answer_as_data(attribution, places) | _mixing(classifier)))
    else:
        print(keeping.table(attribution))
        if mixing := keeping.mixing_in_words(classifier):
            print(f"mixing  {mixing}")
        for what, where in places.items():
            print(f"{what:<7} {where}")
    return 0


def _mixing(classifier: Classifier) -> dict[str, Any]:
    """What the classifier's mixing layer weighs, for a program."""
    if classifier.mixing is None:
        return {}
    return {"mixing": dict(zip(classifier.card.stains, classifier.mixing.importance.tolist(), strict=True))}


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


def _parameters(settings: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE pairs as plain values."""
    return {name: arguments.value(text) for name, text in arguments.pairs(settings, "--set").items()}
