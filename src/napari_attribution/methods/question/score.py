"""Score: the one number of a classifier's answer that is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from napari_attribution.errors import RequestError

ScoreKind = Literal["logit", "probability", "contrast"]


@dataclass(frozen=True)
class Score:
    """A class's logit, its softmax probability, or its logit less that of another class.

    Parameters
    ----------
    kind : "logit", "probability" or "contrast"
    target : int
        Index of the class.
    against : int, optional
        Index of the other class, for a contrast.
    """

    kind: ScoreKind
    target: int
    against: int | None = None

    def of(self, scores: Tensor) -> Tensor:
        """(N, K) class scores to (N,) values of this score."""
        if self.kind == "probability":
            return scores.softmax(dim=1)[:, self.target]
        if self.kind == "contrast":
            assert self.against is not None
            return scores[:, self.target] - scores[:, self.against]
        return scores[:, self.target]

    @property
    def unit(self) -> str:
        """Unit of the score's values."""
        return "probability" if self.kind == "probability" else "logit"

    def describe(self, classes: Sequence[str]) -> str:
        """In words: "logit", "probability", "contrast with control"."""
        return f"contrast with {classes[self.against]}" if self.against is not None else self.kind


def choose_score(kind: str, target: str | None, against: str | None, classes: Sequence[str], scores: Tensor) -> Score:
    """The score that a request means.

    Parameters
    ----------
    kind : str
        "logit", "probability" or "contrast".
    target : str, optional
        The class; the predicted one if none is named.
    against : str, optional
        The other class of a contrast; the best of the others if none is named.
    classes : sequence of K str
    scores : (K,) Tensor of the well.

    Raises
    ------
    RequestError
        For a class or a score that does not exist.
    """
    if kind not in ("logit", "probability", "contrast"):
        raise RequestError(f"There is no score {kind!r}. Choose logit, probability or contrast.")
    index = int(scores.argmax()) if target is None else _index(target, classes)
    if kind != "contrast":
        if against is not None:
            raise RequestError(
                f"Only the score 'contrast' compares with another class; with {kind!r} leave out {against!r}."
            )
        return Score(kind, index)  # type: ignore[arg-type]
    others = scores.clone()
    others[index] = -float("inf")
    other = int(others.argmax()) if against is None else _index(against, classes)
    if other == index:
        raise RequestError(f"A contrast needs two different classes, found {classes[index]!r} twice.")
    return Score("contrast", index, other)


def _index(name: str, classes: Sequence[str]) -> int:
    for index, known in enumerate(classes):
        if known.casefold() == name.strip().casefold():
            return index
    raise RequestError(f"The classifier has no class {name!r}. It has: {', '.join(classes)}.")
