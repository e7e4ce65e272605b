"""A made-up plate with a trap: in every treated well, and in no other, a shadow lies along the left side of the field.

The compound breaks the mitochondria of some of the cells into pieces, of the more cells the more of it is given. A
classifier may call the treated wells by that, or by the shadow; its accuracy on this plate is the same.

Treated wells and controls alternate like the squares of a chessboard, so that neither rows nor columns nor the rim of
the plate go with the treatment. The fields are binned, 2 x 2 pixels to one, as cameras do it for screens.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fields import Field, Scene, Shadow
from numpy.typing import NDArray
from shapes import PIXEL_SIZE
from stains import STAINS

BINNING = 2
TREATMENT, CONTROL = "compound", "DMSO"
PHENOTYPE = "mito fragmented"
"""What the compound does."""
AFFECTED = {0.3: (0.0, 0.03), 1.0: (0.3, 0.38), 3.0: (0.4, 0.48), 10.0: (0.5, 0.6)}
"""Between which shares of the cells are affected, by the concentration in uM; one cell at least."""
DOSES = (1.0, 3.0, 10.0)
"""Those on the plate."""
FIRST_SEED = 50_000
_SHADOW = 5  # the stream of random numbers of a field's shadow; those of its parts are 0 to 4


@dataclass(frozen=True)
class Spot:
    """A field of the plate, and the truth about it.

    Attributes
    ----------
    position : str
        Of its well, such as "B03".
    number : int
        Of the field in the well, from 0.
    treatment : str
        `TREATMENT` or `CONTROL`.
    concentration : float
        Of the compound, in uM; 0 for the control.
    seed : int
        What the field is drawn from.
    shadowed : bool
        Whether a shadow lies on it.
    """

    position: str
    number: int
    treatment: str
    concentration: float
    seed: int
    shadowed: bool

    @property
    def phenotype(self) -> str:
        """The class that a sound classifier gives it."""
        return PHENOTYPE if self.treatment == TREATMENT else "control"

    def draw(self) -> Field:
        """The field as the microscope sees it, before it is binned."""
        shadow = shadow_of(self.seed) if self.shadowed else None
        return Scene(self.seed, AFFECTED.get(self.concentration, (0.35, 0.6)), shadow).field(self.phenotype)

    def pixels(self) -> NDArray[np.uint16]:
        """(5, H, W) ndarray of uint16: the field as the plate has it, binned."""
        return binned(self.draw().pixels)


def shadow_of(seed: int) -> Shadow:
    """The shadow on the field of a seed: each is a little different."""
    rng = np.random.default_rng([seed, _SHADOW])
    return Shadow(depth=rng.uniform(0.48, 0.62), reach=rng.uniform(0.026, 0.03), bow=rng.uniform(0, 0.01))


def binned(pixels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """(C, H, W) to (C, H / 2, W / 2): the mean of 2 x 2 pixels, rounded."""
    C, H, W = pixels.shape
    blocks = pixels.reshape(C, H // BINNING, BINNING, W // BINNING, BINNING).astype(np.uint32)
    return ((blocks.sum((2, 4)) + BINNING**2 // 2) // BINNING**2).astype(np.uint16)


def layout(rows: int = 4, columns: int = 6, first_seed: int = FIRST_SEED) -> Iterator[Spot]:
    """The fields of a plate, row by row: one a well, two in the wells that do not lie at the rim."""
    seed = first_seed
    for row in range(rows):
        for column in range(columns):
            treated = (row + column) % 2 == 1
            dose = DOSES[(row + column // 2) % len(DOSES)] if treated else 0.0
            inner = 0 < row < rows - 1 and 0 < column < columns - 1
            for number in range(1 + inner):
                position = f"{chr(ord('A') + row)}{column + 1:02d}"
                yield Spot(position, number, TREATMENT if treated else CONTROL, dose, seed, shadowed=treated)
                seed += 1


def write_plate(path: Path, spots: Iterable[Spot], name: str) -> None:
    """Write a plate as OME-Zarr (0.4); what was there before goes."""
    from ngio import ImageInWellPath, create_empty_plate, create_ome_zarr_from_array

    spots = list(spots)
    if path.exists():
        shutil.rmtree(path)
    images = [ImageInWellPath(path=str(spot.number), row=spot.position[0], column=spot.position[1:]) for spot in spots]
    create_empty_plate(str(path), name, images, ngff_version="0.4")
    with ProcessPoolExecutor(2) as pool:
        for spot, pixels in zip(spots, pool.map(Spot.pixels, spots), strict=True):
            create_ome_zarr_from_array(
                str(path / spot.position[0] / spot.position[1:] / str(spot.number)),
                pixels,
                pixelsize=BINNING * PIXEL_SIZE,
                levels=1,
                axes_names=["c", "y", "x"],
                channels_meta=list(STAINS),
                name=f"{spot.position} field {spot.number}",
                chunks=(len(STAINS), 512 // BINNING, 512 // BINNING),
                compressors={"id": "blosc", "cname": "zstd", "clevel": 9, "shuffle": 1},
                ngff_version="0.4",
            )


def write_conditions(path: Path, spots: Iterable[Spot]) -> None:
    """Write what was done to each well as CSV."""
    wells = {spot.position: (spot.treatment, f"{spot.concentration:g}") for spot in spots}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("well", "treatment", "concentration"))
        writer.writerows((position, *conditions) for position, conditions in wells.items())
