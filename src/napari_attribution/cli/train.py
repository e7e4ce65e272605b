"""napari-attribution train: a classifier of labelled wells that says which stain matters."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from napari_attribution.cli import arguments
from napari_attribution.cli.training import Progress, as_data, table, told
from napari_attribution.errors import OutputError, RequestError

if TYPE_CHECKING:
    from napari_attribution.training.recipe import Recipe
    from napari_attribution.wells import Plate


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser's."""
    command = commands.add_parser("train", help="train a classifier that says which stain matters (DCMIX)")
    command.add_argument("plate", metavar="PLATE", nargs="+", help="folders, files or addresses (URLs) of plates")
    command.add_argument(
        "--labels",
        metavar="CSV",
        required=True,
        help="table with the columns well (or row and column), perhaps plate, and the label; or the name of "
        "a condition of the plate",
    )
    command.add_argument("--column", metavar="NAME", help="the column of the label, where the table has several")
    command.add_argument("--conditions", metavar="CSV", help="table of what was done to the wells, for --labels NAME")
    command.add_argument(
        "--out", metavar="FILE", help="the classifier: FILE.pt, FILE.pt2, its card, FILE.training.json"
    )
    command.add_argument("--preview", action="store_true", help="say which classes and wells there are, and stop")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="something of the recipe, such as epochs=50, mixers=2 or compare=false",
    )
    command.add_argument("--seeds", type=int, metavar="N", help="trainings, each with a split of its own (default: 3)")
    command.add_argument("--use", metavar="STAINS", help="train on these stains only, with commas between them")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    command.add_argument(
        "--folder",
        metavar="DIR",
        help="where networks are kept as they are trained, and not trained again; by default FILE.training",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    arguments.reads_images(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from napari_attribution.training.labelling.matching import check_different
    from napari_attribution.training.labelling.preview import classes_and_counts

    if options.out is None and not options.preview:
        raise RequestError("--out is needed; only with --preview can it be left out.")
    recipe = recipe_of(options.set, options.seeds)
    weights = None if options.preview else _free(options.out)
    plates = [arguments.plate(options, path) for path in options.plate]
    check_different(plates)
    stains = options.use.split(",") if options.use else None
    preview = classes_and_counts(plates, options.labels, column=options.column, stains=stains, split_by=recipe.split_by)
    if weights is None:
        print(json.dumps(asdict(preview)) if options.json else told(preview))
        return 0
    print(told(preview), file=sys.stderr)
    return _train(options, plates, recipe, preview.stains, weights)


def _train(
    options: argparse.Namespace, plates: Sequence[Plate], recipe: Recipe, stains: Sequence[str], weights: Path
) -> int:
    from napari_attribution.training.train import train_dcmix

    folder = Path(options.folder) if options.folder else weights.with_suffix(".training")
    progress = Progress(stains)
    try:
        answer = train_dcmix(
            plates,
            options.labels,
            recipe=recipe,
            column=options.column,
            stains=stains,
            device=options.device,
            folder=folder,
            tell=progress,
        )
    except KeyboardInterrupt:
        progress.end()
        print(
            f"napari-attribution: stopped. What was done is kept in {folder}; the same command goes on.",
            file=sys.stderr,
        )
        return 130
    progress.end()
    answer.save(weights)
    print(json.dumps(as_data(answer, weights)) if options.json else table(answer, weights))
    return 0


def recipe_of(settings: Sequence[str], seeds: int | None) -> Recipe:
    """NAME=VALUE as a recipe.

    Raises
    ------
    RequestError
        For a name that it does not have, or a value that cannot be.
    """
    from pydantic import ValidationError

    from napari_attribution.training.recipe import Recipe

    given = {name: arguments.value(text) for name, text in arguments.pairs(settings, "--set").items()}
    if seeds is not None:
        given["seeds"] = seeds
    try:
        return Recipe(**given)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in found["loc"])
        if name not in Recipe.model_fields:
            raise RequestError(f"A recipe has no {name!r}. It has {', '.join(Recipe.model_fields)}.") from None
        what = Recipe.model_fields[name].description
        raise RequestError(f"{name} cannot be {found['input']!r}: {found['msg']}. ({what}.)") from None


def _free(text: str) -> Path:
    """FILE.pt, where nothing of that name is there yet: no training is to end with what cannot be written."""
    from napari_attribution.keeping.files import check_folder

    path = Path(text)
    if path.name in ("", "..", ".pt", ".pt2") or text.endswith("/") or path.is_dir():
        raise RequestError(
            f"--out {text!r} is a folder, or no name. Give the name of a file, such as {path / 'classifier'}."
        )

    from napari_attribution.training.answers.saving import files_of

    files = files_of(path)
    check_folder(path.parent)
    kept = files[0].with_suffix(".training")
    more = f" With --folder {kept}, what was trained for it is not trained again." if kept.is_dir() else ""
    for file in files:
        if file.exists():
            raise OutputError(f"{file} is there already. Give another name, or move it away.{more}")
    return files[0]
