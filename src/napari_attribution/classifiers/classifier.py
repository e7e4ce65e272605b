"""Classifier: what is explained, whatever file it came from.

The methods see only this: scores(x), the layers, and at a layer features(x) and head(activation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from napari_attribution.classifiers.answers import reason, same, sole_scores
from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.memory import in_batches, is_out_of_memory
from napari_attribution.classifiers.splitting.geometry import Grid
from napari_attribution.classifiers.splitting.graph_cut import Cut, Halves
from napari_attribution.errors import ClassifierError, LayerError

WITH_GRADIENT = 2.2
"""What a forward with its input gradient costs, in forwards (measured on a ResNet-18-like network)."""

FEWEST_LOCATIONS = 16
"""The default layer has at least this many locations (4 x 4), where any block has."""


class Cutter(Protocol):
    """Something that knows where a network can be cut, and cuts it."""

    def cuts(self, x: Tensor) -> tuple[Cut, ...]: ...

    def split(self, cut: Cut) -> Halves: ...


@dataclass(frozen=True)
class Layer:
    """A place where the network can be cut.

    Parameters
    ----------
    name : str
        The module whose weights were used last, and the operation: "layers.2.norm2:relu".
    kind : str
    shape : (int, int, int)
        (n, h', w'): channels and locations, at the card's input size.
    stride : float
        Input pixels a location, along the rows.
    block : bool
        Whether it is a block's output: the only value that the rest of the network reads.
    grid : Grid
        Where its locations lie in the input.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    stride: float
    block: bool
    grid: Grid


@dataclass(frozen=True)
class Activation:
    """What the feature half hands to the head.

    Parameters
    ----------
    values : (N, n, h', w') Tensor
    skips : tuple of Tensor
        What else crosses the cut, with the same N.
    """

    values: Tensor
    skips: tuple[Tensor, ...]


