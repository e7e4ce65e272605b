"""Examples: fields as a network sees them, with their classes and the wells they belong to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Examples:
    """Fields of labelled wells.

    Parameters
    ----------
    inputs : (N, C, h, w) ndarray of float16 or float32
        Standardised stain by stain, as the classifier's card says. May lie in a file (numpy memmap).
    classes : (N,) ndarray of int64
        Numbers of their classes.
    groups : tuple of N str
        The well of each, named with its plate where there are several. Fields of one group are never parted by a split.
    plates : tuple of N str
        The plate of each; empty where there is only one.
    """

    inputs: npt.NDArray[np.float16] | npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    groups: tuple[str, ...]
    plates: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.classes)
