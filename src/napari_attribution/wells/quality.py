"""What is wrong with a well's pixels, before anything is explained by them.

An attribution of a broken image is as smooth and as colourful as one of a good image, so flaws are looked for first.

========== ======================================================================== ========
flaw       found by                                                                 severity
========== ======================================================================== ========
empty      every pixel of the stain is zero                                         refuse
constant   every pixel of the stain has the same value                              refuse
saturated  25 % or more of the pixels (`REFUSE_ABOVE`) are at the detector's top    refuse
saturated  0.5 % or more of the pixels (`WARN_ABOVE`) are at the detector's top     warn
clipped    5 % or more of the pixels (`CLIPPED_ABOVE`) share any other maximum      warn
========== ======================================================================== ========

A file seldom says how many bits its detector had, so the top is taken from the pixels: the stain's own maximum counts
as the detector's top where it is 2**k - 1 for a usual bit depth k (8 for 8-bit files; 8, 10, 12, 14 or 16 for wider
ones). A brightest pixel that falls there by chance does no harm: it is then one of very few. Other maxima that many
pixels share (a 12-bit camera stored in the upper bits, an image scaled to 0-1) look clipped, but may be meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_attribution.wells.well import Well

WARN_ABOVE = 0.005
REFUSE_ABOVE = 0.25
CLIPPED_ABOVE = 0.05
BIT_DEPTHS = (8, 10, 12, 14, 16)


@dataclass(frozen=True)
class Flaw:
    """Something wrong with one stain, as a sentence that names the stain, gives the numbers and says what to do."""

    stain: str
    severity: Literal["refuse", "warn"]
    sentence: str


def flaws(well: Well) -> tuple[Flaw, ...]:
    """What is wrong with the pixels of a well, in the order of its stains; empty for a sound well."""
    found = (_flaw(stain, plane) for stain, plane in zip(well.stains, well.pixels, strict=True))
    return tuple(flaw for flaw in found if flaw is not None)


def _flaw(stain: str, plane: npt.NDArray[Any]) -> Flaw | None:
    low, high = plane.min(), plane.max()
    if low == high:
        what = "is empty: every pixel is 0" if high == 0 else f"is blank: every pixel has the same value, {high:g}"
        return Flaw(
            stain,
            "refuse",
            f"The stain {stain} {what}. Check that its file holds the acquired image, or leave this well out.",
        )
    depth = _bit_depth(plane.dtype, float(high))
    count = int(np.count_nonzero(plane == high))
    share = count / plane.size
    if depth is None:
        if share < CLIPPED_ABOVE:
            return None
        return Flaw(
            stain,
            "warn",
            f"The stain {stain} looks clipped: {count:,} of {plane.size:,} pixels ({share:.1%}) share its largest value, "
            f"{high:g}. If the detector was saturated, differences in the bright places are lost.",
        )
    if share < WARN_ABOVE:
        return None
    sentence = (
        f"The stain {stain} is saturated: {count:,} of {plane.size:,} pixels ({share:.1%}) are at {high:g}, "
        f"the top of {depth} bits. "
    )
    if share >= REFUSE_ABOVE:
        return Flaw(
            stain, "refuse", sentence + "Too little is left to explain; acquire it again with a lower exposure."
        )
    return Flaw(
        stain, "warn", sentence + "Differences in the bright places are lost; a lower exposure would keep them."
    )


def _bit_depth(dtype: np.dtype[Any], high: float) -> int | None:
    """The bit depth whose top is `high`; None where it is the top of none that the dtype may hold."""
    plausible = BIT_DEPTHS[:1] if dtype.itemsize == 1 else BIT_DEPTHS
    return next((depth for depth in plausible if high == 2**depth - 1), None)
