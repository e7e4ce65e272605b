"""napari-attribution train: a classifier of labelled wells that says which stain matters."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.cli import arguments
from napari_attribution.errors import OutputError, RequestError

if TYPE_CHECKING:
    from napari_attribution.training.answer import TrainedClassifier
    from napari_attribution.training.moment import Moment
    from napari_attribution.training.preview import Preview
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
        "--folder", metavar="DIR", help="where networks are kept as they are trained; by default FILE.training"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    arguments.reads_images(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from napari_attribution.training.preview import classes_and_counts

    if options.out is None and not options.preview:
        raise RequestError("--out is needed; only with --preview can it be left out.")
    recipe = recipe_of(options.set, options.seeds)
    weights = None if options.preview else _free(Path(options.out))
    plates = _plates(options)
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


def _plates(options: argparse.Namespace) -> list[Plate]:
    from napari_attribution.wells import read_plate

    plates = []
    for path in options.plate:
        plate = read_plate(
            path,
            stains=options.stains.split(",") if options.stains else None,
            project=options.project,
            pattern=options.pattern,
            conditions=options.conditions,
        )
        for note in plate.notes:
            print(f"note      {note}", file=sys.stderr)
        plates.append(plate)
    return plates


def _free(path: Path) -> Path:
    """FILE.pt, where nothing is of that name yet: no training is to end with what cannot be written."""
    from napari_attribution.keeping.files import check_folder

    stem = path.name.removesuffix(".pt2").removesuffix(".pt")
    weights = path.with_name(f"{stem}.pt")
    check_folder(weights.parent)
    if weights.exists():
        raise OutputError(f"{weights} is there already. Give another name, or move it away.")
    return weights


def told(preview: Preview) -> str:
    """The preview for a terminal."""
    lines = [
        f"class     {name}: {wells} well{'s' * (wells != 1)}, {preview.fields[name]} field{'s' * (preview.fields[name] != 1)}"
        for name, wells in preview.wells.items()
    ]
    lines += [f"stains    {', '.join(preview.stains)}", f"labels    {preview.source}"]
    lines += [f"note      {note}" for note in preview.notes]
    return "\n".join([*lines, *(f"warning   {warning}" for warning in preview.warnings)])


class Progress:
    """What a training tells, on a terminal's one line for each network; elsewhere, a line when it is over."""

    def __init__(self, stains: Sequence[str]) -> None:
        self._stains = stains
        self._terminal = sys.stderr.isatty()
        self._of: tuple[str, str, int] | None = None
        self._line = ""

    def __call__(self, moment: Moment) -> None:
        of = (moment.phase, moment.network, moment.seed)
        if of != self._of:
            self.end()
            self._of = of
        self._line = self._said(moment)
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{self._line[:width]:<{width}}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave what was said last."""
        if self._line:
            print("" if self._terminal else self._line, file=sys.stderr, flush=True)
        self._line = ""

    def _said(self, moment: Moment) -> str:
        if moment.phase != "training":
            return f"{moment.phase:<9} {moment.done:,} of {moment.total:,}"
        said = (
            f"seed {moment.seed:<4} {moment.network}, epoch {moment.epoch}: loss {moment.training_loss:.3f}, validation "
            f"{moment.validation_loss:.3f}, accuracy {moment.accuracy:.0%}"
        )
        if moment.importance is None:
            return said
        shares = zip(self._stains, moment.importance, strict=True)
        return f"{said}  {'  '.join(f'{stain} {bar(share, 10)} {share:.2f}' for stain, share in shares)}"


def bar(share: float, length: int = 30) -> str:
    """A share as a bar."""
    return "#" * round(length * share)


def table(answer: TrainedClassifier, weights: Path) -> str:
    """The answer for a terminal: the stains by their importance, what the networks are worth, and what is doubtful."""
    alone = [f"{_mean(answer.accuracy[stain]):.0%}" if stain in answer.accuracy else "" for stain in answer.stains]
    rows = [("stain", "importance", "spread", "alone", "Shapley", "permuted", "")]
    order = [answer.stains.index(stain) for stain in answer.ranking]
    rows += [
        (
            answer.stains[c],
            f"{answer.importance[c]:.3f}",
            f"±{answer.spread[c]:.3f}" if len(answer.importances) > 1 else "",
            alone[c],
            f"{answer.shapley[c]:+.2f}",
            f"{answer.permutation[c]:+.2f}",
            bar(answer.importance[c]),
        )
        for c in order
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [
        f"accuracy  {name}: {_mean(answer.accuracy[name]):.1%}"
        for name in ("dcmix", "all stains")
        if name in answer.accuracy
    ]
    wells, seeds = min(answer.held_out), len(answer.importances)
    lines.append(
        f"          by well, on {wells} held out, mean of {seeds} seed{'s' * (seeds != 1)}; chance: {answer.chance:.0%}"
    )
    lines += [f"note      {note}" for note in answer.record["notes"]]
    lines += [f"warning   {warning}" for warning in answer.warnings]
    return "\n".join([*lines, f"written   {weights}, its .pt2, card and .training.json"])


def as_data(answer: TrainedClassifier, weights: Path) -> dict[str, Any]:
    """The answer for a program; what is not known is null."""
    return {
        "classifier": str(weights),
        "classes": list(answer.classes),
        "importance": _by_stain(answer, answer.importance),
        "spread": _by_stain(answer, answer.spread),
        "shapley": _by_stain(answer, answer.shapley),
        "permutation": _by_stain(answer, answer.permutation),
        "accuracy": {name: [_number(value) for value in values] for name, values in answer.accuracy.items()},
        "held_out_wells": list(answer.held_out),
        "chance": answer.chance,
        "warnings": list(answer.warnings),
        "notes": list(answer.record["notes"]),
        "device": answer.record["device"],
        "seconds": answer.record["seconds"],
    }


def _by_stain(answer: TrainedClassifier, values: Iterable[float]) -> dict[str, float | None]:
    return {stain: _number(value) for stain, value in zip(answer.stains, values, strict=True)}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan
