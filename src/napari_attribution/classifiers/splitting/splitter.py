"""Splitter: finds the layers of a network, chooses among the techniques that can part it there, and trusts none unchecked."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from napari_attribution.classifiers.answers import reason
from napari_attribution.classifiers.memory import is_out_of_memory
from napari_attribution.classifiers.network import Network
from napari_attribution.classifiers.splitting.beginnings.head_beginning import HeadBeginning
from napari_attribution.classifiers.splitting.beginnings.heads import Heads
from napari_attribution.classifiers.splitting.cuts import Cut
from napari_attribution.classifiers.splitting.finding import find_cuts, scores_of
from napari_attribution.classifiers.splitting.guard import Whole, difference
from napari_attribution.classifiers.splitting.halves import Halves
from napari_attribution.classifiers.splitting.layouts import Grid
from napari_attribution.classifiers.splitting.steps import Program
from napari_attribution.classifiers.splitting.techniques.technique import Technique
from napari_attribution.errors import AttributionError, Cancelled, LayerError

FEWEST_LOCATIONS = 16
"""The default layer has at least this many locations (4 x 4), where any block has."""

_TOO_EARLY = 0.5
"""A default layer with more than this share of a forward behind it is looked for elsewhere first."""

_MOST_TRIED = 12
"""Where so many blocks cannot be cut, the others cannot either."""


@dataclass(frozen=True)
class Layer:
    """A place where the network can be cut.

    Parameters
    ----------
    name : str
        The module that made it, and the operation: "layers.2.norm2:relu".
    kind : str
        The operation: "relu".
    shape : (int, int, int)
        (n, h', w'): channels and locations, at the card's input size.
    stride : float
        Input pixels a location, along the rows.
    block : bool
        Whether it is a block's output: the only value that the rest of the network reads.
    finished : bool
        Whether a block's last operation made it (an activation, a sum), not a bare convolution.
    grid : Grid
        Where its locations lie in the input.
    head_cost : float
        Share of a forward's arithmetic that is behind it.
    tokens : bool
        Whether its locations are the tokens of a transformer (class token excepted).
    head_bytes : int
        What a run of the rest of the network keeps at its fullest moment, at the card's input size.
    gradient_bytes : int
        What it makes in all, and keeps where its gradient is asked for.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    stride: float
    block: bool
    finished: bool
    grid: Grid
    head_cost: float
    tokens: bool
    head_bytes: int
    gradient_bytes: int


