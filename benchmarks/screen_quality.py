"""Whether the flags of a screen tell a classifier that is right for the wrong reason from one that is sound.

    python benchmarks/screen_quality.py --out benchmarks/results
    python benchmarks/screen_quality.py --first-seed 200000    # the fields by which the limits were chosen

Two plates are explained with both sample classifiers: the sample plate, and one of 96 wells drawn afresh like it. In each, a
shadow lies on the treated wells, and on these alone. The sound classifier (`phenotypes.pt`) does not mind it, the confounded
one (`confounded.pt`) decides by it; their accuracy is the same. Counted are the hits, the fields that are called treated, with
a flag about the explanation (`napari_attribution.screens.quality.flags`): at least 90 % of the confounded classifier's and at
most 5 % of the sound one's should be. Flags about the image are counted apart: both classifiers see the same images. The limits
were chosen on other fields, those of the second line above.

Beside it a real plate: BBBC013 rows A-D, if it is there. The probability of "translocated" should follow the dose (Spearman's
correlation with the dose's rank over columns 03-11), and GFP be the stain that counts most in every hit, by each estimator of
the stains' values. The classifier is three networks trained on the doses, whose logits are averaged; each row is judged by one
that has seen the other three rows only (`tests/real/bbbc013.py`). What the dose can be followed by without any classifier is asked
of the pixels: the light of GFP in the nuclei as part of that around them.
"""

import argparse
import csv
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.stats import spearmanr
from skimage.filters import threshold_otsu

sys.path.insert(0, str(Path(__file__).parents[1] / "sample_data"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "real"))

from plate import layout, write_conditions, write_plate

from napari_attribution import Well, read_plate
from napari_attribution.screens.quality.flags import about
from napari_attribution.screens.run.screen import run_screen

SAMPLE_DATA = Path(__file__).parents[1] / "sample_data"
MEMBERS = 3
FIRST_SEED = 300_000
"""Of the plate of 96 wells; the limits were chosen on that from 200,000."""
METHODS = ("pixel-ablation-cam", "fused-ablation-cam", "pcim")
CLASSIFIERS = {"sound": "phenotypes.pt", "confounded": "confounded.pt"}
ESTIMATORS: dict[str, tuple[str, dict[str, str]]] = {
    **{
        f"{name} (beside any map)": ("pixel-ablation-cam", {"channels": name})
        for name in ("shapley", "leave-one-out", "keep-one", "permutation")
    },
    "dcmix": ("dcmix", {}),
    "pcim": ("pcim", {}),
}


def drawn_plate(folder: Path, first_seed: int) -> Path:
    """A plate of 96 wells like the sample, a field a well."""
    path = folder / f"plate-{first_seed}.zarr"
    if not path.exists():
        spots = [spot for spot in layout(8, 12, first_seed) if spot.number == 0]
        write_plate(path, spots, f"drawn from {first_seed}")
        write_conditions(path.with_suffix(".csv"), spots)
    return path


def explained(path: Path, conditions: Path, classifier: str, folder: Path) -> pd.DataFrame:
    """The table of a plate's fields, by one of the classifiers."""
    plate = read_plate(path, conditions=conditions)
    out = folder / f"{path.stem}-{Path(classifier).stem}"
    weights = SAMPLE_DATA / classifier
    return run_screen(plate, weights, out, methods=METHODS, faithfulness=False, maps=False, time_limit=None).table


def _has(flags: str, kind: str) -> bool:
    """Whether one of a field's flags is of that kind."""
    return any(about(name) == kind for name in flags.split("; ") if name)


def counted(table: pd.DataFrame) -> dict[str, Any]:
    """How many fields are called right, and how many hits and controls have flags of each kind."""
    hit = table["predicted"] != "control"
    treated = table["condition.treatment"] != "DMSO"
    row: dict[str, Any] = {"fields": len(table), "right": int((hit == treated).sum()), "hits": int(hit.sum())}
    for said, of in (("hits", hit), ("controls", ~hit)):
        for kind in ("explanation", "image", "call", "plate"):
            row[f"{said} flagged, {kind}"] = sum(_has(flags, kind) for flags in table["flags"][of])
    row["flags of hits"] = dict(Counter(name for flags in table["flags"][hit] for name in flags.split("; ") if name))
    row["edge"] = {
        method: [round(float(q), 3) for q in table.loc[hit, f"map.{method}.edge"].quantile([0, 0.1, 0.5, 0.9, 1])]
        for method in METHODS
    }
    row["light"] = {
        said: round(float(table.loc[of].filter(like="quality.illumination.").median().median()), 3)
        for said, of in (("hits", hit), ("controls", ~hit))
    }
    return row


