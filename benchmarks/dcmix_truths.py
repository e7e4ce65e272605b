"""Data whose important stain is known: digits that agree with the class to a known degree, and drawn cells."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from napari_attribution import Well, read_well
from napari_attribution.training.fields.examples import Examples

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data"
SIDE = 32
GRADES = (0.95, 0.80, 0.65, 0.50, 0.35, 0.20)
CHANCE = 0.1
"""How often a digit drawn at random agrees with the class."""
SIZE = 256


@dataclass(frozen=True, eq=False)
class Task:
    """Examples on three sides, whose pixels are in detector units until they are standardised.

    Parameters
    ----------
    stains : tuple of C str
    pixels : three (N, C, h, w) float32 ndarrays
        To train, to stop by, held out.
    classes : three (N,) int64 ndarrays
    groups : three lists of N str
    """

    stains: tuple[str, ...]
    pixels: tuple[np.ndarray, ...]
    classes: tuple[np.ndarray, ...]
    groups: tuple[Sequence[str], ...]

    def sides(self, stain: int | None = None, standardised: bool = True) -> tuple[Examples, ...]:
        """As a network sees them: each stain by its own mean and deviation in training, or all by the same ones."""
        axes = (0, 2, 3) if standardised else (0, 1, 2, 3)
        mean = self.pixels[0].mean(axes, keepdims=True)
        deviation = self.pixels[0].std(axes, keepdims=True)
        made = []
        for pixels, classes, groups in zip(self.pixels, self.classes, self.groups, strict=True):
            inputs = ((pixels - mean) / deviation).astype(np.float32)
            made.append(Examples(inputs if stain is None else inputs[:, stain : stain + 1], classes, tuple(groups)))
        return tuple(made)


# ---------------------------------------------------------------------------------------------------------------- digits


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 32, 32) digits from 0 to 1, and which they are."""
    from sklearn.datasets import load_digits

    found = load_digits()
    small = torch.from_numpy(found.images[:, None].astype(np.float32) / 16)
    large = interpolate(small, size=(SIDE, SIDE), mode="bilinear", align_corners=False)[:, 0]
    return large.numpy(), found.target.astype(np.int64)


def digits(
    seed: int,
    grades: Sequence[float] = GRADES,
    same: Sequence[tuple[int, int]] = (),
    brighter: dict[int, float] | None = None,
    counts: tuple[int, int, int] = (1000, 300, 500),
) -> Task:
    """Ten classes; channel c shows a digit of the class with probability `grades[c]`, else of any other class.

    Parameters
    ----------
    seed : int
    grades : sequence of C float
        0 is a channel of noise that shows no digit at all.
    same : sequence of (int, int), optional
        Channels that are copies: the second of the first, with noise of the camera of its own.
    brighter : mapping of int to float, optional
        How many times brighter than the others a channel is.
    counts : (int, int, int), optional
        Examples to train, to stop by, held out; made of digits that are on one side alone.
    """
    rng = np.random.default_rng([seed, 13])
    images, shown = _digits()
    order = rng.permutation(len(images))
    pools = np.split(order, [int(0.55 * len(order)), int(0.7 * len(order))])
    pixels, classes = [], []
    for pool, count in zip(pools, counts, strict=True):
        of_digit = [pool[shown[pool] == digit] for digit in range(10)]
        known = rng.integers(10, size=count)
        made = np.zeros((count, len(grades), SIDE, SIDE), np.float32)
        for c, grade in enumerate(grades):
            if grade:
                agrees = rng.random(count) < grade
                digit = np.where(agrees, known, (known + rng.integers(1, 10, count)) % 10)
                made[:, c] = images[[rng.choice(of_digit[one]) for one in digit]]
        for first, copy in same:
            made[:, copy] = made[:, first]
        # What a camera adds; a channel of noise is this alone.
        made = made * 1000 + rng.normal(200, 150, made.shape).astype(np.float32)
        for c, times in (brighter or {}).items():
            made[:, c] *= times
        pixels.append(made)
        classes.append(known)
    groups = tuple([f"{side} {n}" for n in range(len(part))] for side, part in zip("tvh", classes, strict=True))
    return Task(tuple(f"channel {c + 1}" for c in range(len(grades))), tuple(pixels), tuple(classes), groups)


# ----------------------------------------------------------------------------------------------------------- drawn cells

STAINS = ("DNA", "ER", "RNA", "AGP", "Mito")
PHENOTYPES = ("mito fragmented", "actin fibres", "rna granules")
CHANGED = {"mito fragmented": "Mito", "actin fibres": "AGP", "rna granules": "RNA"}


