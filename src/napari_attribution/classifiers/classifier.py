"""Classifier: what is explained, whatever file it came from.

The methods see only this: scores(x), the layers, and at a layer features(x) and head(activation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.examination import examine, probes
from napari_attribution.classifiers.memory import BUDGET, NEAR, batch_bytes, in_batches
from napari_attribution.classifiers.mixing import Mixing
from napari_attribution.classifiers.network import Network
from napari_attribution.classifiers.scorer import Scorer
from napari_attribution.classifiers.splitting import work
from napari_attribution.classifiers.splitting.beginnings.head_beginning import HeadBeginning
from napari_attribution.classifiers.splitting.halves import Carried
from napari_attribution.classifiers.splitting.splitter import Layer, Splitter
from napari_attribution.errors import LayerError

WITH_GRADIENT = work.WITH_GRADIENT
"""What a forward with its input gradient costs, in forwards (measured on a ResNet-18-like network)."""


@dataclass(frozen=True)
class Activation:
    """What the feature half hands to the head.

    Parameters
    ----------
    values : (N, n, h', w') Tensor
        The map of locations; of a transformer, its patch tokens.
    carried : tuple of Carried
        What else crosses the cut (skips, a class token): of all inputs at once, or of one after the other where the
        network takes one at a time.
    """

    values: Tensor
    carried: tuple[Carried, ...]


@dataclass(frozen=True)
class VectorOfLocations:
    """The vector at the end of a head's affine beginning, and what every location gives to it.

    Parameters
    ----------
    vector : (1, ...) Tensor
        Of m numbers.
    given : (h' * w', m) Tensor
    beside : what crosses beside the vector.
    beginning : HeadBeginning
    """

    vector: Tensor
    given: Tensor
    beside: tuple[Any, ...]
    beginning: HeadBeginning


class Classifier:
    """A network with its card.

    Parameters
    ----------
    network : Network
    card : ClassifierCard
    path, sha256 : the file, for the record.

    Raises
    ------
    ClassifierError
        Where the network does not answer as a classifier with this card must.
    """

    def __init__(self, network: Network, card: ClassifierCard, path: Path | None = None, sha256: str = "") -> None:
        self.card = card
        self.path = path
        self.sha256 = sha256
        self.forwards = 0.0
        self._network = network
        self._scorer = Scorer(network, card)
        x = probes(self._scorer)
        self.gradients, notes = examine(self._scorer, x)
        x = x[: 1 if self.one_by_one else 2].to(self._scorer.dtype)
        self._splitter = Splitter(network, self._scorer, x, self.gradients)
        self.notes = tuple(note for note in (*notes, self._splitter.note) if note)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.card.classes

    @property
    def device(self) -> str:
        """Where the network runs: "cpu", "cuda:0", "mps"."""
        return str(self._network.device)

    @property
    def name(self) -> str:
        return self.path.name if self.path else self.card.name

    @property
    def format(self) -> str:
        """What the file is: "TorchScript" or "torch.export"."""
        return self._network.format

    @property
    def mixing(self) -> Mixing | None:
        """The layer that blends the stains by nonnegative weights, where the network begins with one: which stain matters."""
        found = self._network.mixing
        return found if found is not None and found.weights.shape[1] == len(self.card.stains) else None

    @property
    def one_by_one(self) -> bool:
        """Whether the network takes only one input at a time."""
        return self._scorer.one_by_one

    @property
    def forward_seconds(self) -> float:
        """About what a forward of one input takes here, as measured when the classifier was loaded."""
        return self._scorer.forward_seconds

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
        return self._scorer.scores(x)

    def scores_of_many(self, make: Callable[[slice], Tensor], count: int) -> Tensor:
        """Scores of `count` inputs, without gradients, in batches that fit the memory budget.

        Parameters
        ----------
        make : callable
            Takes a slice of range(count), returns those inputs as (N, C, h, w).
        """
        each = self._bytes_of_a_forward
        most = max(1, NEAR // each) if self._network.device.type == "cpu" else count
        with torch.no_grad():
            return in_batches(lambda part: self.scores(make(part)), count, each, most=most)

    @property
    def _bytes_of_a_forward(self) -> int:
        """What the largest operation takes for one input: what it reads and what it makes, in float32."""
        largest = max((layer.shape[0] * layer.shape[1] * layer.shape[2] for layer in self.layers), default=0)
        h, w = self.card.size or (256, 256)
        return 8 * (largest or 16 * len(self.card.stains) * h * w)

    # ------------------------------------------------------------------------------------------------ the two halves

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every place where the network can be cut, first to last."""
        return self._splitter.layers

    @property
    def default_layer(self) -> str | None:
        """The last block's output that the scores depend on; None where the network cannot be cut."""
        return self._splitter.default

    @property
    def technique(self) -> str:
        """How the network is cut at the default layer: "graph cut", "graph interpreter", "dispatch capture", or ""."""
        return self._splitter.technique

    @property
    def cutting_seconds(self) -> float:
        """What finding and making the cuts has taken so far, beyond running the network."""
        return self._splitter.seconds

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
        chosen = self.layer(layer)
        halves = self._splitter.halves(chosen.name)
        self.forwards += len(x) * (1 - chosen.head_cost)
        x = x.to(self._network.device, self._scorer.dtype, copy=True)
        with torch.jit.optimized_execution(False):
            made = [halves.features(part) for part in x.split(1 if self.one_by_one else max(len(x), 1))]
        return Activation(torch.cat([maps for maps, _ in made]), tuple(carried for _, carried in made))

    def head(self, activation: Activation, layer: str | None = None) -> Tensor:
        """Run the rest of the network from a layer's activation: (N, K) scores.

        What came from a single input beside the activation is shared by all N activations.
        """
        chosen = self.layer(layer)
        halves = self._splitter.halves(chosen.name)
        n = len(activation.values)
        gradient = torch.is_grad_enabled() and activation.values.requires_grad
        self.forwards += n * chosen.head_cost * (WITH_GRADIENT if gradient else 1.0)
        parts = activation.values.split(1 if self.one_by_one else n)
        shared = len(activation.carried) == 1
        scores = []
        with torch.jit.optimized_execution(False):
            for number, part in enumerate(parts):
                doubled = torch.cat([part, part]) if self._scorer.doubles(part) else part
                output = halves.head(doubled, activation.carried[0 if shared else number])
                scores.append(self._scorer.read(output, doubled)[: len(part)])
        return torch.cat(scores)

    def locations_to_vector(
        self, activation: Activation, layer: str | None = None, budget: int = BUDGET
    ) -> VectorOfLocations | None:
        """What every location of one activation gives to the vector that ends the head's affine beginning.

        It is found on the network's steps and is not checked: compare what follows from it with `head`.

        Parameters
        ----------
        activation : Activation of one input
        layer : str, optional
        budget : int
            Bytes that may be taken beside the network.

        Returns
        -------
        None where the head has no such beginning, or it saves no work.
        """
        chosen = self.layer(layer)
        n, locations = activation.values.shape[1], activation.values[0, 0].numel()
        found = None if self.one_by_one else self._splitter.beginning(chosen.name, locations)
        if found is None or 8 * found.length * locations > budget:
            return None
        maps, (carried,) = activation.values, activation.carried
        allowed = batch_bytes(budget // 2, maps.device)

        def rows(part: slice) -> Tensor:
            made = found.rows(maps, carried, part)
            self.forwards += made.shape[1] * found.row_cost
            return made.T

        with torch.jit.optimized_execution(False):
            with torch.no_grad():
                vector, beside = found.vector(maps, carried)
            self.forwards += chosen.head_cost - found.rest_cost
            if found.by_channel:
                given = found.columns(maps, carried)
                self.forwards += WITH_GRADIENT * (chosen.head_cost - found.rest_cost) + locations * found.column_cost
            else:
                given = in_batches(rows, found.length, 20 * n * locations, allowed).T
        return VectorOfLocations(vector, given.detach(), beside, found)

    def cost_by_vector(self, layer: str | None, locations: int) -> float | None:
        """Forwards that it takes to silence every one of so many locations by way of the head's affine beginning, unchecked;
        None where there is none that saves work."""
        chosen = self.layer(layer)
        return None if self.one_by_one else self._splitter.cost_of_beginning(chosen.name, locations)

    def head_without(self, given: VectorOfLocations, locations: Tensor) -> Tensor:
        """Run the rest of the head with each of the given flat locations silenced: (N, K) scores in float64."""
        chosen = given.given[locations.to(given.given.device)]
        return self._rest_of_head(given, chosen.to(_most_exact(chosen.device)))

    def head_without_all(self, given: VectorOfLocations, silenced: Tensor) -> Tensor:
        """The same with several locations silenced at once: (N, h' * w') of them, 1 for silenced, to (N, K) scores."""
        exact = _most_exact(given.given.device)
        return self._rest_of_head(given, silenced.to(given.given.device, exact) @ given.given.to(exact))

    def _rest_of_head(self, given: VectorOfLocations, taken: Tensor) -> Tensor:
        self.forwards += len(taken) * given.beginning.rest_cost
        exact = _most_exact(given.vector.device)
        vectors = given.vector.to(exact) - taken.reshape(-1, *given.vector.shape[1:])
        with torch.no_grad(), torch.jit.optimized_execution(False):
            return self._scorer.read(given.beginning.rest(vectors, given.beside), vectors, exact)

    def head_may_be_affine(self, layer: str | None = None) -> bool:
        """Whether nothing is seen behind the layer that no affine head has."""
        return self._scorer.answers == "logits" and self._splitter.may_be_affine(self.layer(layer).name)

    def layer(self, name: str | None = None) -> Layer:
        """The layer of that name, or the default one.

        Raises
        ------
        LayerError
            Where the network cannot be cut, or has no such layer; names those that it has.
        """
        if self.default_layer is None:
            raise LayerError(
                "This network cannot be cut into two halves exactly, so methods that look inside it (the Ablation-CAMs) are "
                "not available. PCIM, DCMIX and occlusion need only its input and output."
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
        return self.layer(layer).head_cost

    def head_gives_gradients(self, layer: str | None = None) -> bool:
        """Whether the scores can be derived by the layer's activation."""
        return self.gradients and self._splitter.halves(self.layer(layer).name).gradients


def _most_exact(device: torch.device) -> torch.dtype:
    """Double precision, which Apple's GPUs do not have."""
    return torch.float32 if device.type == "mps" else torch.float64
