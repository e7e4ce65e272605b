"""Whether a classifier's halves are exactly the network that its authors have, asked of the eager network itself.

Nothing here knows of graphs: scores and gradients come from the eager module, and what a changed activation does is found
by replacing the output of the eager module that makes that activation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from architectures import Architecture
from architectures.saving import dtype
from napari_attribution.classifiers.answers import reason, sole_scores
from napari_attribution.classifiers.classifier import Activation, Classifier
from napari_attribution.errors import LayerError

WEIGHTS = torch.tensor([1.0, -2.0, 0.5])
"""Of the scores in the number whose gradient is compared: the sum alone could be the same by accident."""

WHOLE = "(whole network)"
COPIES = ("getitem", "unpack", "view", "reshape", "slice", "flatten", "expand", "contiguous", "clone", "dropout")
"""Operations whose value has the numbers of another one, which more may read."""


@dataclass
class Verdict:
    """What the layers of one classifier gave.

    Parameters
    ----------
    file_is_the_network : bool
        Whether the file's scores are the eager network's; else the file itself is what the halves are compared with.
    exact : list of str
        Layers that stood all checks.
    confirmed : list of str
        Those of them that the eager network with a replaced activation confirms.
    dead : list of str
        Layers that are refused because the scores do not depend on them.
    refused, wrong : dict
        Layers that are refused for another reason, and that are not but fail a check: silent wrong answers.
    """

    file_is_the_network: bool = True
    exact: list[str] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def check(
    classifier: Classifier, network: nn.Module, architecture: Architecture, layers: Iterable[str] | None = None
) -> Verdict:
    """Ask a classifier at every layer, or at these.

    Three inputs, together and the first alone: scores; their gradient by the input, of the whole network too; the head of
    three changed activations of one input, together, one by one, and against the eager network with that activation.
    """
    tolerance = architecture.tolerance
    probabilities = any("probabilities" in note for note in classifier.notes)
    eager = Eager(network, len(classifier.classes), probabilities, classifier.one_by_one)
    x = architecture.inputs(3)
    with torch.no_grad():
        truth, file, first = eager.scores(x), classifier.scores(x), classifier.scores(x[:1])
    verdict = Verdict(close(file, truth, tolerance) and close(first, truth[:1], tolerance))
    of_network = verdict.file_is_the_network
    gradient = None
    if classifier.gradients:
        gradient = _gradient(eager.scores if of_network else classifier.scores, x)
        alone, among = _gradient(classifier.scores, x[:1]), _gradient(classifier.scores, x)
        if not architecture.data_decides and not close(alone, among[:1], 10 * tolerance):
            verdict.wrong[WHOLE] = "the gradient of one input is not its gradient among three"
    known = _Known(x, truth if of_network else file, gradient, eager.maps(x) if of_network else [])
    for name in layers if layers is not None else [layer.name for layer in classifier.layers]:
        try:
            problem = _check_layer(classifier, name, known, tolerance) or _check_head(
                classifier, name, known, tolerance
            )
            if not problem:
                confirmed = _check_twin(classifier, name, eager, known, tolerance)
                problem = "" if confirmed is not False else "the eager network with this activation answers otherwise"
                verdict.confirmed += [name] if confirmed else []
        except LayerError as error:
            if "do not depend on it" in str(error):
                verdict.dead.append(name)
            else:
                verdict.refused[name] = str(error)
            continue
        except Exception as error:
            problem = f"{type(error).__name__}: {reason(error)}"
        if problem:
            verdict.wrong[name] = problem
        else:
            verdict.exact.append(name)
    return verdict


class Eager:
    """The network as its authors have it: the truth, and the twin that replaces a module's output."""

    def __init__(self, network: nn.Module, k: int, probabilities: bool = False, one_by_one: bool = False) -> None:
        self._network = network
        self._k = k
        self._dtype = dtype(network)
        self._probabilities = probabilities
        self._one_by_one = one_by_one

    def scores(self, x: Tensor) -> Tensor:
        if self._one_by_one and len(x) > 1:
            return torch.cat([self.scores(one) for one in x.split(1)])
        scores = sole_scores(self._network(x.to(self._dtype, copy=True)), self._k).float()
        return scores.clamp_min(1e-12).log() if self._probabilities else scores

    def maps(self, x: Tensor) -> list[tuple[nn.Module, int, Tensor, int]]:
        """What every module makes of the first of two inputs, where it makes one of each: the module, the number of its call,
        the tensor, its axis of inputs."""
        both = [made.shape for _, _, made in self._outputs(x[:1] if self._one_by_one else x[:2])]
        found = []
        for (module, call, made), shape in zip(self._outputs(x[:1]), both, strict=True):
            grown = [axis for axis, (one, two) in enumerate(zip(made.shape, shape, strict=True)) if one != two]
            if self._one_by_one or (len(grown) == 1 and made.shape[grown[0]] == 1):
                found.append((module, call, made, 0 if self._one_by_one else grown[0]))
        return found

    def _outputs(self, x: Tensor) -> list[tuple[nn.Module, int, Tensor]]:
        """What every module makes of x: the module, the number of its call, the tensor."""
        found: list[tuple[nn.Module, int, Tensor]] = []
        calls: dict[nn.Module, int] = {}

        def keep(module: nn.Module, _: Any, output: Any) -> None:
            calls[module] = calls.get(module, -1) + 1
            if isinstance(output, Tensor) and not output.is_quantized and output.ndim in (3, 4):
                found.append((module, calls[module], output.detach().clone()))

        modules = [module for module in self._network.modules() if not isinstance(module, torch.jit.ScriptModule)]
        handles = [module.register_forward_hook(keep) for module in modules]
        try:
            with torch.no_grad():
                self.scores(x)
        finally:
            for handle in handles:
                handle.remove()
        return found

    def replaced(self, x: Tensor, module: nn.Module, call: int, output: Tensor, batch: int) -> Tensor:
        """The scores of x where that call of the module gives `output`, whose inputs lie along `batch`, instead."""
        if self._one_by_one and len(x) > 1:
            parts = zip(x.split(1), output.split(1, batch), strict=True)
            return torch.cat([self.replaced(one, module, call, part, batch) for one, part in parts])
        calls = -1

        def exchange(_: nn.Module, __: Any, made: Tensor) -> Tensor | None:
            nonlocal calls
            calls += 1
            return output.to(made.dtype).clone() if calls == call else None

        handle = module.register_forward_hook(exchange)
        try:
            with torch.no_grad():
                return self.scores(x)
        finally:
            handle.remove()


