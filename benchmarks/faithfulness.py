"""How faithful each map is: every method and every peer on the same classifiers and wells, in one run.

    python benchmarks/faithfulness.py --bbbc013 FOLDER --nf1 FOLDER --out benchmarks/results
    python benchmarks/faithfulness.py --fields 12

- mosaics: nine tiles of BBBC013's row D, one of them of a treated well, explained for three classifiers trained on rows A-C
  (`mosaics.py`); the score is the contrast of the two classes. The map belongs into the one tile.
- fields: made-up fields with planted phenotypes (`sample_data/fields.py`, seeds that the sample classifier has never seen), each
  explained for its own class against the control. The map belongs into the affected cells.
- disc: images of noise, one class with a disc of 8 pixels, and a small network trained to tell. Width of the map at half its
  height.
- NF1: fields of two genotypes with cell masks, a small network trained on the left halves and explained on the right ones. How
  much of the map lies inside cells: there is no other truth.

Columns: mass, the share of the positive map inside; rank, the share of the highest places, as many as the truth has, inside;
top 3 %, that of the highest 3 %; SRG (arXiv 2401.06654), insertion area less deletion area by the scores themselves, on the first
`--curves` images of each set; forwards, a forward with its gradient counting as 2.2. Means and 95 % intervals
(1.96 standard errors). Two controls, a random map and a centred blob, say what nothing looks like.

BBBC013 and NF1 are not part of this repository: without their folders these rows are left out.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from torch import nn

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "sample_data")]
os.environ.setdefault("NAPARI_ATTRIBUTION_TRIAL", "0")

import mosaics  # noqa: E402
from fields import make_field  # noqa: E402
from stains import CLASSES, STAINS  # noqa: E402

from napari_attribution import ClassifierCard, Well, load_classifier  # noqa: E402
from napari_attribution.faithfulness.curves import curves  # noqa: E402
from napari_attribution.faithfulness.drops import drops  # noqa: E402
from napari_attribution.faithfulness.localisation import mass, precision, rank  # noqa: E402
from napari_attribution.faithfulness.sharpness import width  # noqa: E402
from napari_attribution.methods.explain import answer  # noqa: E402

SAMPLE = HERE.parent / "sample_data" / "phenotypes.pt"
FIRST_FIELD = 50_000
NONE = {"channels": "none"}
WINDOW = {"window": 32, "stride": 32}

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "PCIM": ("pcim", {}),
    "Fused Ablation-CAM": ("fused-ablation-cam", NONE),
    "Fused Ablation-CAM, regions": ("fused-ablation-cam", {**NONE, "region": 0.1}),
    "Pixel Ablation-CAM": ("pixel-ablation-cam", NONE),
    "PCIM, regions by evidence alone": ("pcim", {"covered": 0, "steps": 8}),
    "PCIM, every place for itself": ("pcim", {"region": 0.0, "steps": 8}),
    "PCIM, smooth": ("pcim", {"form": "smooth", "steps": 5, "grid": 12}),
    "PCIM, literal": ("pcim", {"form": "literal", "steps": 20}),
    "DCMIX, post-hoc": ("dcmix", {"shapley": False}),
    "Grad-CAM": ("grad-cam", NONE),
    "Grad-CAM++": ("grad-cam++", NONE),
    "Ablation-CAM": ("ablation-cam", NONE),
    "Ablation-CAM++": ("ablation-cam++", NONE),
    "Recipro-CAM": ("recipro-cam", NONE),
    "Integrated Gradients": ("integrated-gradients", {"steps": 16}),
    "Integrated Gradients, 8 px": ("integrated-gradients", {"steps": 16, "smooth": 8}),
    "Integrated Gradients, 24 px": ("integrated-gradients", {"steps": 16, "smooth": 24}),
    "Input x Gradient, 8 px": ("input-x-gradient", {"smooth": 8}),
    "Occlusion, 32 px": ("occlusion", {**NONE, **WINDOW}),
    "RISE, 150 masks": ("rise", {"masks": 150}),
    "random": ("random", {}),
    "centred blob": ("centred-blob", {}),
}
OURS = tuple(METHODS)[:9]
CONTROLS = ("random", "centred blob")
OF_THE_PAPER = ("Grad-CAM", "Ablation-CAM", "Pixel Ablation-CAM")


@dataclass(frozen=True)
class Case:
    """One image, what is asked of it, and where the truth lies."""

    well: Well
    target: str
    against: str
    inside: np.ndarray


def cases_of_mosaics(folder: Path, cache: Path, name: str, count: int) -> tuple[Any, Iterator[Case]]:
    made = mosaics.trained(folder, name, cache)
    side = mosaics.ACROSS * mosaics.TILE
    card = ClassifierCard(
        stains=mosaics.STAINS,
        classes=mosaics.CLASSES,
        size=(side, side),
        mean=list(made.mean),
        std=list(made.std),
        name=name,
    )
    found = mosaics.mosaics(folder, made, count)
    untreated, treated = mosaics.CLASSES
    wells = (Case(Well(m.pixels.astype(np.uint8), mosaics.STAINS), treated, untreated, m.inside) for m in found)
    return load_classifier(made.path, "cpu", card), wells


def cases_of_fields(count: int) -> tuple[Any, Iterator[Case]]:
    phenotypes = [name for name in CLASSES if name != "control"]

    def draw() -> Iterator[Case]:
        for number in range(count):
            field = make_field(phenotypes[number % len(phenotypes)], FIRST_FIELD + number)
            yield Case(Well(field.pixels, tuple(STAINS)), field.phenotype, "control", field.affected > 0)

    return load_classifier(SAMPLE, "cpu"), draw()


def noise(rng: np.random.Generator, side: int, disc: bool) -> tuple[np.ndarray, np.ndarray]:
    """An image of noise (1, side, side), and where its disc of 8 px is."""
    image = rng.normal(100, 10, (1, side, side))
    row, column = rng.uniform(12, side - 12, 2)
    rows, columns = np.mgrid[:side, :side]
    inside = (np.hypot(rows - row, columns - column) <= 4) & disc
    return np.clip(image + 45 * inside, 0, 255).astype(np.float32), inside


class Reader(nn.Module):
    """Four convolutions, global average pool, linear, on one stain."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(mosaics.block(1, 8, 2), mosaics.block(8, 16, 2), mosaics.block(16, 24, 2), mosaics.block(24, 24, 1))
        )
        self.head = nn.Linear(24, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(x).mean(dim=(2, 3)))


