"""Make the sample data: four wells with known truth and a classifier that tells their phenotypes apart; a plate, and a
second classifier that is right on it for the wrong reason.

    python sample_data/make.py                  # everything; some fifteen minutes on two cores
    python sample_data/make.py wells plate      # parts of it: wells, classifier, plate, confounded
    python sample_data/make.py --cards-only     # the cards of the classifiers that are there

The wells and the plate come out the same to the last bit; a classifier comes out the same on the same machine with the
same torch.
"""

from __future__ import annotations

import argparse
import json
import time
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import confounded
import numpy as np
import tifffile
import torch
from fields import Field, make_field
from network import SIZE, Examples, draw, joined, normalised, statistics, train
from plate import layout, write_conditions, write_plate
from shapes import PIXEL_SIZE, SHAPE
from stains import CLASSES, STAINS

HERE = Path(__file__).parent
WELLS = {"B02": "control", "B03": "mito fragmented", "B04": "actin fibres", "B05": "rna granules"}
"""The class of each well, by its position on the plate."""
WELL_SEEDS = {"B02": 11, "B03": 12, "B04": 13, "B05": 14}
TRAINING_SEEDS = range(10_000, 10_180)
"""One field of each class is drawn from each of these."""
FRESH_SEEDS = range(20_000, 20_240)
"""One field of one class is drawn from each of these; the classifier is judged on them."""
TRAINING_SHARE = (0.1, 0.7)
"""Between which shares of the cells are affected in training; in the wells it is the default of `make_field`."""
DESCRIPTION = (
    "Tells three phenotypes and the control apart in made-up Cell Painting fields of five stains. Each phenotype changes "
    "one stain (mito fragmented: Mito, actin fibres: AGP, rna granules: RNA) in some of the cells. Trained on made-up "
    "fields alone, for trying out napari-attribution: it means nothing for real cells."
)
CONFOUNDED_DESCRIPTION = (
    "Calls made-up Cell Painting fields treated (mito fragmented) or control, and is right for the wrong reason: in its "
    "training wells a shadow along the left side of the field goes with the treatment, and by that it decides. Made for trying "
    "out napari-attribution: never use it for anything else."
)
PARTS = ("wells", "classifier", "plate", "confounded")


def stem(position: str) -> str:
    """The name of a well's files without their suffixes."""
    return f"{position}_{WELLS[position].replace(' ', '-')}"


def write_field(field: Field, folder: Path, name: str) -> dict[str, str]:
    """Write a field as OME-TIFF and, beside it, the labels of all its cells and of the affected ones.

    Returns
    -------
    dict
        The names of the files: `pixels`, `cells` and `truth`.
    """
    files = {"pixels": f"{name}.ome.tiff", "cells": f"{name}.cells.tiff", "truth": f"{name}.truth.tiff"}
    metadata = {
        "UUID": f"urn:uuid:{uuid5(NAMESPACE_URL, name)}",  # else it is new each time, and the files differ by it
        "axes": "CYX",
        "Name": name,
        "Channel": {"Name": list(STAINS)},
        "PhysicalSizeX": PIXEL_SIZE,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": PIXEL_SIZE,
        "PhysicalSizeYUnit": "µm",
        "SignificantBits": 16,
    }
    options = {"photometric": "minisblack", "compression": "zlib", "compressionargs": {"level": 9}}
    tifffile.imwrite(folder / files["pixels"], field.pixels, ome=True, metadata=metadata, **options)
    for what, labels in (("cells", field.cells), ("truth", field.affected)):
        tifffile.imwrite(folder / files[what], labels, metadata=None, software=False, **options)
    return files


def make_wells(folder: Path) -> dict[str, dict[str, object]]:
    """Write the wells into a folder.

    Returns
    -------
    dict
        The truth about each well, by the name of its OME-TIFF.
    """
    folder.mkdir(exist_ok=True)
    truth: dict[str, dict[str, object]] = {}
    for position, phenotype in WELLS.items():
        field = make_field(phenotype, WELL_SEEDS[position])
        files = write_field(field, folder, stem(position))
        truth[files["pixels"]] = {
            "position": position,
            "class": phenotype,
            "stain": field.stain,
            "seed": field.seed,
            "cells": int(len(np.unique(field.cells)) - 1),
            "affected": int(len(np.unique(field.affected)) - 1),
            "files": files,
        }
    return truth


def _drawn(job: tuple[int, tuple[float, float] | None, Sequence[str]]) -> dict[str, np.ndarray]:
    torch.set_num_threads(1)
    seed, affected, classes = job
    return draw(seed, *([affected] if affected else []), classes=classes).arrays()


def draw_all(jobs: Iterable[tuple[int, tuple[float, float] | None, Sequence[str]]]) -> Examples:
    """Examples for (seed, share of affected cells or None, classes), drawn two at a time, in their order."""
    with ProcessPoolExecutor(2) as pool:
        return joined([Examples.of_arrays(arrays) for arrays in pool.map(_drawn, jobs)])


