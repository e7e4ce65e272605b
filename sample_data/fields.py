"""Made-up Cell Painting fields with known truth: which stain a phenotype changes, and in which cells.

Each part of a field has a stream of random numbers of its own, drawn from the seed. Two fields of one seed and
different phenotypes therefore have the same cells, and differ in the one stain of their phenotypes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from shapes import SHAPE, Floats, Labels, Layout, lay_out
from stains import CLASSES, STAIN_OF, STAINS, paint, repaint


@dataclass(frozen=True)
class Camera:
    """How one stain gets from the cells into detector units.

    Attributes
    ----------
    exposure : float
        Detector units above the offset where the stain is 1.
    blur : float
        Standard deviation of the point spread in pixels.
    haze : float
        Share of the light that comes from out of focus.
    medium : float
        Detector units of light from the medium, everywhere.
    vignette : float
        How much darker the corners of the field are lit than its middle.
    middle : tuple of float
        Where the light is brightest, (y, x), as parts of the field.
    """

    exposure: float
    blur: float
    haze: float
    medium: float
    vignette: float
    middle: tuple[float, float]


CAMERAS = {
    "DNA": Camera(780, 0.85, 0.10, 14, 0.22, (0.46, 0.53)),
    "ER": Camera(620, 0.95, 0.16, 24, 0.18, (0.52, 0.47)),
    "RNA": Camera(540, 0.95, 0.16, 30, 0.20, (0.55, 0.55)),
    "AGP": Camera(640, 0.95, 0.14, 22, 0.26, (0.44, 0.49)),
    "Mito": Camera(430, 0.90, 0.14, 12, 0.24, (0.50, 0.42)),
}


@dataclass(frozen=True)
class Shadow:
    """Less light along the left side of a field, of all stains alike: what a meniscus or the rim of a well does.

    Attributes
    ----------
    depth : float
        Share of the light that is lost at the side itself.
    reach : float
        How far from the side, in the middle of it, about 60 % of that are left, as part of the field's width.
    bow : float
        How much further it reaches at the upper and lower corners, as part of the field's width.
    """

    depth: float
    reach: float
    bow: float

    def light(self, shape: tuple[int, int]) -> Floats:
        """(H, W) ndarray: the share of the light that is left."""
        y, x = np.ogrid[-1 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
        return 1 - self.depth * np.exp(-0.5 * (x / (self.reach + self.bow * y**2)) ** 2)


OFFSET = 112
"""Detector units that the camera adds to every pixel."""
ELECTRONS = 2.4
"""Electrons to one detector unit."""
READ_NOISE = 2.6
"""Standard deviation in electrons."""

_LAYOUT, _AFFECTED, _PAINT, _REPAINT, _CAMERA = range(5)


@dataclass(frozen=True)
class Field:
    """One field of a well and the truth about it.

    Attributes
    ----------
    pixels : (5, H, W) ndarray of uint16
        The stains, in the order of `STAINS`, in detector units.
    cells : (H, W) ndarray of uint16
        Labels of the cells.
    affected : (H, W) ndarray of uint16
        The same labels, of the cells with the phenotype alone.
    phenotype : str
        One of `CLASSES`.
    stain : str or None
        The stain that the phenotype changes; None for the control.
    seed : int
        What the field was drawn from.
    """

    pixels: NDArray[np.uint16]
    cells: Labels
    affected: Labels
    phenotype: str
    stain: str | None
    seed: int


class Scene:
    """The cells of one seed, of which a field of any phenotype can be taken.

    Parameters
    ----------
    seed : int
        A seed gives the same pixels each time.
    affected : (float, float), optional
        Between which shares of the cells a phenotype takes hold.
    shadow : Shadow, optional
        What keeps the light from a part of the field.
    """

    def __init__(self, seed: int, affected: tuple[float, float] = (0.35, 0.6), shadow: Shadow | None = None) -> None:
        self.seed = seed
        self._between = affected
        self._shadow = shadow
        self._untreated: dict[str, Floats] = {}
        self._taken: dict[tuple[str, str | None], NDArray[np.uint16]] = {}

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])

    @cached_property
    def layout(self) -> Layout:
        """Where the cells lie."""
        return lay_out(self._rng(_LAYOUT), SHAPE)

    @cached_property
    def affected(self) -> Labels:
        """(H, W) ndarray of uint16: labels of the cells in which a phenotype takes hold, 0 elsewhere."""
        rng = self._rng(_AFFECTED)
        n = self.layout.count
        hit = rng.permutation(n)[: max(1, round(rng.uniform(*self._between) * n))]
        kept = np.zeros(n + 1, np.uint16)
        kept[hit + 1] = hit + 1
        return kept[self.layout.cells]

    def field(self, phenotype: str) -> Field:
        """The field as it looks with a phenotype, or as control.

        Raises
        ------
        ValueError
            Where there is no such phenotype.
        """
        if phenotype not in CLASSES:
            raise ValueError(f"No phenotype {phenotype!r}: one of {', '.join(map(repr, CLASSES))} is wanted.")
        stain = STAIN_OF.get(phenotype)
        pixels = np.stack([self._taken_of(name, phenotype if name == stain else None) for name in STAINS])
        affected = self.affected if stain else np.zeros_like(self.affected)
        return Field(pixels, self.layout.cells, affected, phenotype, stain, self.seed)

    def _taken_of(self, stain: str, phenotype: str | None) -> NDArray[np.uint16]:
        key = (stain, phenotype)
        if key not in self._taken:
            at = STAINS.index(stain)
            if stain not in self._untreated:
                self._untreated[stain] = paint(stain, self.layout, self._rng(_PAINT, at))
            image = self._untreated[stain]
            if phenotype:
                changed = repaint(phenotype, self.layout, self._rng(_REPAINT, at), image)
                image = np.where(self.affected > 0, changed, image)
            self._taken[key] = take(image, CAMERAS[stain], self._rng(_CAMERA, at), self._shadow)
        return self._taken[key]


def make_field(phenotype: str, seed: int, affected: tuple[float, float] = (0.35, 0.6)) -> Field:
    """A field of a phenotype, the same each time for a seed.

    Parameters
    ----------
    phenotype : str
        One of `CLASSES`.
    seed : int
        Any whole number from 0.
    affected : (float, float), optional
        Between which shares of the cells the phenotype takes hold.

    Returns
    -------
    Field
        Pixels, cells and truth.
    """
    return Scene(seed, affected).field(phenotype)


def take(image: Floats, camera: Camera, rng: np.random.Generator, shadow: Shadow | None = None) -> NDArray[np.uint16]:
    """(H, W) ndarray of uint16: a stain as the camera sees it, in detector units.

    Shot noise is drawn as normal noise of the same variance: there are many electrons in every pixel, and a normal
    draw takes the same share of the random stream whatever the pixel, which a Poisson draw does not.
    """
    sharp = ndimage.gaussian_filter(image, camera.blur, mode="nearest")
    near, far = (_wide_blur(image, width) for width in (7, 28))
    light = (1 - camera.haze) * sharp + camera.haze * (0.65 * near + 0.35 * far)
    breath = rng.normal(0, 0.01, 2)
    y, x = np.ogrid[0 : 1 : image.shape[0] * 1j, 0 : 1 : image.shape[1] * 1j]
    away = (y - camera.middle[0] - breath[0]) ** 2 + (x - camera.middle[1] - breath[1]) ** 2
    lit = 1 - camera.vignette * away / 0.5
    if shadow is not None:
        lit = lit * shadow.light(image.shape)
    electrons = ELECTRONS * lit * (camera.exposure * light + camera.medium)
    electrons = electrons + np.sqrt(electrons + READ_NOISE**2) * rng.standard_normal(image.shape)
    return np.clip(np.rint(electrons / ELECTRONS + OFFSET), 0, 65535).astype(np.uint16)


def _wide_blur(image: Floats, width: float, by: int = 4) -> Floats:
    """A wide gaussian blur, done on averages of `by` x `by` pixels."""
    H, W = image.shape
    coarse = image.reshape(H // by, by, W // by, by).mean((1, 3))
    coarse = ndimage.gaussian_filter(coarse, width / by, mode="nearest")
    return ndimage.zoom(coarse, by, order=1, grid_mode=True, mode="nearest")