def draw(seed: int) -> np.ndarray:
    """(4, 5, 256, 256): a scene as control and with each of the phenotypes, in detector units, at an input's size."""
    sys.path.insert(0, str(SAMPLE))
    from fields import Scene

    torch.set_num_threads(1)
    scene = Scene(seed)
    fields = torch.from_numpy(
        np.stack([scene.field(name).pixels for name in ("control", *PHENOTYPES)]).astype(np.float32)
    )
    return interpolate(fields, size=(SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False).numpy()


def drawn(seeds: Sequence[int], processes: int) -> np.ndarray:
    """(seeds, 4, 5, 256, 256)."""
    with ProcessPoolExecutor(processes) as pool:
        return np.stack(list(pool.map(draw, seeds)))


def planted(scenes: np.ndarray, task: str, seed: int) -> Task:
    """Fields of a task; all fields of a scene are on one side, and show the same cells.

    Parameters
    ----------
    scenes : (scenes, 4, 5, h, w) ndarray
    task : str
        A phenotype against control; "either: a, b", one of two phenotypes against control; "both: a, b", cells with both
        changes against control, the one and the other; "each", every phenotype a class of its own.
    seed : int
        Of the split.
    """
    order = np.random.default_rng([seed, 17]).permutation(len(scenes))
    parts = np.split(order, [round(0.55 * len(order)), round(0.75 * len(order))])
    pixels: list[np.ndarray] = []
    classes, groups = [], []
    for part in parts:
        made = [(field, kind, str(scene)) for scene in part for field, kind in _fields(scenes[scene], task)]
        pixels.append(np.stack([field for field, _, _ in made]))
        classes.append(np.array([kind for _, kind, _ in made], np.int64))
        groups.append([scene for _, _, scene in made])
    return Task(STAINS, tuple(pixels), tuple(classes), tuple(groups))


def _fields(scene: np.ndarray, task: str) -> Iterator[tuple[np.ndarray, int]]:
    control = scene[0]
    if task == "each":
        yield from zip(scene, range(len(scene)), strict=True)
        return
    how, _, names = task.partition(": ")
    if not names:
        yield from ((control, 0), (scene[1 + PHENOTYPES.index(task)], 1))
        return
    one, other = (scene[1 + PHENOTYPES.index(name)] for name in names.split(", "))
    if how == "either":
        yield from ((control, 0), (control, 0), (one, 1), (other, 1))
        return
    stain = STAINS.index(CHANGED[names.split(", ")[1]])
    both = one.copy()
    both[stain] = other[stain]
    yield from ((control, 0), (one, 0), (other, 0), *[(both, 1)] * 3)


def changed(task: str) -> set[str]:
    """The stains that a task is about."""
    if task == "each":
        return set(CHANGED.values())
    names: Any = task.partition(": ")[2] or task
    return {CHANGED[name] for name in names.split(", ")}


# ------------------------------------------------------------------------------------------------------------ real wells

TRANSLOCATION = ("GFP", "DNA")


def translocation(folder: Path) -> tuple[list[Well], list[str]]:
    """BBBC013, rows A-D: the wells of no dose and of the doses from rank 7 on, and which of the two each is."""
    with (folder / "1049_Metadata.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["Row"] in "ABCD"]
    wells, labels = [], []
    for row in rows:
        dose = int(float(row["SBS_Doses"]))
        if dose == 0 or dose >= 7:
            first = next(folder.glob(f"Channel1-*-{row['Row']}-{int(row['Column']):02d}.tif"))
            wells.append(read_well(first, stains=TRANSLOCATION))
            labels.append("translocated" if dose else "untreated")
    return wells, labels


def of_wells(wells: Sequence[Well], labels: Sequence[str], seed: int, size: int) -> Task:
    """Wells as a task; class 0 is the last by the alphabet. A quarter is held out, a fifth of the rest tells when to stop."""
    raw = torch.from_numpy(np.stack([well.pixels for well in wells]).astype(np.float32))
    pixels = interpolate(raw, size=(size, size), mode="bilinear", antialias=True, align_corners=False).numpy()
    classes = np.array([sorted(set(labels), reverse=True).index(label) for label in labels], np.int64)
    rng, sides = np.random.default_rng([seed, 19]), ([], [], [])  # type: ignore[var-annotated]
    for known in np.unique(classes):
        own = rng.permutation(np.flatnonzero(classes == known))
        out = round(len(own) / 4)
        stop = round((len(own) - out) / 5)
        for side, part in zip(sides, (own[out + stop :], own[out : out + stop], own[:out]), strict=True):
            side.extend(part)
    return Task(
        wells[0].stains,
        tuple(pixels[side] for side in sides),
        tuple(classes[side] for side in sides),
        tuple([str(number) for number in side] for side in sides),
    )