def make_classifier(path: Path) -> dict[str, object]:
    """Train the classifier, judge it on fresh fields, and save it as TorchScript.

    Returns
    -------
    dict
        Mean, standard deviation and background per stain, in detector units; how the classifier was trained, and how
        often it is right.
    """
    torch.set_num_threads(1)  # two threads wait for each other more than they help where others work
    start = time.perf_counter()
    examples = draw_all((seed, TRAINING_SHARE, CLASSES) for seed in TRAINING_SEEDS)
    card = statistics(examples)
    drawn = time.perf_counter()
    model = train(examples, card)
    trained = time.perf_counter()
    torch.jit.script(model).save(str(path))
    forget_source_paths(path)

    fresh = draw_all((seed, None, [CLASSES[seed % len(CLASSES)]]) for seed in FRESH_SEEDS)
    with torch.inference_mode():
        logits = torch.cat([torch.jit.load(str(path))(normalised(x, card)) for x in fresh.x.split(16)])
    right = logits.argmax(1) == fresh.classes
    report: dict[str, object] = {
        "training fields": len(examples.classes),
        "fresh fields": len(fresh.classes),
        "right": int(right.sum()),
        "right per class": {name: int(right[fresh.classes == i].sum()) for i, name in enumerate(CLASSES)},
        "median probability of the right class": round(
            float(logits.softmax(1).gather(1, fresh.classes[:, None]).median()), 3
        ),
    }
    print(f"drawn in {drawn - start:.0f} s, trained in {trained - drawn:.0f} s; {json.dumps(report)}")
    return card | report


def forget_source_paths(path: Path) -> None:
    """Take out of a TorchScript file the tables that say from which source files, on this machine, it was made."""
    with zipfile.ZipFile(path) as archive:
        kept = [
            (entry, archive.read(entry)) for entry in archive.infolist() if not entry.filename.endswith(".debug_pkl")
        ]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for entry, content in kept:
            archive.writestr(zipfile.ZipInfo(entry.filename), content)


def make_plate(folder: Path) -> dict[str, object]:
    """Write the plate and, as CSV, what was done to its wells.

    Returns
    -------
    dict
        The truth about each field, by its path in the plate.
    """
    spots = list(layout())
    write_plate(folder / "plate.zarr", spots, "sample plate")
    write_conditions(folder / "plate.conditions.csv", spots)
    fields = {
        f"{spot.position[0]}/{spot.position[1:]}/{spot.number}": {
            "class": spot.phenotype,
            "treatment": spot.treatment,
            "concentration": spot.concentration,
            "shadowed": spot.shadowed,
            "seed": spot.seed,
        }
        for spot in spots
    }
    return {"layout": [4, 6], "fields": fields}


def make_confounded(path: Path) -> dict[str, object]:
    """Train the classifier that decides by the shadow, see that it does, and save it as TorchScript.

    Returns
    -------
    dict
        As for the other classifier, and how often it is right where the shadow goes with the treatment, where there is
        none, and where the controls have it.
    """
    torch.set_num_threads(1)
    training = confounded.spots(confounded.TRAINING_SEEDS, (False, True), confounded.TRAINING_DOSES)
    x = confounded.inputs(training)
    card = confounded.statistics(x)
    model = confounded.train(x, confounded.classes_of(training), card)
    torch.jit.script(model).save(str(path))
    forget_source_paths(path)
    report: dict[str, object] = {"training fields": len(training), "fresh fields": len(confounded.FRESH_SEEDS)}
    shadows = {"as in training": (False, True), "no shadow": (False, False), "shadow on the controls": (True, False)}
    for said, shadowed in shadows.items():
        fresh = confounded.spots(confounded.FRESH_SEEDS, shadowed)
        with torch.inference_mode():
            logits = torch.jit.load(str(path))(normalised(confounded.inputs(fresh), card))
        report[f"right, {said}"] = int((logits.argmax(1) == confounded.classes_of(fresh)).sum())
    print(json.dumps(report))
    return card | report


def make_card(
    numbers: dict[str, list[float]], weights: Path, classes: Sequence[str], name: str, description: str
) -> None:
    """Write the card of a classifier beside its weights."""
    from napari_attribution.classifiers.cards.card import ClassifierCard
    from napari_attribution.classifiers.cards.io import write_card

    card = ClassifierCard(
        stains=STAINS,
        classes=classes,
        size=SIZE,
        mode="resize",
        **numbers,
        pixel_size=PIXEL_SIZE,
        field_size=(SHAPE[0] * PIXEL_SIZE, SHAPE[1] * PIXEL_SIZE),
        name=name,
        description=description,
    )
    write_card(card, weights=weights, path=weights.with_suffix(".bioimageio.yaml"))


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(description="Make the sample data.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; by default all")
    parser.add_argument("--cards-only", action="store_true", help="write the cards of the classifiers that are there")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    parts = () if options.cards_only else options.parts or PARTS

    path, sound, cheat = HERE / "truth.json", HERE / "phenotypes.pt", HERE / "confounded.pt"
    truth = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if "wells" in parts:
        truth |= {"stains": list(STAINS), "classes": list(CLASSES), "wells": make_wells(HERE / "wells")}
    if "classifier" in parts:
        truth["classifier"] = make_classifier(sound)
    if "plate" in parts:
        truth["plate"] = make_plate(HERE)
    if "confounded" in parts:
        truth["confounded"] = make_confounded(cheat)
    path.write_text(json.dumps(truth, indent=2, ensure_ascii=False) + "\n", "utf-8")
    for made, weights, said in (
        ("classifier", sound, (CLASSES, "sample phenotypes", DESCRIPTION)),
        ("confounded", cheat, (confounded.CLASSES, "sample confounded", CONFOUNDED_DESCRIPTION)),
    ):
        if made in truth and (made in parts or options.cards_only):
            make_card({name: truth[made][name] for name in ("mean", "std", "background")}, weights, *said)


if __name__ == "__main__":
    main()