def taught(network: nn.Module, draw: Any, steps: int, folder: Path, name: str) -> Path:
    """The network trained on batches that `draw` makes, scripted."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    for _ in range(steps):
        x, y = draw()
        loss = torch.nn.functional.cross_entropy(network(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    path = folder / f"{name}.pt"
    torch.jit.script(network.eval()).save(str(path))
    return path


def cases_of_discs(folder: Path, count: int, side: int = 128) -> tuple[Any, Iterator[Case]]:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        made = [noise(rng, side, bool(i % 2))[0] for i in range(16)]
        return (torch.from_numpy(np.stack(made)) - 100) / 10, torch.arange(16) % 2

    path = taught(Reader(), batch, 150, folder, "disc")
    card = ClassifierCard(
        stains=("one",), classes=("noise", "disc"), size=(side, side), mean=[100], std=[10], name="disc"
    )
    fresh = np.random.default_rng(1)

    def draw() -> Iterator[Case]:
        for _ in range(count):
            image, inside = noise(fresh, side, True)
            yield Case(Well(image.astype(np.uint8), ("one",)), "disc", "noise", inside)

    return load_classifier(path, "cpu", card), draw()


def cases_of_nf1(folder: Path, cache: Path) -> tuple[Any, Iterator[Case]]:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    stains, classes, side = ("DAPI", "GFP", "RFP"), ("wild type", "NF1 null"), 448
    images, cells, labels = [], [], []
    for mask in sorted((folder / "Plate_2_masks").glob("*_MaskCells.tif*")):
        position, _, _, place = mask.name.split("_")[:4]
        planes = [next((folder / "Plate_2_images").glob(f"{position}_01_{c}_{place}_*.tif*")) for c in (1, 2, 3)]
        images.append(np.stack([tifffile.imread(path) for path in planes]).astype(np.float32))
        cells.append(tifffile.imread(mask) > 0)
        labels.append(int(position != "D6"))
    mean = [float(np.mean([image[c].mean() for image in images])) for c in range(3)]
    std = [float(np.mean([image[c].std() for image in images])) for c in range(3)]

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        wanted = np.arange(8) % 2
        chosen = [rng.choice(np.flatnonzero(np.array(labels) == label)) for label in wanted]
        made = []
        for index in chosen:
            image = images[index]
            top, left = rng.integers(0, image.shape[1] - 256), rng.integers(0, image.shape[2] // 2 - 256)
            made.append(
                (image[:, top : top + 256, left : left + 256] - np.reshape(mean, (3, 1, 1)))
                / np.reshape(std, (3, 1, 1))
            )
        return torch.from_numpy(np.stack(made)).float(), torch.from_numpy(wanted)

    network = mosaics.Plain()
    network.blocks[0] = mosaics.block(3, 16, 2)
    card = ClassifierCard(stains=stains, classes=classes, size=(side, side), mean=mean, std=std, name="NF1")
    path = taught(network, batch, 60, cache, "nf1")

    def draw() -> Iterator[Case]:
        for image, cell, label in zip(images, cells, labels, strict=True):
            for top in (0, image.shape[1] - side):
                here = (slice(top, top + side), slice(image.shape[2] - side, image.shape[2]))
                pixels = image[:, here[0], here[1]].astype(np.uint16)
                yield Case(Well(pixels, stains), classes[label], classes[1 - label], cell[here])

    return load_classifier(path, "cpu", card), draw()


def explained(classifier: Any, case: Case, label: str, with_curves: bool, accept: bool = False) -> dict[str, Any]:
    """What is measured of one map."""
    method, settings = METHODS[label]
    found = answer(
        classifier, case.well, method, case.target, "contrast", against=case.against, accept_flaws=accept, **settings
    )
    values = found.attribution.map
    row: dict[str, Any] = {
        "mass": mass(values, case.inside),
        "rank": rank(values, case.inside),
        "top 3 %": precision(values, case.inside, 0.03),
        "width": width(values),
        "forwards": found.attribution.forwards,
    }
    if with_curves:
        shown = found.at_input(0)
        shown = shown.sum(axis=0) if shown.ndim == 3 else shown
        row["SRG"] = curves(found.problems[0], shown, 10).raw_srg
        if label in OF_THE_PAPER:
            for kind, made in drops(found.problems[0], shown).items():
                for drop, share in zip(made, (10, 20, 30, 50), strict=True):
                    row[f"drop {kind} {share}"], row[f"increase {kind} {share}"] = drop.drop, drop.increase
    return row


def run(job: tuple[str, dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """All maps of one set of images; in a process of its own."""
    name, options = job
    torch.set_num_threads(1)
    started = time.time()
    with tempfile.TemporaryDirectory() as folder:
        kind, _, network = name.partition(": ")
        if kind == "mosaics":
            classifier, cases = cases_of_mosaics(options["bbbc013"], options["cache"], network, options["mosaics"])
        elif kind == "fields":
            classifier, cases = cases_of_fields(options["fields"])
        elif kind == "disc":
            classifier, cases = cases_of_discs(Path(folder), options["discs"])
        else:
            classifier, cases = cases_of_nf1(options["nf1"], Path(folder))
        rows = []
        for number, case in enumerate(cases):
            for label in METHODS:
                if label in options["without"]:
                    continue
                row = explained(classifier, case, label, number < options["curves"], accept=kind == "NF1")
                rows.append({"case": number, "method": label, **row})
            print(f"{name}: {number + 1}, {time.time() - started:.0f} s", flush=True)
    return name, rows


def interval(values: list[float]) -> tuple[float, float]:
    """Mean and half of the 95 % interval."""
    kept = np.array([value for value in values if np.isfinite(value)])
    if not len(kept):
        return float("nan"), float("nan")
    return float(kept.mean()), float(1.96 * kept.std(ddof=1) / len(kept) ** 0.5) if len(kept) > 1 else 0.0


def column(rows: list[dict[str, Any]], method: str, key: str) -> tuple[float, float]:
    return interval([row[key] for row in rows if row["method"] == method and key in row])


def over(sets: dict[str, list[dict[str, Any]]], method: str, key: str) -> tuple[float, float]:
    """Mean over networks, and half of its 95 % interval."""
    found = [column(rows, method, key) for rows in sets.values()]
    return float(np.mean([mean for mean, _ in found])), float(
        np.sqrt(np.sum(np.square([half for _, half in found]))) / len(found)
    )


def number(value: tuple[float, float], digits: int = 3) -> str:
    return f"{value[0]:.{digits}f} ± {value[1]:.{digits}f}" if np.isfinite(value[0]) else "-"


def table(head: list[str], body: list[list[str]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + " --- |" * len(head),
        *("| " + " | ".join(row) + " |" for row in body),
        "",
    ]


def report(sets: dict[str, list[dict[str, Any]]], facts: dict[str, Any]) -> str:
    grids = {name: rows for name, rows in sets.items() if name.startswith("mosaics")}
    labels = [label for label in METHODS if any(row["method"] == label for rows in sets.values() for row in rows)]
    references = [label for label in labels if label not in OURS and label not in CONTROLS]
    lines = ["# How faithful each map is", "", f"{facts['date']}, {facts['machine']}; {facts['versions']}.", ""]
    lines += ["Made by `python benchmarks/faithfulness.py`, which says what the columns mean. " + facts["note"], ""]
    if grids:
        count = {len({row["case"] for row in rows}) for rows in grids.values()}
        lines += [
            f"## Grid mosaics of BBBC013, {max(count)} for each of {len(grids)} networks, mean over the networks",
            "",
        ]
        body = [
            [
                label,
                *(number(over(grids, label, key)) for key in ("mass", "rank", "top 3 %")),
                number(over(grids, label, "SRG"), 2),
            ]
            + [f"{over(grids, label, 'forwards')[0]:.0f}"]
            + [
                f"{column(rows, label, 'mass')[0]:.2f} / {column(rows, label, 'top 3 %')[0]:.2f}"
                for rows in grids.values()
            ]
            for label in labels
        ]
        names = [name.partition(": ")[2] for name in grids]
        lines += table(["method", "mass", "rank", "top 3 %", "SRG (logit)", "forwards", *names], body)
        best = {key: max(references, key=lambda label: over(grids, label, key)[0]) for key in ("mass", "top 3 %")}
        lines += [
            "Best reference: " + "; ".join(f"{k} {number(over(grids, v, k))} ({v})" for k, v in best.items()) + ".",
            "",
        ]
    if "fields" in sets:
        rows = sets["fields"]
        cases = len({row["case"] for row in rows})
        lines += [f"## Planted phenotypes, {cases} made-up fields", ""]
        body = [
            [
                label,
                *(number(column(rows, label, key)) for key in ("mass", "rank", "top 3 %")),
                number(column(rows, label, "SRG"), 2),
                f"{column(rows, label, 'forwards')[0]:.0f}",
            ]
            for label in labels
        ]
        lines += table(["method", "mass", "rank", "top 3 %", "SRG (logit)", "forwards"], body)
        best = max(references, key=lambda label: column(rows, label, "rank")[0])
        lines += [f"Best reference by rank: {best}, {number(column(rows, best, 'rank'))}.", ""]
    if "disc" in sets:
        rows = sets["disc"]
        lines += ["## A classifier that reads one disc of 8 pixels", ""]
        body = [
            [label, number(column(rows, label, "width"), 1), number(column(rows, label, "mass"), 2)] for label in labels
        ]
        lines += table(["method", "width at half height, px", "mass in the disc"], body)
    if "NF1" in sets:
        rows = sets["NF1"]
        lines += [
            "## NF1, ten half fields with cell masks",
            "",
            "The classifier is explained on the other halves of the fields that it was trained on.",
            "",
        ]
        body = [
            [label, number(column(rows, label, "mass"), 2), number(column(rows, label, "top 3 %"), 2)]
            for label in labels
        ]
        lines += table(["method", "mass inside cells", "top 3 % inside cells"], body)
    lines += paper({name: rows for name, rows in sets.items() if name.startswith(("mosaics", "fields"))})
    return "\n".join(lines)


def paper(sets: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The comparison of the Pixel Ablation-CAM paper, on these classifiers."""
    lines = ["## The comparison of the Pixel Ablation-CAM paper, as it stands", ""]
    keys = [f"{what} {kind} 20" for kind in ("confidence", "activation") for what in ("drop", "increase")]
    body = [
        [name, label, *(f"{column(rows, label, key)[0]:.1f}" for key in keys)]
        for name, rows in sets.items()
        for label in OF_THE_PAPER
    ]
    body += [
        [f"paper: {network}", label, *values]
        for network, made in (
            (
                "ResNet-50",
                (
                    ("47.03", "12.70", "33.87", "8.86"),
                    ("46.85", "14.26", "33.58", "8.96"),
                    ("32.64", "23.36", "24.82", "17.98"),
                ),
            ),
            (
                "VGG-16",
                (
                    ("49.09", "15.92", "35.77", "9.69"),
                    ("46.99", "17.10", "33.78", "11.71"),
                    ("33.43", "26.43", "25.76", "18.45"),
                ),
            ),
        )
        for label, values in zip(OF_THE_PAPER, made, strict=True)
    ]
    head = [
        "classifier",
        "method",
        "average drop %, confidence",
        "increase %, confidence",
        "average drop %, activation",
        "increase %, activation",
    ]
    lines += table(head, body)
    return [
        *lines,
        "The paper's figures (Samanta et al., 2025) are of ImageNet; ours are of other images and networks, and reproduce nothing.",
        "Behind global average pooling and a linear layer, the drop of a logit with one location silenced equals Grad-CAM there,",
        "to rounding: reading importance with logits, Pixel Ablation-CAM cannot differ from Grad-CAM on a ResNet. Where the",
        "paper's ResNet column differs, it was read otherwise.",
        "",
    ]


