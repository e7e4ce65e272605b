"""Plates in real files whose classes show in one stain and in nothing else: a training on them takes a second or two."""

import zlib
from pathlib import Path

import numpy as np
import tifffile

from napari_attribution.training.recipe import Recipe

STAINS = ("DNA", "GFP", "Mito")
TELLING = "GFP"
POSITIONS = tuple(f"{row}{column:02d}" for row in "ABCD" for column in range(1, 7))
CLASSES = {p: "hit" if ("ABCD".index(p[0]) + int(p[1:])) % 2 else "control" for p in POSITIONS}
"""Like the squares of a chessboard, so that neither row, nor column, nor rim goes with them."""

QUICK = Recipe(size=32, epochs=3, patience=3, seeds=2, batch=8, least_steps=6, crop=1.0)


def field_pixels(position, number, label, stains=STAINS, shape=(36, 40)):
    """(C, H, W) uint16: in the hits, GFP has five times the spots; the others know nothing of the class."""
    rng = np.random.default_rng(zlib.crc32(f"{position}/{number}".encode()))
    planes = []
    for stain in STAINS:
        spots = rng.random(shape) < (0.5 if stain == TELLING and label == "hit" else 0.1)
        planes.append((200 + 900 * spots + rng.normal(0, 20, shape)).clip(0).astype(np.uint16))
    return np.stack([planes[STAINS.index(stain)] for stain in stains])


def plate_of_tiffs(folder: Path, classes=CLASSES, fields=1, without=()) -> Path:
    """A folder of one TIFF a stain; `without` names the (position, stain) whose file is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for position, label in classes.items():
        for number in range(1, fields + 1):
            for stain, plane in zip(STAINS, field_pixels(position, number, label), strict=True):
                if (position, stain) not in without:
                    tifffile.imwrite(folder / f"made_{position}_s{number}_w{STAINS.index(stain) + 1}.tif", plane)
    return folder


def csv_of(path: Path, rows, header="well,label") -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", "utf-8")
    return path