@dataclass
class _Known:
    """What is true, and the activations that were seen already."""

    x: Tensor
    scores: Tensor
    gradient: Tensor | None
    maps: list[tuple[nn.Module, int, Tensor, int]]
    seen: list[Tensor] = field(default_factory=list)


def _gradient(scores: Any, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_(True)
    return torch.autograd.grad((scores(x) * WEIGHTS).sum(), x)[0]


def _check_layer(classifier: Classifier, layer: str, known: _Known, tolerance: float) -> str:
    """What differs between head(features(x)) and the network; empty where nothing does."""
    shape = classifier.layer(layer).shape
    for n in (1, 3):
        with torch.no_grad():
            activation = classifier.features(known.x[:n], layer)
            scores = classifier.head(activation, layer)
        if tuple(activation.values.shape) != (n, *shape):
            return f"the activation has the shape {tuple(activation.values.shape)}, not {(n, *shape)}"
        if not close(scores, known.scores[:n], tolerance):
            return f"scores of {n} differ by {float((scores - known.scores[:n]).abs().max()):.2g}"
    if known.gradient is not None and classifier.head_gives_gradients(layer):
        found = _gradient(lambda x: classifier.head(classifier.features(x, layer), layer), known.x)
        if not close(found, known.gradient, 10 * tolerance):
            return f"gradients differ by {float((found - known.gradient).abs().max()):.2g}"
    return ""


def _changed(activation: Activation) -> Tensor:
    """Three times the activation, each weaker at some of its places: not 0 there, which some layers divide by."""
    values = activation.values
    kept = torch.rand(3, 1, *values.shape[2:], generator=torch.Generator().manual_seed(3)) > 0.4
    return values * torch.where(kept, 1.0, 0.25).to(values)


def _check_head(classifier: Classifier, layer: str, known: _Known, tolerance: float) -> str:
    """Whether the head takes several activations of one input at a time, and leaves alone what it is given."""
    with torch.no_grad():
        activation = classifier.features(known.x[:1], layer)
        changed = _changed(activation)
        together = classifier.head(replace(activation, values=changed), layer)
        apart = [classifier.head(replace(activation, values=one), layer) for one in changed.split(1)]
        again = classifier.head(activation, layer)
    if not close(together, torch.cat(apart), tolerance):
        return "three changed activations together are not those one by one"
    return "" if close(again, known.scores[:1], tolerance) else "the head has changed what it was given"


def _check_twin(classifier: Classifier, layer: str, eager: Eager, known: _Known, tolerance: float) -> bool | None:
    """Whether the eager network with the changed activation answers as the head does.

    None where no module makes it, or where another value has the same numbers (views, a concatenation of one, what is
    taken out of a list): then it is not certain that what is replaced is what was cut.
    """
    with torch.no_grad():
        activation = classifier.features(known.x[:1], layer)
        changed = _changed(activation)
        together = classifier.head(replace(activation, values=changed), layer)
    values = activation.values.float()
    copy = any(word in classifier.layer(layer).kind.casefold() for word in COPIES) or any(
        close(values, earlier, tolerance) for earlier in known.seen
    )
    known.seen.append(values)
    asked = False
    for module, call, made, batch in known.maps:
        output = with_activation(made.float(), values, changed.float(), batch, tolerance)
        if output is None:
            continue
        if close(eager.replaced(known.x[:1].expand(3, -1, -1, -1), module, call, output, batch), together, tolerance):
            return True
        asked = True
    return None if copy or not asked else False


def with_activation(made: Tensor, values: Tensor, changed: Tensor, batch: int, tolerance: float) -> Tensor | None:
    """A module's output with an activation in it replaced; None where it does not hold that activation.

    Parameters
    ----------
    made : (1, n, h, w), (1, h, w, n), (1, p + h w, n) or (p + h w, 1, n) Tensor
        p are tokens in front that stand for no place.
    values : (1, n, h, w) Tensor
    changed : (N, n, h, w) Tensor
    batch : int
        The axis of `made` along which its inputs lie.
    """
    (_, n, h, w), many = values.shape, len(changed)
    if batch == 0 and made.shape == values.shape and close(made, values, tolerance):
        return changed
    if batch == 0 and made.shape == (1, h, w, n) and close(made, values.permute(0, 2, 3, 1), tolerance):
        return changed.permute(0, 2, 3, 1)
    front = made.shape[1 - batch] - h * w if made.ndim == 3 and batch < 2 else -1
    if front < 0 or made.shape[2] != n:
        return None
    rows = made.transpose(0, batch)
    if not close(rows[:, front:], values.flatten(2).mT, tolerance):
        return None
    return torch.cat([rows[:, :front].expand(many, -1, -1), changed.flatten(2).mT], 1).transpose(0, batch)


def close(a: Tensor, b: Tensor, tolerance: float) -> bool:
    """Equal to rounding, by the size of the largest number."""
    if a.shape != b.shape or not bool(torch.isfinite(a).all() and torch.isfinite(b).all()):
        return False
    scale = float(b.abs().max()) if b.numel() else 1.0
    return float((a - b).abs().max() if b.numel() else 0.0) <= tolerance * max(scale, 1e-6)
