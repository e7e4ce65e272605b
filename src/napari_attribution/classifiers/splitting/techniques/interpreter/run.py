"""One execution of a graph: what is known by now, and up to where it is computed or taken as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from napari_attribution.classifiers.splitting.cuts import Place
from napari_attribution.classifiers.splitting.steps import Key, Step

DECISIONS: Key = "decisions"


class StopHere(Exception):  # noqa: N818 - it is no error
    """The last step that is wanted has been executed."""


@dataclass(frozen=True, eq=False)
class Decisions:
    """Which way was taken at every branch and loop."""

    taken: Sequence[bool]


@dataclass
class Run:
    """One execution: what is known by now.

    Parameters
    ----------
    stop : number of the last step to execute, if not all.
    replay : up to this step, values are not computed but taken from `given`, and decisions from `decisions`.
    """

    stop: int | None = None
    replay: int = 0
    given: Mapping[Key, Any] = field(default_factory=dict)
    decisions: list[bool] = field(default_factory=list)
    number: int = 0
    keys: dict[int, Key] = field(default_factory=dict)
    values: dict[Key, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    taken: list[bool] = field(default_factory=list)
    results: tuple[Key, ...] = ()
    module: str = ""

    def set(self, unique: int, key: Key, value: Any) -> None:
        self.keys[unique] = key
        self.values[key] = value

    def get(self, unique: int) -> Any:
        return self.values[self.keys[unique]]

    def step(
        self, kind: str, reads: Sequence[int], makes: Sequence[int], module: str, compute: Callable[[], Any]
    ) -> None:
        """Execute one operation, or take what it made from the first half."""
        self.number += 1
        self.module = module or self.module
        keys = [(self.number, output) for output in range(len(makes))]
        self.steps.append(Step(kind, tuple(self.keys[unique] for unique in reads), tuple(keys), module=self.module))
        if self.number <= self.replay:
            made = [self.given.get(key) for key in keys]
        else:
            result = compute()
            made = [result] if len(keys) == 1 else list(result if isinstance(result, list | tuple) else [result])
        for unique, key, value in zip(makes, keys, made, strict=False):
            self.set(unique, key, value)
        if self.number == self.stop:
            raise StopHere

    def decide(self, kind: str, unique: int | None, evaluate: Callable[[], bool]) -> bool:
        """Which way to go: as the first half went, as long as it is its way."""
        decided = self.decisions.pop(0) if self.decisions else None

        def compute() -> bool:
            nonlocal decided
            decided = evaluate() if decided is None else decided
            return decided

        self.step(kind, [] if unique is None else [unique], [], "", compute)
        self.taken.append(bool(decided))
        return bool(decided)


def run_from(place: Place, value: Tensor, carried: tuple[Any, ...]) -> Run:
    """An execution that starts at a place."""
    given = dict(zip(place.carried, carried, strict=True)) | {place.key: value}
    return Run(replay=place.step, given=given, decisions=list(given[DECISIONS].taken))