class Classifier:
    """A network with its card, on a device.

    Parameters
    ----------
    network : callable
        Takes (N, C, h, w) of its dtype, returns what the file's forward returns.
    card : ClassifierCard
    device : torch.device
    cutter : Cutter, optional
        None where the network cannot be cut.
    path, sha256 : the file, for the record.
    dtype : torch.dtype
        Of the network's weights; inputs are made so.

    Raises
    ------
    ClassifierError
        Where the network does not answer as a classifier with this card must.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Any],
        card: ClassifierCard,
        device: torch.device,
        cutter: Cutter | None = None,
        path: Path | None = None,
        sha256: str = "",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._network = network
        self.card = card
        self._device = device
        self.path = path
        self.sha256 = sha256
        self.forwards = 0.0
        self._halves: dict[str, Halves] = {}
        self._cuts: dict[str, Cut] = {}
        self._cutter = cutter
        self.layers: tuple[Layer, ...] = ()
        self.default_layer: str | None = None
        notes: list[str] = []

        self.one_by_one = False
        self._dtype = dtype
        self._answers = "logits"
        self._probe_inputs = self._probe()
        self._answers = self._check_answers()
        single = self._check_scores()
        self.one_by_one = self._check_batches(single)
        if self.one_by_one:
            notes.append("The network takes one input at a time, so everything is slower.")
        if self._answers == "probabilities":
            notes.append("The network answers with probabilities; their logarithm serves as the logit.")
        if self._answers == "sigmoids":
            notes.append(
                "The network answers with a probability a class, each by itself; their log-odds serve as the logits."
            )
        self.gradients = self._check_gradients()
        if not self.gradients:
            notes.append("The network gives no gradients, so methods that train mixing weights are not available.")
        notes += self._find_layers()
        self.notes = tuple(notes)
        self.forwards = 0.0

    @property
    def classes(self) -> tuple[str, ...]:
        return self.card.classes

    @property
    def device(self) -> str:
        """Where the network runs: "cpu", "cuda:0", "mps"."""
        return str(self._device)

    @property
    def name(self) -> str:
        return self.path.name if self.path else self.card.name

    # ------------------------------------------------------------------------------------------------ the whole network

    def scores(self, x: Tensor) -> Tensor:
        """Class scores (logits) of a batch of prepared inputs.

        Parameters
        ----------
        x : (N, C, h, w) Tensor
            With a gradient to x where x asks for one.

        Returns
        -------
        (N, K) Tensor, in the order of `classes`.

        Raises
        ------
        ClassifierError
            Where the network fails on x, or answers with something else.
        """
        gradient = torch.is_grad_enabled() and x.requires_grad
        self.forwards += len(x) * (WITH_GRADIENT if gradient else 1.0)
        x = x.to(self._device)
        if self.one_by_one and len(x) > 1:
            return torch.cat([self._answer(single) for single in x.split(1)])
        return self._answer(x)

    def scores_of_many(self, make: Callable[[slice], Tensor], count: int) -> Tensor:
        """Scores of `count` inputs, without gradients, in batches that fit the memory budget.

        Parameters
        ----------
        make : callable
            Takes a slice of range(count), returns those inputs as (N, C, h, w).
        """
        with torch.no_grad():
            return in_batches(lambda part: self.scores(make(part)), count, self._bytes_of_a_forward)

    def _answer(self, x: Tensor) -> Tensor:
        return self._as_scores(self._run(x), x)

    def _run(self, x: Tensor) -> Any:
        """What the network's forward returns for x."""
        try:
            # The optimising executor would recompile at every new shape, for seconds; this is the plain one.
            with torch.jit.optimized_execution(False):
                return self._network(x.to(self._dtype, copy=True))
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise ClassifierError(
                f"The network cannot take an input of {tuple(x.shape)} (batch, stains, height, width): {reason(error)} "
                "Check the number of stains and the input size on the card."
            ) from error

    def _as_scores(self, output: Any, x: Tensor) -> Tensor:
        n, k = len(x), len(self.classes)
        scores = sole_scores(output, k)
        found = tuple(scores.shape)
        if scores.ndim == 4 and scores.shape[2:] == (1, 1):
            scores = scores.flatten(1)
        if scores.ndim == 1 and k == 2 and len(scores) == n:
            scores = scores[:, None]
        if scores.ndim > 2:
            raise ClassifierError(
                f"The network answers with an image of shape {found}, not with class scores: it is a segmentation or "
                "regression network. A classifier for whole inputs is needed."
            )
        if scores.ndim != 2 or len(scores) != n:
            raise ClassifierError(
                f"For {n} input{'s' * (n > 1)} of {tuple(x.shape[1:])} the network answers with the shape {found}, but "
                f"{(n, k)} is wanted: one row an input, one score a class. Check the input size on the card ({self.card.size})."
            )
        if scores.shape[1] != k and (scores.shape[1], k) != (1, 2):
            raise ClassifierError(
                f"The network gives {scores.shape[1]} scores, but the card names {k} classes ({', '.join(self.classes)}). "
                "Name one class a score, in order."
            )
        return self._as_logits(scores.float())

    def _as_logits(self, scores: Tensor) -> Tensor:
        """(N, K) or (N, 1) scores as (N, K) logits: a single score is that of the second of two classes."""
        if self._answers == "probabilities":
            scores = scores.clamp_min(1e-12).log()
        elif self._answers == "sigmoids":
            scores = scores.clamp(1e-7, 1 - 1e-7).logit()
        if scores.shape[1] == 1 and len(self.classes) == 2:
            return torch.cat([torch.zeros_like(scores), scores], dim=1)
        return scores

    # ------------------------------------------------------------------------------------------------ the two halves

    def features(self, x: Tensor, layer: str | None = None) -> Activation:
        """Run the network up to a layer.

        Parameters
        ----------
        x : (N, C, h, w) Tensor
        layer : str, optional
            Name of one of `layers`; the default layer if none is named.

        Raises
        ------
        LayerError
            Where there is no such layer, or the halves are not exactly the whole.
        """
        halves = self._split(layer)
        self.forwards += len(x) * (1 - self.head_cost(layer))
        with torch.jit.optimized_execution(False):
            values, skips = halves.features(x.to(self._device, self._dtype, copy=True))
        return Activation(values, skips)

    def head(self, activation: Activation, layer: str | None = None) -> Tensor:
        """Run the rest of the network from a layer's activation: (N, K) scores.

        Skips that came from a single input are shared by all N activations.
        """
        halves = self._split(layer)
        n = len(activation.values)
        gradient = torch.is_grad_enabled() and activation.values.requires_grad
        self.forwards += n * self.head_cost(layer) * (WITH_GRADIENT if gradient else 1.0)
        parts = activation.values.split(1 if self.one_by_one else n)
        return torch.cat([self._head(halves, part, activation.skips) for part in parts])

    def _head(self, halves: Halves, values: Tensor, skips: tuple[Tensor, ...]) -> Tensor:
        shared = tuple(skip.expand(len(values), *skip.shape[1:]).clone() for skip in skips)
        with torch.jit.optimized_execution(False):
            return self._as_scores(halves.head(values.clone(), shared), values)

    def layer(self, name: str | None = None) -> Layer:
        """The layer of that name, or the default one.

        Raises
        ------
        LayerError
            Where the network cannot be cut, or has no such layer; names those that it has.
        """
        if self.default_layer is None:
            raise LayerError(
                "This network cannot be cut into two halves exactly, so methods that look inside it (Pixel Ablation-CAM) are "
                "not available."
                + (
                    " PCIM and DCMIX need only its input and output."
                    if self.gradients
                    else " It gives no gradients either."
                )
            )
        wanted = self.default_layer if name is None else name
        for layer in self.layers:
            if layer.name == wanted:
                return layer
        raise LayerError(
            f"The network has no layer {wanted!r}. It has: {', '.join(layer.name for layer in self.layers)}."
        )

    def head_cost(self, layer: str | None = None) -> float:
        """Share of a forward's arithmetic that is behind the layer."""
        return self._cuts[self.layer(layer).name].head_cost

    def _split(self, name: str | None) -> Halves:
        layer = self.layer(name)
        if layer.name not in self._halves:
            assert self._cutter is not None
            halves = self._cutter.split(self._cuts[layer.name])
            problem = self._difference(halves)
            if problem:
                raise LayerError(
                    f"Cut at {layer.name}, the two halves do not give what the whole network gives ({problem})."
                )
            self._halves[layer.name] = halves
        return self._halves[layer.name]

    # ------------------------------------------------------------------------------------------------ found out at load

    def _probe(self) -> Tensor:
        h, w = self.card.size or (256, 256)
        generator = torch.Generator().manual_seed(0)
        return torch.randn(2, len(self.card.stains), h, w, generator=generator).to(self._device)

    def _check_answers(self) -> str:
        """Whether the network answers with logits, with probabilities that sum to 1, or with one sigmoid a class."""
        answers = []
        with torch.no_grad():
            # Logits leave [0, 1] for a strong input at the latest; probabilities never do.
            for factor in (0.0, 1.0, -1.0, 100.0, -100.0):
                output = self._run(factor * self._probe_inputs[:1])
                answers.append(sole_scores(output, len(self.classes)).float().flatten())
        answer = torch.stack(answers)
        if not bool(((answer >= 0) & (answer <= 1)).all()):
            return "logits"
        if answer.shape[1] > 1 and float((answer.sum(dim=1) - 1).abs().max()) < 1e-3:
            return "probabilities"
        # A network whose answer does not depend on its input tells nothing of itself.
        return "sigmoids" if float(answer.std(dim=0).max()) > 0 else "logits"

    def _check_scores(self) -> Tensor:
        """The scores of the two probes, each by itself."""
        with torch.no_grad():
            scores = torch.cat([self.scores(single) for single in self._probe_inputs.split(1)])
            again = torch.cat([self.scores(single) for single in self._probe_inputs.split(1)])
        if not bool(torch.isfinite(scores).all()):
            raise ClassifierError(
                "For a random input the network's scores are not numbers (NaN or infinity): its weights are damaged, or the "
                "card's input size is not the one that it was made for."
            )
        if not same(scores, again):
            raise ClassifierError(
                "The network gives another answer each time it is asked: something in it is random (dropout left on?). "
                "Ask its author to export it in eval mode: torch.jit.script(model.eval())."
            )
        return scores

    def _check_batches(self, single: Tensor) -> bool:
        """Whether the network must be fed one input at a time."""
        try:
            with torch.no_grad():
                both = self.scores(self._probe_inputs)
        except ClassifierError:
            return True
        return not same(both, single)

    def _check_gradients(self) -> bool:
        x = self._probe_inputs[:1].clone().requires_grad_(True)
        try:
            with torch.enable_grad():
                gradient = torch.autograd.grad(self.scores(x).sum(), x, allow_unused=True)[0]
        except (RuntimeError, ClassifierError) as error:
            if is_out_of_memory(error):
                raise
            return False
        return gradient is not None and bool(torch.isfinite(gradient).all())

    def _find_layers(self) -> list[str]:
        """List the layers and choose the default one; says in sentences what is not as it could be."""
        if self._cutter is None:
            return ["The network cannot be cut, so Pixel Ablation-CAM is not available."]
        x = self._probe_inputs[:1] if self.one_by_one else self._probe_inputs
        try:
            cuts = self._cutter.cuts(x.to(self._dtype))
        except (RuntimeError, LayerError) as error:
            if is_out_of_memory(error):
                raise
            return [f"The network cannot be cut ({reason(error)}), so Pixel Ablation-CAM is not available."]
        self._cuts = {cut.name: cut for cut in cuts}
        self.layers = tuple(
            Layer(cut.name, cut.kind, cut.shape, cut.grid.jump[0], cut.is_block_output, cut.grid) for cut in cuts
        )
        blocks = [layer for layer in self.layers if layer.block] or list(self.layers)
        roomy = [layer for layer in blocks if layer.shape[1] * layer.shape[2] >= FEWEST_LOCATIONS]
        for layer in reversed(roomy or blocks):
            self.default_layer = layer.name
            try:
                self._split(layer.name)
            except (LayerError, RuntimeError):
                self.default_layer = None
                continue
            return []
        return ["The network could not be cut exactly at any place, so Pixel Ablation-CAM is not available."]

    def _difference(self, halves: Halves) -> str:
        """Empty where head(features(x)) is the network, for a batch of 1 and of 2 and for gradients; else what differs."""
        probes = (self._probe_inputs[:1], self._probe_inputs)[: 1 if self.one_by_one else 2]
        try:
            for x in probes:
                with torch.no_grad(), torch.jit.optimized_execution(False):
                    whole = self._answer(x)
                    values, skips = halves.features(x.to(self._dtype, copy=True))
                    # A skip that shares its memory with the activation would not feel the ablation.
                    if any(skip.data_ptr() == values.data_ptr() for skip in skips):
                        return "the activation crosses the cut twice"
                    parts = self._head(halves, values, skips)
                if not same(whole, parts):
                    return f"scores differ by {float((whole - parts).abs().max()):.2g}"
            return self._difference_of_gradients(halves) if self.gradients else ""
        except (RuntimeError, ClassifierError) as error:
            if is_out_of_memory(error):
                raise
            return reason(error)

    def _difference_of_gradients(self, halves: Halves) -> str:
        x = self._probe_inputs[:1]
        with torch.enable_grad(), torch.jit.optimized_execution(False):
            one, two = x.clone().requires_grad_(True), x.clone().requires_grad_(True)
            (whole,) = torch.autograd.grad(self._answer(one).sum(), one)
            values, skips = halves.features(two.to(self._dtype, copy=True))
            parts, read = torch.autograd.grad(self._head(halves, values, skips).sum(), (two, values), allow_unused=True)
        if read is None:
            return "the scores do not depend on it"
        return "" if parts is not None and same(whole, parts) else "gradients differ"

    @property
    def _bytes_of_a_forward(self) -> int:
        """What the largest operation takes for one input: what it reads and what it makes, in float32."""
        largest = max((layer.shape[0] * layer.shape[1] * layer.shape[2] for layer in self.layers), default=0)
        return 8 * (largest or 16 * self._probe_inputs[0].numel())
