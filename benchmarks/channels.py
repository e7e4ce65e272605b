"""Which estimator of the stains' importance finds the stain that was changed, and ranks the stains as Shapley values do.

    python benchmarks/channels.py --out benchmarks/results
    python benchmarks/channels.py --fields 12 --null-fields 3

Fields are drawn afresh (`sample_data/fields.py`), a third of them with each of the three phenotypes, and the sample classifier
is asked for the class that they are. Each phenotype changes one stain: that stain must come out on top. Beside every
estimator:

- top: the share of fields in which the stain with the largest signed value is the one that was changed.
- Spearman: the rank correlation of the five stains' values with their Shapley values in the same field, the mean over
  fields; "raw" as it is, "tied" with values under a hundredth of all the stains' set to zero in both, because the order of
  stains that count for nothing is chance (`without_ties`), and "of the means" once, of the values' means over all fields of
  a phenotype, the mean over the three phenotypes. The Shapley values themselves are exact, so there is no noise in them for
  a field, but their order differs from field to field: "fields among each other" is the mean Spearman of the Shapley values
  of two fields of one phenotype.
- forwards for one field; a forward with its gradient counts as 2.2.
- spread: the standard deviation over fields of the changed stain's value, as a share of its mean. Blended weights have none:
  the strongest always moves by 1/2.
- rearranged: the Spearman between the estimator's values in the field and in the same field with the pixels of all stains
  rearranged (`napari_attribution.methods.channels.brightness`). What is left in it is brightness: what an estimator still
  ranks as in the field, it ranks by that.

DCMIX (tossed) and the games are made of the same scores of the same subsets; see `napari_attribution.methods.dcmix`.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from datetime import date
from functools import cache
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).parents[1] / "sample_data"))

from fields import make_field
from stains import CLASSES, STAIN_OF, STAINS

from napari_attribution import Well, load_classifier
from napari_attribution.classifiers.classifier import WITH_GRADIENT, Classifier
from napari_attribution.methods import dcmix
from napari_attribution.methods.channels.brightness import Null, null_forwards, play_with_null, rearranged, verdicts
from napari_attribution.methods.channels.importance import without_ties
from napari_attribution.methods.channels.permutation import magnitude, permutation_drops
from napari_attribution.methods.channels.problems import problems_of
from napari_attribution.methods.channels.shapley import shapley_game
from napari_attribution.methods.channels.values import ESTIMATORS
from napari_attribution.methods.choice.parameters import DcmixParameters
from napari_attribution.methods.question.problem import Problem

SAMPLE_DATA = Path(__file__).parents[1] / "sample_data"
FIRST_SEED = 40_000
SCORES = ("logit", "contrast")
BLENDED = DcmixParameters(mixing="blended", shapley=False)
NULL_SEEDS = 3
PERMUTATION_SIZE = "permutation, size"
WITHOUT_SPREAD = ("dcmix, blended", "random")


class Remembering:
    """A classifier that answers the same input once: the games between stains are made of the same subsets."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._known: dict[int, torch.Tensor] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._classifier, name)

    def scores_of_many(self, make: Any, count: int) -> torch.Tensor:
        inputs = make(slice(0, count))
        keys = [hash(x.numpy().tobytes()) for x in inputs]
        new = [at for at, key in enumerate(keys) if key not in self._known]
        if new:
            scores = self._classifier.scores_of_many(lambda part: inputs[new][part], len(new))
            self._known |= {keys[at]: score for at, score in zip(new, scores, strict=True)}
        return torch.stack([self._known[key] for key in keys])


# ----------------------------------------------------------------------------------------------------------- one field


def values_of(problem: Problem) -> dict[str, list[float]]:
    """Every estimator's values."""
    found = {name: estimator.values(problem)[0] for name, estimator in ESTIMATORS.items() if name != "permutation"}
    drops = permutation_drops(problem)
    found |= {"permutation": drops.mean(dim=0), PERMUTATION_SIZE: magnitude(drops)}
    found["dcmix, blended"] = dcmix.compute(problem, BLENDED).importance
    return {name: value.double().tolist() for name, value in found.items()}


@cache
def sample_classifier() -> Classifier:
    return load_classifier(SAMPLE_DATA / "phenotypes.pt", "cpu", time_limit=None)


