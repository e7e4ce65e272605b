r"""Regions: evidence weighed by how far the region around it speaks for the class.

A well is called for what some of its cells show, or for what one part of it shows: a colony, a corner, one tile of a mosaic. In
the second case, single places elsewhere that look alike are chance, and a map is more faithful without them:

    M = (e + floor) r^6,   r = how far G * evidence lies above its mean, the farthest 1

with e the positive evidence divided by its largest value and G a Gaussian of a region's size.

Where the network was also asked what it loses without each region (`napari_attribution.methods.question.covering`), r is told by
both: 0.6 of G * evidence and 0.4 of the loss, each in units of how far its best region lies above the mean. Gradients tell of the
image as it is being mixed, losses of the image as it is; a network with gates (squeeze-and-excitation) may answer to them
differently, and regions on which they agree are right more often.

It is relative on purpose: where the
image as a whole speaks against the class, smoothed evidence may be negative even where it is strongest. Where no region stands out
from the others, evidence stays as it is.

Weighed so, a map finds one treated tile among nine far better, and single affected cells among others worse
(`benchmarks/faithfulness.py`). To tell the two cases apart by the evidence itself (how many regions stand out, how
smoothed variance grows with the scale) was tried; a tenth to a fifth of the images came out on the wrong side.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_attribution.methods.shared.scales import smoothed, standing_out, strongest_one

POWER = 6.0
FLOOR = 0.1
"""What a place in a favoured region keeps without evidence of its own, as a share of the strongest."""
ASKED = 0.4
"""Weight of what the network loses without a region, beside the evidence in it."""


def borne_out(evidence: Tensor, coarse: Tensor, sigma: float) -> Tensor:
    """Signed evidence, weighed by its region; what speaks against the class alike.

    Parameters
    ----------
    evidence : (h, w) Tensor
    coarse : (h, w) Tensor
        What regions are judged by, in any unit.
    sigma : float
        Standard deviation of a region, in pixels; with 0 the evidence is returned as it is.

    Returns
    -------
    (h, w) Tensor, in the evidence's unit; its largest value, on either side, is the evidence's own, regions that do not stand out
    left aside.
    """
    factor, floor = weighing(evidence, coarse, sigma)
    return evidence * factor + floor


def weighing(evidence: Tensor, coarse: Tensor, sigma: float, lost: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What evidence is multiplied by, and what is then added to it: two (h, w) Tensors, neither negative. As `borne_out`.

    Parameters
    ----------
    lost : (h, w) Tensor, optional
        What the score loses without the region about each place, in any unit.
    """
    as_it_is = torch.ones_like(evidence), torch.zeros_like(evidence)
    if sigma <= 0:
        return as_it_is
    around = smoothed(coarse, sigma)
    above = standing_out(_told_by(around, lost))
    below = standing_out(_told_by(-around, None if lost is None else -lost))
    if not above.any():
        return as_it_is
    speaking_for, floor = _side(evidence, above, FLOOR)
    # The floor puts an order into a favoured region; what speaks against the class needs none.
    speaking_against, _ = _side(-evidence, below, 0.0)
    return torch.where(evidence >= 0, speaking_for, speaking_against), floor


def _told_by(around: Tensor, lost: Tensor | None) -> Tensor:
    """By how far a region lies above the mean: in its evidence, and in what is lost without it."""
    if lost is None or not standing_out(lost).any():
        return around
    if not standing_out(around).any():
        return lost
    one, other = ((field - field.mean()) / (field - field.mean()).max() for field in (around, lost))
    return (1 - ASKED) * one + ASKED * other


def _side(evidence: Tensor, out: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    tiny = torch.finfo(evidence.dtype).tiny
    weighed = (strongest_one(evidence) + floor) * out**POWER
    # Evidence that none of these regions has must not lend its height to the floor of others.
    height = (evidence.clamp_min(0) * (out > 0)).max()
    scaled = out**POWER * height / weighed.max().clamp_min(tiny)
    return scaled / evidence.max().clamp_min(tiny), scaled * floor
