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

from napari_attribution.classifiers.card import ClassifierCard
from napari_attribution.classifiers.graph_cut import Cut, Halves
from napari_attribution.classifiers.memory import in_batches
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
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    stride: float
    block: bool


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
        Takes (N, C, h, w) float32, returns what the file's forward returns.
    card : ClassifierCard
    device : torch.device
    cutter : Cutter, optional
        None where the network cannot be cut.
    path, sha256 : the file, for the record.

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
        self._probabilities = False
        self._probe_inputs = self._probe()
        single, self._probabilities = self._check_scores()
        self.one_by_one = self._check_batches(single)
        if self.one_by_one:
            notes.append("The network takes one input at a time, so everything is slower.")
        if self._probabilities:
            notes.append("The network answers with probabilities; their logarithm serves as the logit.")
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
        try:
            # The optimising executor would recompile at every new shape, for seconds; this is the plain one.
            with torch.jit.optimized_execution(False):
                output = self._network(x.clone())
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:
            raise ClassifierError(
                f"The network cannot take an input of {tuple(x.shape)} (batch, stains, height, width): {_reason(error)} "
                "Check the number of stains and the input size on the card."
            ) from error
        return self._as_scores(output, x)

    def _as_scores(self, output: Any, x: Tensor) -> Tensor:
        n, k = len(x), len(self.classes)
        scores = _sole_scores(output, k)
        found = tuple(scores.shape)
        if scores.ndim == 4 and scores.shape[2:] == (1, 1):
            scores = scores.flatten(1)
        if scores.ndim > 2:
            raise ClassifierError(
                f"The network answers with an image of shape {found}, not with class scores: it is a segmentation or "
                "regression network. A classifier for whole inputs is needed."
            )
        if scores.ndim != 2 or len(scores) != n:
            raise ClassifierError(
                f"For {n} input{'s' * (n > 1)} of {tuple(x.shape[1:])} the network answers with the shape {found}, whose first "
                f"number should be {n}. The input size on the card ({self.card.size}) is probably wrong."
            )
        if scores.shape[1] == 1 and k == 2:
            scores = torch.cat(
                [1 - scores, scores] if self._probabilities else [torch.zeros_like(scores), scores], dim=1
            )
        if scores.shape[1] != k:
            raise ClassifierError(
                f"The network gives {scores.shape[1]} scores, but the card names {k} classes ({', '.join(self.classes)}). "
                "Name one class a score, in order."
            )
        if self._probabilities:
            scores = scores.clamp_min(1e-12).log()
        return scores.float()

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
            values, skips = halves.features(x.to(self._device).clone())
        return Activation(values, skips)

    def head(self, activation: Activation, layer: str | None = None) -> Tensor:
        """Run the rest of the network from a layer's activation: (N, K) scores.

        Skips that came from a single input are shared by all N activations.
        """
        halves = self._split(layer)
        n = len(activation.values)
        gradient = torch.is_grad_enabled() and activation.values.requires_grad
        self.forwards += n * self.head_cost(layer) * (WITH_GRADIENT if gradient else 1.0)
        skips = tuple(skip.expand(n, *skip.shape[1:]).clone() for skip in activation.skips)
        with torch.jit.optimized_execution(False):
            output = halves.head(activation.values.clone(), skips)
        return self._as_scores(output, activation.values)

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
                "not available. PCIM and DCMIX need only its input and output."
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

    def _check_scores(self) -> tuple[Tensor, bool]:
        """The scores of the first probe, and whether they are probabilities."""
        with torch.no_grad():
            first = [self.scores(single) for single in self._probe_inputs.split(1)]
        scores = torch.cat(first)
        sums = scores.sum(dim=1)
        probabilities = bool((scores >= 0).all() and (scores <= 1).all() and (sums - 1).abs().max() < 1e-4)
        if probabilities and len(self.classes) == 2 and bool((scores[:, 0] == 0).all()):
            probabilities = False
        if probabilities:
            scores = scores.clamp_min(1e-12).log()
        return scores, probabilities

    def _check_batches(self, single: Tensor) -> bool:
        """Whether the network must be fed one input at a time."""
        try:
            with torch.no_grad():
                both = self.scores(self._probe_inputs)
        except ClassifierError:
            return True
        return not _same(both, single)

    def _check_gradients(self) -> bool:
        x = self._probe_inputs[:1].clone().requires_grad_(True)
        try:
            with torch.enable_grad():
                gradient = torch.autograd.grad(self.scores(x).sum(), x, allow_unused=True)[0]
        except (RuntimeError, ClassifierError):
            return False
        return gradient is not None and bool(torch.isfinite(gradient).all())

    def _find_layers(self) -> list[str]:
        """List the layers and choose the default one; says in sentences what is not as it could be."""
        if self._cutter is None:
            return ["The network cannot be cut, so Pixel Ablation-CAM is not available."]
        x = self._probe_inputs[:1] if self.one_by_one else self._probe_inputs
        try:
            cuts = self._cutter.cuts(x)
        except (RuntimeError, LayerError) as error:
            return [f"The network cannot be cut ({_reason(error)}), so Pixel Ablation-CAM is not available."]
        self._cuts = {cut.name: cut for cut in cuts}
        rows = x.shape[2]
        self.layers = tuple(
            Layer(
                cut.name, cut.kind, (cut.shape[0], cut.shape[1], cut.shape[2]), rows / cut.shape[1], cut.is_block_output
            )
            for cut in cuts
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
        for x in (self._probe_inputs[:1], self._probe_inputs)[: 1 if self.one_by_one else 2]:
            with torch.no_grad():
                whole = self._answer(x)
                try:
                    with torch.jit.optimized_execution(False):
                        values, skips = halves.features(x.clone())
                        # A skip that shares its memory with the activation would not feel the ablation.
                        if any(skip.data_ptr() == values.data_ptr() for skip in skips):
                            return "the activation crosses the cut twice"
                        parts = self._as_scores(halves.head(values.clone(), tuple(skip.clone() for skip in skips)), x)
                except (RuntimeError, ClassifierError) as error:
                    return _reason(error)
            if not _same(whole, parts):
                return f"scores differ by {float((whole - parts).abs().max()):.2g}"
        if self.gradients:
            x = self._probe_inputs[:1]
            with torch.enable_grad(), torch.jit.optimized_execution(False):
                one = x.clone().requires_grad_(True)
                whole_gradient = torch.autograd.grad(self._answer(one).sum(), one)[0]
                two = x.clone().requires_grad_(True)
                values, skips = halves.features(two.clone())
                parts = self._as_scores(halves.head(values.clone(), tuple(skip.clone() for skip in skips)), x)
                parts_gradient = torch.autograd.grad(parts.sum(), two)[0]
            if not _same(whole_gradient, parts_gradient):
                return "gradients differ"
        return ""

    @property
    def _bytes_of_a_forward(self) -> int:
        """What the largest operation takes for one input: what it reads and what it makes, in float32."""
        largest = max((layer.shape[0] * layer.shape[1] * layer.shape[2] for layer in self.layers), default=0)
        return 8 * (largest or 16 * self._probe_inputs[0].numel())


def _sole_scores(output: Any, k: int) -> Tensor:
    """The one tensor in a network's answer that can be the class scores."""
    if isinstance(output, Tensor):
        return output
    values = (
        list(output.values()) if isinstance(output, dict) else list(output) if isinstance(output, tuple | list) else []
    )
    tensors = [value for value in values if isinstance(value, Tensor)]
    fitting = [tensor for tensor in tensors if tensor.ndim == 2 and tensor.shape[1] == k]
    if len(fitting) == 1:
        return fitting[0]
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors) or type(output).__name__
    raise ClassifierError(
        f"The network answers with several things ({shapes}), and it is not clear which of them are the {k} class scores. "
        "Export it with one output."
    )


def _same(a: Tensor, b: Tensor) -> bool:
    """Equal to rounding in float32."""
    if a.shape != b.shape:
        return False
    scale = float(a.abs().max()) if a.numel() else 1.0
    return bool(torch.allclose(a, b, rtol=1e-4, atol=1e-5 * max(scale, 1e-6)))


def _reason(error: BaseException) -> str:
    """The last line of a (TorchScript) error that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("RuntimeError:", "Error:"))] or lines or [type(error).__name__]
    text = told[-1].removeprefix("RuntimeError:").strip()
    return text if text.endswith(".") else text + "."