def cheat(folder: Path, first_seed: int) -> dict[str, Any]:
    """Both plates, both classifiers."""
    plates = {
        "sample plate": (SAMPLE_DATA / "plate.zarr", SAMPLE_DATA / "plate.conditions.csv"),
        "96 wells": (drawn_plate(folder, first_seed), folder / f"plate-{first_seed}.csv"),
    }
    found: dict[str, Any] = {}
    for said, files in plates.items():
        for name, file in CLASSIFIERS.items():
            found[f"{said}, {name}"] = counted(explained(*files, file, folder))
            print(said, name, json.dumps(found[f"{said}, {name}"]), flush=True)
    return found


# ------------------------------------------------------------------------------------------------------------ real wells


def real(folder: Path) -> dict[str, Any] | None:
    """BBBC013 rows A-D: does the probability follow the dose, and does GFP count most; None where it is not there."""
    from bbbc013 import STAINS, doses, trained
    from shared_data import SHARED

    wells = SHARED / "bbbc013"
    if not wells.is_dir():
        return None
    conditions = folder / "bbbc013.csv"
    with conditions.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("well", "dose"))
        writer.writerows((f"{row}{column:02d}", dose) for (row, column), dose in doses(wells).items())
    plate = read_plate(wells, stains=STAINS, conditions=conditions)
    # Of two classes, only the difference of the logits is what the network was trained for.
    options: dict[str, Any] = {"score": "contrast", "faithfulness": False, "maps": False, "time_limit": None}
    found: dict[str, Any] = {"fields": len(plate), "GFP is top": {}}
    for said, (method, parameters) in ESTIMATORS.items():
        rows = []
        for row in "ABCD":
            weights, card = trained(wells, without=row, members=MEMBERS)
            out = folder / f"bbbc013-{said.partition(' ')[0]}-{row}"
            asked: dict[str, Any] = {"methods": [method], "parameters": {method: parameters}}
            rows.append(run_screen(plate, weights, out, card=card, wells=[f"{row}.."], **asked, **options).table)
        table = pd.concat(rows)
        found["GFP is top"][said] = leading(table, method, STAINS)
    treated = table[table["column"].between(2, 10)]
    found["by the classifier"] = following(treated, "probability.translocated")
    found["untreated wells called hits"] = int(
        ((table["condition.dose"] == 0) & (table["predicted"] == "translocated")).sum()
    )
    ratios = {field.position: nuclear(field.read()) for field in plate}
    found["by the pixels alone"] = following(treated.assign(ratio=treated["well"].map(ratios)), "ratio")
    return found


def leading(table: pd.DataFrame, method: str, stains: tuple[str, str]) -> dict[str, Any]:
    """In how many hits the first stain counts more than the second."""
    hits = table[table["predicted"] == "translocated"]
    first, second = (hits[f"importance.{method}.{stain}"] for stain in stains)
    return {
        "hits": len(hits),
        "right": int((first > second).sum()),
        "least lead": round(float((first - second).min()), 3),
    }


def following(treated: pd.DataFrame, column: str) -> dict[str, Any]:
    """Spearman's correlation with the dose's rank: of single wells, and of the means of the wells of a dose."""
    means = treated.groupby("condition.dose")[column].mean()
    return {
        "Spearman, wells": round(float(spearmanr(treated[column], treated["condition.dose"]).statistic), 3),
        "Spearman, doses": round(float(spearmanr(means, means.index).statistic), 3),
        "means": [round(float(value), 3) for value in means],
    }


def nuclear(well: Well) -> float:
    """GFP's light in the nuclei as part of that in rings around them, less what is there without cells."""
    gfp, dna = well.plane("GFP").astype(float), gaussian_filter(well.plane("DNA").astype(float), 2)
    nuclei = dna > threshold_otsu(dna)
    ring = binary_dilation(nuclei, iterations=8) & ~binary_dilation(nuclei, iterations=2)
    empty = np.percentile(gfp, 5)
    return float((np.median(gfp[nuclei]) - empty) / (np.median(gfp[ring]) - empty))


# ---------------------------------------------------------------------------------------------------------------- report