def measure(number: int, with_null: bool) -> dict[str, Any]:
    """All values in one field; with the null and the rearranged control in some."""
    phenotype = CLASSES[1 + number % (len(CLASSES) - 1)]
    field = make_field(phenotype, FIRST_SEED + number)
    classifier = Remembering(sample_classifier())
    well = Well(field.pixels, STAINS, (0.65, 0.65), position=f"field {FIRST_SEED + number}")
    row: dict[str, Any] = {"seed": field.seed, "phenotype": phenotype, "stain": STAINS.index(STAIN_OF[phenotype])}
    for score in SCORES:
        (problem,) = problems_of(classifier, well, phenotype, score)
        row[score] = values_of(problem)
    (problem,) = problems_of(classifier, well, phenotype, "logit")
    if with_null:
        _, _, clouds, flat = play_with_null(problem, shapley_game(len(STAINS)), NULL_SEEDS)
        row["null"] = {"rearranged": clouds.double().tolist(), "flat": flat.double().tolist()}
        x = torch.stack([rearranged(plane, c, 99) for c, plane in enumerate(problem.x[0])])[None]
        row["all rearranged"] = values_of(Problem(problem.classifier, x, problem.fill, problem.score))
    return row


def _one(job: tuple[int, bool]) -> dict[str, Any]:
    torch.set_num_threads(1)
    return measure(*job)


# ------------------------------------------------------------------------------------------------------------- summary


def correlation(a: Any, b: Any) -> float:
    """Spearman, 0 where one of the two is all ties."""
    found = float(spearmanr(a, b).statistic)
    return found if np.isfinite(found) else 0.0


def forwards(name: str) -> float:
    """What an estimator costs for one field."""
    if name == "dcmix, blended":
        return BLENDED.steps * 2 * WITH_GRADIENT
    return ESTIMATORS["permutation" if name == PERMUTATION_SIZE else name].forwards(len(STAINS))


def summary(rows: list[dict[str, Any]], score: str) -> dict[str, dict[str, Any]]:
    """One line an estimator."""
    names = [*rows[0][score]]
    chance = np.random.default_rng(0)
    random = {"random": [chance.normal(size=len(STAINS)).tolist() for _ in rows]}
    found: dict[str, dict[str, Any]] = {}
    shapley = np.array([row[score]["shapley"] for row in rows])
    changed = np.array([row["stain"] for row in rows])
    for name in [*names, "random"]:
        values = np.array(random[name] if name in random else [row[score][name] for row in rows])
        # Sizes know no sign, so theirs are compared with the sizes of the Shapley values.
        reference = np.abs(shapley) if name == PERMUTATION_SIZE else shapley
        raw = [correlation(a, b) for a, b in zip(reference, values, strict=True)]
        tied = [correlation(a, b) for a, b in zip(without_ties(reference), without_ties(values), strict=True)]
        means, spreads = [], []
        for stain in np.unique(changed):
            of = changed == stain
            means.append(correlation(reference[of].mean(axis=0), values[of].mean(axis=0)))
            spreads.append(values[of, stain].std(ddof=1) / abs(values[of, stain].mean()))
        line: dict[str, Any] = {
            "top": round(float((values.argmax(axis=1) == changed).mean()), 4),
            "spearman": round(float(np.mean(raw)), 4),
            "spearman_least": round(float(np.min(raw)), 4),
            "spearman_tied": round(float(np.mean(tied)), 4),
            "spearman_of_means": round(float(np.mean(means)), 4),
            "forwards": 0 if name == "random" else forwards(name),
            "spread": None if name in WITHOUT_SPREAD else round(float(np.mean(spreads)), 4),
        }
        controlled = [row for row in rows if "all rearranged" in row and name in row["all rearranged"]]
        if controlled and score == "logit":
            line["rearranged"] = round(
                float(np.mean([correlation(row[score][name], row["all rearranged"][name]) for row in controlled])), 4
            )
        found[name] = line
    return found


def among_each_other(rows: list[dict[str, Any]], score: str) -> float:
    """Mean Spearman of the Shapley values of two fields of one phenotype."""
    found = [
        correlation(a[score]["shapley"], b[score]["shapley"])
        for a, b in combinations(rows, 2)
        if a["phenotype"] == b["phenotype"]
    ]
    return round(float(np.mean(found)), 4) if found else float("nan")