def plot(sets: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """One line a method, best mass first; the mass and the second measure of each set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    grids = {name: rows for name, rows in sets.items() if name.startswith("mosaics")}
    panels = [("grid mosaics", grids, "top 3 %"), ("planted phenotypes", {"fields": sets.get("fields", [])}, "rank")]
    panels = [panel for panel in panels if panel[1] and all(panel[1].values())]
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(6.2 * len(panels), 6.2), squeeze=False, layout="constrained"
    )
    for axis, (title, chosen, second) in zip(axes[0], panels, strict=True):
        labels = [label for label in METHODS if np.isfinite(over(chosen, label, "mass")[0])]
        labels.sort(key=lambda label: over(chosen, label, "mass")[0])
        for key, marker, filled in (("mass", "o", True), (second, "D", False)):
            for height, label in enumerate(labels):
                colour = "#D55E00" if label in OURS else "#808080" if label in CONTROLS else "#0072B2"
                mean, half = over(chosen, label, key)
                face = colour if filled else "white"
                axis.errorbar(
                    mean, height, xerr=half, fmt=marker, color=colour, markerfacecolor=face, markersize=6, linewidth=1
                )
        axis.set(title=title, xlabel=f"share inside: mass (dot), {second} (diamond)", xlim=(0, 1.02))
        axis.set_yticks(range(len(labels)), labels, fontsize=8)
        axis.grid(axis="both", color="#E5E5E5")
        axis.set_axisbelow(True)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bbbc013", type=Path, help="folder with BBBC013v1, rows A-D, and 1049_Metadata.csv")
    parser.add_argument("--nf1", type=Path, help="folder with the NF1 fields and masks")
    parser.add_argument("--mosaics", type=int, default=34, help="for each network")
    parser.add_argument("--fields", type=int, default=60)
    parser.add_argument("--discs", type=int, default=12)
    parser.add_argument("--curves", type=int, default=8, help="images of each set for which curves are drawn")
    parser.add_argument("--without", nargs="*", default=[], help="rows to leave out")
    parser.add_argument(
        "--only", nargs="*", default=[], help="rows to compute; the others stay as they are in the results of --out"
    )
    parser.add_argument("--sets", nargs="*", default=[], help="the same for mosaics, fields, disc and NF1")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", type=Path, default=HERE.parent / ".cache", help="folder for trained networks")
    parser.add_argument("--out", type=Path, help="folder in which to keep the results")
    options = parser.parse_args()
    jobs = ["fields", "disc"]
    if options.bbbc013:
        jobs = [f"mosaics: {name}" for name in mosaics.NETWORKS] + jobs
    if options.nf1:
        jobs.append("NF1")
    if options.sets:
        jobs = [name for name in jobs if name.partition(": ")[0] in options.sets]
    if options.only:
        options.without += [label for label in METHODS if label not in options.only]
    before = earlier(options.out) if options.only or options.sets else None
    sets: dict[str, list[dict[str, Any]]] = {} if before is None else before["sets"]
    started = time.time()
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for name, rows in pool.imap(run, [(name, vars(options)) for name in jobs]):
            sets[name] = in_order(rows + [row for row in sets.get(name, []) if row["method"] in options.without])
            facts = facts_of(started, options, before)
            if options.out:
                keep(sets, facts, options.out)
    print(report(sets, facts))


def earlier(out: Path | None) -> dict[str, Any]:
    """The results that are there already."""
    if out is None or not (out / "faithfulness.json").is_file():
        raise SystemExit("--only and --sets add to earlier results: name their folder with --out.")
    return json.loads((out / "faithfulness.json").read_text("utf-8"))


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By image, and in the order of the table."""
    order = list(METHODS)
    return sorted(
        (row for row in rows if row["method"] in order), key=lambda row: (row["case"], order.index(row["method"]))
    )


def facts_of(started: float, options: argparse.Namespace, before: dict[str, Any] | None) -> dict[str, str]:
    """When, where, and by what all this was measured."""
    took = f"Took {(time.time() - started) / 60:.0f} min with {options.processes} processes."
    if before is not None:
        sets, rows = ", ".join(options.sets) or "all sets", "; ".join(options.only) or "all rows"
        took = f"{before['facts']['note']} Then computed anew, {date.today().isoformat()}: of {sets}, {rows}."
    return {
        "date": date.today().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in ("torch", "napari-attribution", "captum")),
        "note": took,
    }


def keep(sets: dict[str, list[dict[str, Any]]], facts: dict[str, str], out: Path) -> None:
    """The tables, the numbers behind them, the plot; after every set, so that a run that is stopped leaves what it has."""
    out.mkdir(parents=True, exist_ok=True)
    rounded = {
        name: [{k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
        for name, rows in sets.items()
    }
    (out / "faithfulness.json").write_text(json.dumps({"facts": facts, "sets": rounded}) + "\n", "utf-8")
    (out / "faithfulness.md").write_text(report(sets, facts), "utf-8")
    plot(sets, out / "faithfulness.png")


if __name__ == "__main__":
    main()