def page(kept: dict[str, Any]) -> str:
    """The results as Markdown."""
    text = [
        "# What the flags of a screen find",
        "Made by `python benchmarks/screen_quality.py --out benchmarks/results`, which says what is counted.",
    ]
    for name, section in SECTIONS.items():
        if found := kept.get(name):
            when = f"{found['date']}, {found['machine']}; {found['versions']}; {found['seconds']} s."
            text += [f"## {section.title}", when, *section.told(found["found"])]
    return "\n\n".join(text) + "\n"


def cheat_told(found: dict[str, Any]) -> list[str]:
    """Paragraphs."""
    rows = [
        "| plate | classifier | fields called right | hits | hits with a flag about the explanation | about the image "
        "| controls with a flag about the explanation |",
        "|---|---|---|---|---|---|---|",
    ]
    for said, row in found.items():
        plate, classifier = said.split(", ")
        n, hits = row["fields"], row["hits"]
        rows.append(
            f"| {plate} | {classifier} | {row['right']} of {n} | {hits} | {row['hits flagged, explanation']} "
            f"({100 * row['hits flagged, explanation'] / hits:.0f} %) | {row['hits flagged, image']} | "
            f"{row['controls flagged, explanation']} of {n - hits} |"
        )
    edges = [
        "| plate | classifier | method | least | 10 % | median | 90 % | most |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {' | '.join(said.split(', '))} | {method} | {' | '.join(f'{value:.2f}' for value in values)} |"
            for said, row in found.items()
            for method, values in row["edge"].items()
        ),
    ]
    flags = [
        f"- {said}: {', '.join(f'{name} {count}' for name, count in row['flags of hits'].items()) or 'none'}"
        for said, row in found.items()
    ]
    return [
        "\n".join(rows),
        "The bar: at least 90 % of the confounded classifier's hits, at most 5 % of the sound one's.",
        "Flags of the hits, by name:\n\n" + "\n".join(flags),
        "Share of the hits' maps in the outermost 5 % of the field (0.19 by chance):",
        "\n".join(edges),
    ]


def real_told(found: dict[str, Any]) -> list[str]:
    """Paragraphs."""
    by = {
        "the classifier": found["by the classifier"],
        "the pixels alone: GFP in the nuclei to GFP around them": found["by the pixels alone"],
    }
    return [
        f"{found['fields']} wells. Spearman's correlation of the probability of \"translocated\" with the dose's rank over "
        "columns 03-11; the bar is 0.9.",
        "| by | over the wells | over the means of a dose | means, by dose |\n|---|---|---|---|\n"
        + "\n".join(
            f"| {said} | {row['Spearman, wells']} | {row['Spearman, doses']} | {', '.join(map(str, row['means']))} |"
            for said, row in by.items()
        ),
        "From the sixth dose on the response hardly rises, and ranks go on rising. "
        f"{found['untreated wells called hits']} of the untreated wells are called translocated.",
        "| estimator | hits in which GFP counts most | least lead over DNA |\n|---|---|---|\n"
        + "\n".join(
            f"| {said} | {row['right']} of {row['hits']} | {row['least lead']} |"
            for said, row in found["GFP is top"].items()
        ),
    ]


@dataclass(frozen=True)
class Section:
    """What is measured in a folder, from the first seed on, and how it is told."""

    title: str
    measure: Callable[[Path, int], dict[str, Any] | None]
    told: Callable[[dict[str, Any]], list[str]]


SECTIONS = {
    "cheat": Section("The cheat", cheat, cheat_told),
    "BBBC013": Section("BBBC013, rows A-D", lambda folder, _seed: real(folder), real_told),
}


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help="of the plate of 96 wells")
    parser.add_argument("--work", type=Path, help="folder for plates and runs, which then are not made again")
    parser.add_argument("--out", type=Path, help="folder of the results")
    parser.add_argument(
        "--only", default=",".join(SECTIONS), help="sections, with commas between them; others stay as kept"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    file = options.out / "screen_quality.json" if options.out else None
    kept: dict[str, Any] = json.loads(file.read_text("utf-8")) if file and file.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        folder.mkdir(exist_ok=True)
        for name in options.only.split(","):
            started = time.perf_counter()
            found = SECTIONS[name].measure(folder, options.first_seed)
            if found is None:
                print(f"{name} is left out: its images are not there.")
                continue
            kept[name] = {
                "date": date.today().isoformat(),
                "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
                "versions": ", ".join(
                    f"{name} {version(name)}" for name in ("torch", "numpy", "scipy", "scikit-image")
                ),
                "seconds": round(time.perf_counter() - started),
                "first seed": options.first_seed,
                "found": found,
            }
    text = page(kept)
    print(text)
    if file:
        file.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
        file.with_suffix(".md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
