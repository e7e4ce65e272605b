"""What every way to part a network can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from napari_attribution.classifiers.splitting.crossing import Crossing
from napari_attribution.classifiers.splitting.cuts import Place
from napari_attribution.classifiers.splitting.steps import Key, Program


@dataclass(frozen=True)
class Parts:
    """A network parted at one cut, in its own terms: values as they are, whatever crosses besides beside them."""

    first: Callable[[Tensor], Crossing]
    second: Callable[[Tensor, tuple[Any, ...]], Any]
    gradients: bool = True


class Technique(Protocol):
    """A way to part a network.

    Attributes
    ----------
    name : str
    source : what it reads; techniques of the same source can part the same cuts.
    last_resort : bool
        Whether it sees no more places than the others, and only helps where they fail.
    """

    name: str
    last_resort: bool

    @property
    def source(self) -> object: ...

    def program(self) -> Program: ...

    def part(self, place: Place) -> Parts: ...

    def between(self, first: Place, second: Place) -> Callable[[Tensor, tuple[Any, ...]], Crossing]:
        """What stands between two places.

        Raises
        ------
        LayerError
            Where it cannot be had by itself.
        """
        ...

    def exactly(self, place: Place) -> Callable[[Tensor, tuple[Any, ...]], Any] | None:
        """The second half in double precision, for a float64 value; None where it cannot be had, or is large."""
        ...

    def weight(self, key: Key) -> Any:
        """One of the network's own tensors; None where the value is none."""
        ...
