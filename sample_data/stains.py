"""Five stains of made-up cells, and three phenotypes that each redraw one of them at the same brightness.

A stain is painted in two steps: `paint` draws it as it is in untreated cells; `repaint` draws the same stain as a
phenotype has it. Cell by cell, both have the same total brightness, so brightness tells nothing of the phenotype.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage
from shapes import Floats, Layout, smooth_noise, splat, spots

STAINS = ("DNA", "ER", "RNA", "AGP", "Mito")
CLASSES = ("control", "mito fragmented", "actin fibres", "rna granules")
STAIN_OF = {"mito fragmented": "Mito", "actin fibres": "AGP", "rna granules": "RNA"}
"""The one stain that a phenotype changes."""


def paint(stain: str, layout: Layout, rng: np.random.Generator) -> Floats:
    """(H, W) ndarray: a stain in untreated cells, about 1 where it is plainly there, without optics or noise."""
    return _PAINTERS[stain](layout, rng)


def repaint(phenotype: str, layout: Layout, rng: np.random.Generator, untreated: Floats) -> Floats:
    """(H, W) ndarray: the stain of a phenotype if all cells had it, as bright per cell as it was untreated."""
    return _REPAINTERS[phenotype](layout, rng, untreated)


def _dna(layout: Layout, rng: np.random.Generator) -> Floats:
    """Nuclei: brighter after replication, mottled by chromatin, with darker nucleoli."""
    replicated = rng.random(layout.count) < 0.35
    content = np.where(replicated, 1.45, 1.0) * rng.lognormal(0, 0.13, layout.count)
    chromatin = 1 + 0.16 * smooth_noise(rng, 2.6) + 0.13 * smooth_noise(rng, 6)
    dome = 0.78 + 0.22 * np.clip(-layout.beyond / 8, 0, 1)
    body = layout.nucleus * dome * np.clip(chromatin, 0.35, None) * (1 - 0.42 * layout.nucleoli)
    return layout.spread(content) * (body + 0.012 * layout.height)


def _er(layout: Layout, rng: np.random.Generator) -> Floats:
    """Endoplasmic reticulum: a web, densest around the nucleus, out of which the nucleus is spared."""
    web = np.exp(-((smooth_noise(rng, 3.8) / 0.5) ** 2)) + 0.8 * np.exp(-((smooth_noise(rng, 2.4) / 0.6) ** 2))
    patchy = np.clip(1 + 0.18 * smooth_noise(rng, 16), 0.4, None)
    around = 0.55 + 0.75 * np.exp(-np.maximum(layout.beyond, 0) / 9)
    body = layout.height * around * (0.45 + 0.5 * web) * patchy * (1 - 0.68 * layout.nucleus)
    envelope = 0.16 * np.exp(-((layout.beyond / 1.2) ** 2)) * (layout.cells > 0)
    return layout.spread(rng.lognormal(0, 0.22, layout.count)) * (body + envelope)


def _rna(layout: Layout, rng: np.random.Generator) -> Floats:
    """RNA: nucleoli bright, the cytoplasm finely grained, the rest of the nucleus dimmer."""
    grain = np.clip(1 + 0.13 * smooth_noise(rng, 2.4) + 0.12 * smooth_noise(rng, 9), 0.3, None)
    cytoplasm = layout.height * grain * (1 - layout.nucleus)
    nucleus = layout.nucleus * (0.52 * np.clip(1 + 0.1 * smooth_noise(rng, 3), 0.4, None) + 1.15 * layout.nucleoli)
    return layout.spread(rng.lognormal(0, 0.2, layout.count)) * (cytoplasm + nucleus)


def _agp(layout: Layout, rng: np.random.Generator) -> Floats:
    """Actin, Golgi and plasma membrane: a ruffled cortex, a patch beside the nucleus, a faint cell body."""
    ruffles = np.clip(1 + 0.55 * smooth_noise(rng, 12) + 0.3 * smooth_noise(rng, 4), 0.12, None)
    cortex = (np.exp(-layout.rim / 1.9) + 0.3 * np.exp(-layout.rim / 6)) * ruffles * (layout.cells > 0)
    grain = np.clip(1 + 0.16 * smooth_noise(rng, 3) + 0.12 * smooth_noise(rng, 8), 0.3, None)
    body = 0.42 * layout.height * grain * (1 - 0.35 * layout.nucleus)
    bundles = 0.15 * _fibres(layout, rng) * np.clip(smooth_noise(rng, 22), 0, 1.5)
    image = 0.8 * cortex + body + bundles + _golgi(layout, rng)
    return layout.spread(rng.lognormal(0, 0.2, layout.count)) * image


def _golgi(layout: Layout, rng: np.random.Generator) -> Floats:
    """Stacks of the Golgi, huddled at one side of each nucleus."""
    side = rng.uniform(-np.pi, np.pi, layout.count)
    toward = np.cos(np.arctan2(layout.across, layout.along) - layout.spread(side))
    outside = np.maximum(layout.beyond, 0)
    weight = np.exp(3.5 * (toward - 1)) * np.exp(-outside / 3.5) * (layout.beyond > 1) * (layout.rim > 3)
    counts = rng.integers(12, 22, layout.count)
    y, x = layout.places(rng, weight + 1e-12, counts)
    stacks = spots(y, x, rng.uniform(0.9, 1.9, len(y)), rng.uniform(0.3, 0.7, len(y)))
    return np.minimum(stacks, 1.3) * (layout.cells > 0) * (1 - 0.8 * layout.nucleus)


def _mito(layout: Layout, rng: np.random.Generator) -> Floats:
    """Mitochondria: threads that wind through the cytoplasm, thinning out towards the rim."""
    counts = np.maximum(rng.poisson(0.0135 * layout.totals(layout.rim > 2)), 6)
    threads = _threads(layout, rng, counts, steps=48)
    threads = ndimage.gaussian_filter(threads, 0.55)
    diffuse = 0.12 * layout.height * (1 - 0.65 * layout.nucleus)
    image = 1.7 * np.tanh(threads / 1.7) * (layout.cells > 0) + diffuse  # threads that cross do not add up
    return layout.spread(rng.lognormal(0, 0.22, layout.count)) * image


def _threads(layout: Layout, rng: np.random.Generator, counts: Floats, steps: int, step: float = 0.7) -> Floats:
    """Threads walked through the cytoplasm of their cells: they keep their heading a while, and turn at obstacles."""
    free = (layout.rim > 2.5) & (layout.beyond > 1.0)
    y, x = layout.places(rng, free * np.exp(-np.maximum(layout.beyond, 0) / 16) + 1e-12, counts)
    owner = np.repeat(np.arange(1, layout.count + 1), counts)
    middle = layout.centres[owner - 1]
    outward = np.arctan2(y - middle[:, 0], x - middle[:, 1])
    heading = outward + rng.choice([0.0, np.pi / 2, -np.pi / 2], len(y)) + rng.normal(0, 0.6, len(y))
    bend = np.zeros(len(y))
    length = rng.uniform(0.35, 1, len(y)) * steps
    bright = rng.uniform(0.6, 1.25, len(y))
    shape = layout.cells.shape
    walked = []
    for at in range(steps):
        bend = 0.8 * bend + rng.normal(0, 0.07, len(y))
        heading = heading + bend
        turn = rng.choice([-1.0, 1.0], len(y)) * rng.uniform(0.5, 1.2, len(y))
        ny, nx = y + step * np.sin(heading), x + step * np.cos(heading)
        py, px = np.rint(ny).astype(int), np.rint(nx).astype(int)
        inside = (py >= 0) & (py < shape[0]) & (px >= 0) & (px < shape[1])
        py, px = np.where(inside, py, 0), np.where(inside, px, 0)
        open_ = inside & free[py, px] & (layout.cells[py, px] == owner)
        y, x = np.where(open_, ny, y), np.where(open_, nx, x)
        heading = np.where(open_, heading, heading + turn)
        walked.append((y, x, bright * open_ * (at < length)))
    y, x, weight = (np.concatenate(part) for part in zip(*walked, strict=True))
    return splat(y, x, weight, shape)


def _fibres(layout: Layout, rng: np.random.Generator) -> Floats:
    """Parallel fibres along the long axis of each cell, unevenly spaced and unevenly bright."""
    n = layout.count
    bow = layout.spread(rng.normal(0, 0.0016, n))
    phase = layout.spread(rng.uniform(0, 2 * np.pi, n))
    spacing = layout.spread(rng.uniform(4.8, 6.4, n), outside=6.0)
    across = layout.across + bow * layout.along**2 + 0.7 * smooth_noise(rng, 40)
    across = across + 1.7 * np.sin(across / 5.1 + phase)
    index = np.floor(across / spacing).astype(int)
    offset = (across / spacing - index - 0.5) * spacing
    strength = rng.uniform(0.15, 1.2, (n + 1, 64))[layout.cells, np.clip(index + 32, 0, 63)]
    fade = np.clip(1 + 0.45 * smooth_noise(rng, 13), 0.1, None)
    ends = 1 - np.exp(-layout.rim / 3)
    return np.exp(-0.5 * (offset / 0.85) ** 2) * strength * fade * ends * (layout.cells > 0)


def _mito_fragmented(layout: Layout, rng: np.random.Generator, untreated: Floats) -> Floats:
    """The threads broken into short, swollen, round pieces."""
    free = (layout.rim > 3) & (layout.beyond > 2)
    counts = np.maximum(rng.poisson(0.024 * layout.totals(free.astype(float))), 5)
    y, x = layout.places(rng, free * np.exp(-np.maximum(layout.beyond, 0) / 16) + 1e-12, counts)
    pieces = spots(y, x, rng.uniform(1.2, 2.3, len(y)), rng.uniform(0.5, 1.3, len(y))) * (layout.cells > 0)
    return layout.match(1.7 * np.tanh(pieces / 1.7) + 0.13 * layout.height * (1 - 0.65 * layout.nucleus), untreated)


def _actin_fibres(layout: Layout, rng: np.random.Generator, untreated: Floats) -> Floats:
    """The cortex thinned, and stress fibres in parallel through the whole cell."""
    kept = untreated * (1 - 0.75 * np.exp(-layout.rim / 6))
    typical = layout.spread(layout.totals(untreated) / np.maximum(layout.totals(np.ones_like(untreated)), 1))
    return layout.match(0.55 * kept + 1.7 * typical * _fibres(layout, rng), untreated)


def _rna_granules(layout: Layout, rng: np.random.Generator, untreated: Floats) -> Floats:
    """A good part of the RNA in the cytoplasm gathered into granules; the nucleus as it was."""
    free = (layout.rim > 4) & (layout.beyond > 2.5)
    counts = np.maximum(rng.poisson(0.0105 * layout.totals(free.astype(float))), 5)
    y, x = layout.places(rng, free * (0.3 + np.exp(-np.maximum(layout.beyond, 0) / 14)) + 1e-12, counts)
    granules = spots(y, x, rng.uniform(1.1, 2.2, len(y)), rng.uniform(0.5, 1.3, len(y))) * (layout.cells > 0)
    nucleus = untreated * layout.nucleus
    cytoplasm = untreated - nucleus
    gathered = layout.match(granules * (1 - layout.nucleus), cytoplasm)
    return nucleus + 0.72 * cytoplasm + 0.28 * gathered


_PAINTERS: dict[str, Callable[[Layout, np.random.Generator], Floats]] = {
    "DNA": _dna,
    "ER": _er,
    "RNA": _rna,
    "AGP": _agp,
    "Mito": _mito,
}
_REPAINTERS: dict[str, Callable[[Layout, np.random.Generator, Floats], Floats]] = {
    "mito fragmented": _mito_fragmented,
    "actin fibres": _actin_fibres,
    "rna granules": _rna_granules,
}