def nulls(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """By phenotype: the mean Shapley values, their null, and the verdicts."""
    found = {}
    for phenotype in CLASSES[1:]:
        of = [row for row in rows if row["phenotype"] == phenotype and "null" in row]
        if not of:
            continue
        values = np.array([row["logit"]["shapley"] for row in of])
        null = Null(np.array([row["null"]["rearranged"] for row in of]), np.array([row["null"]["flat"] for row in of]))
        found[phenotype] = {
            "fields": len(of),
            "changed": STAIN_OF[phenotype],
            "shapley": values.mean(axis=0).round(3).tolist(),
            "rearranged": null.mean.round(3).tolist(),
            "rearranged_spread": null.spread.round(3).tolist(),
            "flat": null.flat.mean(axis=0).round(3).tolist(),
            "verdicts": list(verdicts(values, np.zeros_like(values), null)),
        }
    return found


def page(kept: dict[str, Any]) -> str:
    """All of it to read."""
    text = [
        "# What the stains count for",
        "",
        f"{kept['date']}, {kept['machine']}; "
        + ", ".join(f"{name} {number}" for name, number in kept["versions"].items())
        + ".",
        f"Made by `python benchmarks/channels.py --out benchmarks/results` in {kept['seconds']:.0f} s, which says what the "
        "columns are.",
        "",
        f"{kept['fields']} fresh fields, seeds from {FIRST_SEED}, five stains, the true class explained, fill: mean.",
    ]
    for score in SCORES:
        text += [
            "",
            f"## Score: {score}",
            "",
            "| estimator | top stain right | Spearman, raw | tied | least | of the means | forwards | spread | rearranged |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for name, line in kept[score].items():
            cells = [
                f"{100 * line['top']:.1f} %",
                *(f"{line[key]:.3f}" for key in ("spearman", "spearman_tied", "spearman_least", "spearman_of_means")),
                f"{line['forwards']:g}",
                f"{100 * line['spread']:.0f} %" if line["spread"] is not None else "",
                f"{line['rearranged']:.2f}" if "rearranged" in line else "",
            ]
            text.append(f"| {name} | " + " | ".join(cells) + " |")
        text += ["", f"Shapley values of two fields of one phenotype among each other: {kept['among'][score]:.3f}."]
    text += [
        "",
        "## What brightness alone explains",
        "",
        f"Shapley values (logit), {NULL_SEEDS} rearrangements of each stain, {kept['null_forwards']} forwards a field for the "
        "null.",
        "",
        "| phenotype | fields | | " + " | ".join(STAINS) + " |",
        "|---|---|---|" + "---|" * len(STAINS),
    ]
    for phenotype, found in kept["null"].items():
        lines = [
            ("value", [f"{value:+.2f}" for value in found["shapley"]]),
            (
                "rearranged",
                [f"{a:+.2f} ± {b:.2f}" for a, b in zip(found["rearranged"], found["rearranged_spread"], strict=True)],
            ),
            ("flat", [f"{value:+.2f}" for value in found["flat"]]),
            ("verdict", found["verdicts"]),
        ]
        for at, (what, cells) in enumerate(lines):
            head = f"| {phenotype} ({found['changed']}) | {found['fields']} " if not at else "| | "
            text.append(f"{head}| {what} | " + " | ".join(cells) + " |")
    return "\n".join(text) + "\n"


def main() -> None:
    """Draw, measure, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fields", type=int, default=60)
    parser.add_argument("--null-fields", type=int, default=9, help="of them, with the null and the rearranged control")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="fields at a time")
    parser.add_argument("--out", type=Path, help="folder in which to keep the results")
    options = parser.parse_args()
    started = time.monotonic()
    jobs = [(number, number < options.null_fields) for number in range(options.fields)]
    rows = []
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for row in pool.imap(_one, jobs):
            rows.append(row)
            found = row["logit"]
            print(
                f"{row['seed']} {row['phenotype']:<16}"
                + " ".join(f"{name} {value:+.2f}" for name, value in zip(STAINS, found["shapley"], strict=True))
                + f"  dcmix {correlation(found['shapley'], found['dcmix']):+.2f}"
                + f", blended {correlation(found['shapley'], found['dcmix, blended']):+.2f}",
                flush=True,
            )
    kept: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("torch", "numpy", "scipy")},
        "seconds": round(time.monotonic() - started),
        "fields": options.fields,
        **{score: summary(rows, score) for score in SCORES},
        "among": {score: among_each_other(rows, score) for score in SCORES},
        "null_forwards": null_forwards(shapley_game(len(STAINS)), NULL_SEEDS),
        "null": nulls(rows),
        "rows": rows,
    }
    print(page(kept))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "channels.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
        (options.out / "channels.md").write_text(page(kept), "utf-8")


if __name__ == "__main__":
    main()