class Splitter:
    """The layers of a network and its halves at each.

    Parameters
    ----------
    network : Network
    scorer : Whole
        The whole network and how its answers are read.
    x : (1 or 2, C, h, w) Tensor
        Of the network's dtype; two inputs where it takes more than one at a time.
    gradients : bool

    Attributes
    ----------
    layers : tuple of Layer, first to last
    default : str or None
        The last block's output that the scores depend on, with at least 4 x 4 locations, else the last such output.
    technique : str
        The one in use at the default layer.
    note : str
        A sentence where the network cannot be cut.
    seconds : float
        What the search took beyond running the network.
    """

    def __init__(
        self,
        network: Network,
        scorer: Whole,
        x: Tensor,
        gradients: bool,
    ) -> None:
        self._check: Callable[[Halves], str] = partial(difference, whole=scorer, x=x, gradients=gradients)
        self._techniques: list[Technique] = []
        self._cuts: dict[str, Cut] = {}
        self._halves: dict[str, tuple[Halves, Technique]] = {}
        self._heads: Heads | None = None
        self._beginnings: dict[tuple[str, int], HeadBeginning | None] = {}
        self._refused: dict[str, str] = {}
        self.layers: tuple[Layer, ...] = ()
        self.default: str | None = None
        self.seconds = 0.0
        self.note = self._search(network, x)

    @property
    def technique(self) -> str:
        return self._halves[self.default][1].name if self.default is not None else ""

    def halves(self, name: str) -> Halves:
        """The halves at a layer, checked against the whole.

        Raises
        ------
        LayerError
            Where no technique parts the network exactly there.
        """
        if name in self._refused:
            raise LayerError(self._refused[name])
        if name not in self._halves:
            problems = []
            for technique in self._techniques:
                halves, problem = self._try(technique, self._cuts[name])
                if halves is not None:
                    self._halves[name] = halves, technique
                    break
                problems.append(f"{technique.name}: {problem}")
            else:
                self._refused[name] = (
                    f"Cut at {name}, the two halves do not give what the whole network gives ({'; '.join(problems)})."
                )
                raise LayerError(self._refused[name])
        return self._halves[name][0]

    def technique_at(self, name: str) -> str:
        """Which technique is in use at a layer."""
        self.halves(name)
        return self._halves[name][1].name

    def may_be_affine(self, name: str) -> bool:
        """Whether nothing is seen behind a layer that makes its head not affine."""
        return self._heads is None or self._heads.may_be_affine(self._cuts[name])

    def beginning(self, name: str, locations: int) -> HeadBeginning | None:
        """The affine beginning of the head behind a layer, unchecked; None where there is none that saves work."""
        if (name, locations) not in self._beginnings:
            halves = self.halves(name)
            found = None if self._heads is None else self._heads.beginning(self._cuts[name], locations)
            made = None
            if found is not None:
                with suppress(RuntimeError, LayerError):
                    made = HeadBeginning(halves, self._cuts[name], found, self._halves[name][1])
            self._beginnings[name, locations] = made
        return self._beginnings[name, locations]

    def cost_of_beginning(self, name: str, locations: int) -> float | None:
        """Forwards that it would take to silence every location by it; None where there is none that saves work."""
        found = None if self._heads is None else self._heads.beginning(self._cuts[name], locations)
        return None if found is None else found.cost(self._cuts[name], locations)

    def _try(self, technique: Technique, cut: Cut) -> tuple[Halves | None, str]:
        started = time.perf_counter()
        try:
            parts = technique.part(cut)
        except (RuntimeError, LayerError) as error:
            return None, reason(error)
        self.seconds += time.perf_counter() - started
        halves = Halves(parts, cut)
        problem = self._check(halves)
        return (None, problem) if problem else (halves, "")

    def _search(self, network: Network, x: Tensor) -> str:
        problems: list[str] = []
        try:
            available = list(network.techniques(x[:1]))
        except LayerError as error:
            available, problems = [], [reason(error)]
        read_whole = False
        for number, technique in enumerate(available):
            if technique.last_resort and read_whole and not problems:
                break  # it can find no more places
            try:
                started = time.perf_counter()
                program = technique.program()
                self.seconds += time.perf_counter() - started
                cuts = self._find(program, len(x))
            except Cancelled:
                raise
            except (RuntimeError, AttributionError, TypeError, ValueError, LookupError, AttributeError) as error:
                if is_out_of_memory(error):
                    raise
                problems.append(f"{technique.name}: {reason(error)}")
                continue
            # Techniques that read the same graph can part the same cuts.
            self._techniques = [other for other in available[number:] if other.source is technique.source]
            self._use(cuts)
            read_whole = not program.opaque
            if self.default is not None:
                return ""
            problems += list(self._refused.values())[:1]
        self.layers = ()
        why = problems[-1].rstrip(".") if problems else "none of its values holds a map of places of the input"
        return f"The network cannot be cut ({why}), so Pixel Ablation-CAM and its fused form are not available."

    def _find(self, program: Program, inputs: int) -> tuple[Cut, ...]:
        one, two = program.run(1), program.run(2) if inputs > 1 else None
        started = time.perf_counter()
        cuts = find_cuts(program, one, two, scores_of(program, one))
        self._heads = Heads(program, one, two)
        self.seconds += time.perf_counter() - started
        return cuts

    def _use(self, cuts: tuple[Cut, ...]) -> None:
        """List the layers, and choose the default one."""
        self._refused = {}
        self._cuts = {cut.name: cut for cut in cuts}
        self.layers = tuple(
            Layer(
                cut.name,
                cut.kind,
                cut.shape,
                cut.grid.jump[0],
                cut.is_block_output,
                cut.is_finished,
                cut.grid,
                cut.head_cost,
                cut.layout.tokens,
                cut.head_bytes,
                cut.gradient_bytes,
            )
            for cut in cuts
        )
        for layer in _candidates(self.layers)[:_MOST_TRIED]:
            try:
                self.halves(layer.name)
            except LayerError:
                continue
            self.default = layer.name
            break
        self.layers = tuple(layer for layer in self.layers if layer.name not in self._refused)


def _candidates(layers: tuple[Layer, ...]) -> list[Layer]:
    """Layers for the default one, the best first: the last blocks' outputs with at least 4 x 4 locations, then those with
    fewer. A network whose skips run past all of its blocks but the first (a U-Net) has its last activations tried first."""
    blocks = [layer for layer in layers if layer.block]
    roomy = [layer for layer in blocks if layer.shape[1] * layer.shape[2] >= FEWEST_LOCATIONS]
    finished = [layer for layer in layers if layer.finished and layer.shape[1] * layer.shape[2] >= FEWEST_LOCATIONS]
    early = not roomy or roomy[-1].head_cost > _TOO_EARLY
    best = [*reversed(finished), *reversed(roomy)] if early else [*reversed(roomy)]
    return list(dict.fromkeys([*best, *reversed(blocks), *reversed(layers)]))
