"""What was removed of a well, stain by stain, and the steps back. Arrays only: no layer, no classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.unsignedinteger]
Box = tuple[slice, slice]

MOST_STEPS = 50
"""Steps that can be taken back; the oldest are forgotten."""


@dataclass(frozen=True, eq=False)
class Step:
    """What stood in a box before it was changed."""

    box: Box
    before: Bits


class Erased:
    """Which pixels of a well are removed, of which of its stains.

    Parameters
    ----------
    shape : (H, W)
    stains : int
        How many the well has.

    Attributes
    ----------
    bits : (H, W) ndarray of unsigned integers
        Bit i is set where stain i is removed.
    version : int
        Another number after each change.
    """

    def __init__(self, shape: tuple[int, int], stains: int) -> None:
        self.stains = stains
        self.bits: Bits = np.zeros(shape, dtype=np.min_scalar_type(2**stains - 1))
        self.version = 0
        self._steps: list[Step] = []

    @property
    def everything(self) -> int:
        """The bits of all stains."""
        return 2**self.stains - 1

    @property
    def any(self) -> bool:
        """Whether anything is removed."""
        return bool(self.bits.any())

    @property
    def steps(self) -> int:
        """How many steps can be taken back."""
        return len(self._steps)

    def remove(self, mask: Mask, stains: int) -> bool:
        """Remove these stains (bits) there; says whether that changed anything."""
        return self._change(np.where(mask, self.bits | self.bits.dtype.type(stains), self.bits))

    def take_over(self, painted: npt.NDArray[np.integer], stains: int) -> bool:
        """Take over what was painted on a picture of `bits`: these stains are removed where it was painted on, all are put back
        where it was wiped. Says whether that changed anything."""
        touched = painted != self.bits
        wiped = np.where(touched & (painted == 0), self.bits.dtype.type(0), self.bits)
        return self._change(np.where(touched & (painted != 0), self.bits | self.bits.dtype.type(stains), wiped))

    def put_back(self) -> bool:
        """Put everything back; a step like others."""
        return self._change(np.zeros_like(self.bits))

    def undo(self) -> bool:
        """Take the last step back; says whether there was one."""
        if not self._steps:
            return False
        step = self._steps.pop()
        self.bits[step.box] = step.before
        self.version += 1
        return True

    def masks(self, indices: Sequence[int]) -> Mask:
        """Of some of the well's stains, in this order: (C, H, W), or (H, W) where all have the same."""
        one = self.bits.dtype.type(1)
        planes = np.stack([(self.bits >> self.bits.dtype.type(index)) & one != 0 for index in indices])
        return planes[0] if bool((planes == planes[0]).all()) else planes

    def copy(self) -> Erased:
        """As it is now, without the steps back: for a worker."""
        made = Erased(self.bits.shape, self.stains)
        made.bits, made.version = self.bits.copy(), self.version
        return made

    def _change(self, bits: Bits) -> bool:
        changed = bits != self.bits
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if not rows.size:
            return False
        box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
        self._steps = [*self._steps[-MOST_STEPS + 1 :], Step(box, self.bits[box].copy())]
        self.bits[box] = bits[box]
        self.version += 1
        return True
