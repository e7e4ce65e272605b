"""Whether the flags of a screen tell a classifier that is right for the wrong reason from one that is sound.

    python benchmarks/screen_quality.py --out benchmarks/results
    python benchmarks/screen_quality.py --first-seed 200000 --show    # the fields by which the limits were chosen

Two plates are explained with both sample classifiers: the sample plate, and one of 96 wells drawn afresh like it. In each, a
shadow lies on the treated wells, and on these alone. The sound classifier (`phenotypes.pt`) does not mind it, the confounded
one (`confounded.pt`) decides by it; their accuracy is the same. Counted are the hits, the fields that are called treated, with
a flag about the explanation (`napari_attribution.screens.quality.flags`): at least 90 % of the confounded classifier's and at
most 5 % of the sound one's should be. Flags about the image are counted apart: both classifiers see the same images. The limits
were chosen on other fields, those of the second line above.

Beside it a real plate: BBBC013 rows A-D, if it is there, with a small network trained on rows A-C. The probability of
"translocated" should follow the dose (Spearman's correlation with the dose's rank over columns 03-11), and GFP be the stain
that counts most in every hit. That is asked with each estimator of the stains' values.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections import Counter
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

TOP = Path(__file__).parents[1]
SAMPLE_DATA = TOP / "sample_data"
sys.path[:0] = [str(SAMPLE_DATA), str(TOP / "tests"), str(TOP / "tests" / "real")]

from plate import layout, write_conditions, write_plate

from napari_attribution import read_plate
from napari_attribution.screens.quality.flags import about
from napari_attribution.screens.run.screen import run_screen

FIRST_SEED = 300_000
"""Of the plate of 96 wells; the limits were chosen on that from 200,000."""
METHODS = ("pixel-ablation-cam", "fused-ablation-cam", "pcim")
CLASSIFIERS = {"sound": "phenotypes.pt", "confounded": "confounded.pt"}
ESTIMATORS = ("shapley", "leave-one-out", "keep-one", "permutation")
BARS = {"confounded": ("at least", 0.9), "sound": ("at most", 0.05)}


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


def names(flags: str, kind: str, why: str = "", method: str = "") -> list[str]:
    """The names of a field's flags of one kind."""
    return [name for name in flags.split("; ") if name and about(name) == kind]


def counted(table: pd.DataFrame) -> dict[str, Any]:
    """How many fields are called right, and how many hits and controls have flags of each kind."""
    hit = table["predicted"] != "control"
    treated = table["condition.treatment"] != "DMSO"
    row: dict[str, Any] = {"fields": len(table), "right": int((hit == treated).sum()), "hits": int(hit.sum())}
    for said, of in (("hits", hit), ("controls", ~hit)):
        for kind in ("explanation", "image", "call", "plate"):
            row[f"{said} flagged, {kind}"] = sum(bool(names(flags, kind)) for flags in table["flags"][of])
    row["flags of hits"] = dict(Counter(name for flags in table["flags"][hit] for name in flags.split("; ") if name))
    row["edge"] = {
        method: [round(float(q), 3) for q in table.loc[hit, f"map.{method}.edge"].quantile([0, 0.1, 0.5, 0.9, 1])]
        for method in METHODS
    }
    row["light"] = {said: round(float(table.loc[of].filter(like="quality.illumination.").median().median()), 3)
                    for said, of in (("hits", hit), ("controls", ~hit))}
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
