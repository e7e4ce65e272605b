"""fit: train one network, with or without a mixing layer, until the validation wells gain nothing more by it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from napari_attribution.errors import TrainingError
from napari_attribution.training.backbones import MixedNetwork
from napari_attribution.training.fields.augmentation import Augmentation
from napari_attribution.training.fields.examples import Examples
from napari_attribution.training.network.checkpoints import key_of, read_checkpoint, write_checkpoint
from napari_attribution.training.network.epochs import Indices, batches, rng_of
from napari_attribution.training.network.fitted import Ending, Epoch, Fitted
from napari_attribution.training.network.mixing import Mixing
from napari_attribution.training.network.moment import Moment
from napari_attribution.training.network.optimiser import Optimiser
from napari_attribution.training.recipe import Recipe

__all__ = ["Epoch", "Fitted", "fit"]

EVERY = 0.25
"""Seconds after which whoever listens may stop the training."""

SETTLING = 5
"""Batches over which the means of batch normalisation are taken."""

LEAST_GAIN = 1e-3
"""By how much the validation loss must fall for an epoch to count as better."""


def fit(
    network: nn.Module,
    training: Examples,
    validation: Examples,
    recipe: Recipe,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    checkpoint: Path | None = None,
    tell: Callable[[Moment], None] | None = None,
) -> Fitted:
    """Train a network.

    Parameters
    ----------
    network : Module
        Of `napari_attribution.training.backbones.make_network`; it is trained in place.
    training, validation : Examples
        Wells to learn from, and other wells that tell when to stop.
    recipe : Recipe
    seed : int
        Of the order of the examples and their augmentation. The same seed gives the same numbers on the same machine.
    device : str or torch.device, optional
        On a CUDA device in mixed precision.
    checkpoint : Path, optional
        Written after each epoch. Where it is there already, the training goes on from it; on the CPU to the same numbers, bit
        for bit, as if it had never stopped.
    tell : callable, optional
        Called after each epoch, and within it a few times a second with what the last one came to. It may raise `Cancelled`; the
        checkpoint stays.

    Raises
    ------
    TrainingError
        Where the loss is not a number before the first epoch is over, so that there is no network to keep.
    RecordError
        For a checkpoint that may not be read, or is that of another training.
    OutputError
        For a checkpoint that cannot be written, or is damaged and cannot be set aside.
    """
    return _Fit(network, training, validation, recipe, seed, torch.device(device), checkpoint, tell).run()


class _NotANumber(Exception):  # noqa: N818 - it says what it is
    """The loss of a step, or of the validation wells, is not a number."""


class _Fit:
    def __init__(
        self,
        network: nn.Module,
        training: Examples,
        validation: Examples,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        checkpoint: Path | None,
        tell: Callable[[Moment], None] | None,
    ) -> None:
        # Convolutions of few channels are the quicker so on a CPU, by a quarter, and no slower elsewhere.
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.training, self.validation = training, validation
        self.recipe, self.seed, self.device = recipe, seed, device
        self.augmentation = Augmentation(recipe.crop, recipe.turns, recipe.brightness)
        self._forward = network.folded if isinstance(network, MixedNetwork) else network
        self.optimiser = Optimiser(network, recipe, device)
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0
        self.ended: Ending | None = None
        self.note = self.set_aside = ""
        self._tell, self._told = tell, time.monotonic()
        self.path = checkpoint
        self.key = key_of(training, validation, recipe, seed, network)

    @property
    def mixing(self) -> Mixing | None:
        return getattr(self.network, "mixing", None)

    def run(self) -> Fitted:
        self._go_on()
        while self.ended is None:
            try:
                self.history.append(self._epoch(len(self.history) + 1))
            except _NotANumber as found:
                self.ended, self.note = "not a number", str(found)
            else:
                self._judge()
            if self.path and self.best_epoch:
                write_checkpoint(self.path, self.key, self._state())
            if self.note == "":
                self._tell_it()
        if not self.best_epoch:
            raise TrainingError(self.note)
        return self._fitted()

    def _epoch(self, number: int) -> Epoch:
        rng = rng_of(self.seed, number)
        steps = batches(self.training.classes, self.recipe.batch, self.recipe.least_steps, rng)
        losses = []
        devices = () if self.device.type == "cpu" else (self.device,)
        # For what a backbone draws by itself (dropout): an epoch draws the same whether or not a kill came before it.
        with torch.random.fork_rng(devices, device_type=self.device.type if devices else "cuda"):
            torch.manual_seed(int(rng.integers(2**63)))
            self.network.train()
            for at, numbers in enumerate(steps):
                share = (number - 1 + at / len(steps)) / self.recipe.epochs
                losses.append(self._step(numbers, share, rng))
                if not np.isfinite(losses[-1]):
                    raise _NotANumber(self._where(number, at + 1, numbers))
                if time.monotonic() - self._told > EVERY:
                    self._tell_it()
            self._settle(steps[-SETTLING:], rng)
        loss, accuracy = self._validate()
        if not np.isfinite(loss):
            raise _NotANumber(
                f"The loss of the validation wells is not a number after epoch {number}. {self._advice(self.validation, None)}"
            )
        mixing = self.mixing
        importance = None if mixing is None else tuple(mixing.importance.tolist())
        return Epoch(float(np.mean(losses)), loss, accuracy, importance)

    def _step(self, numbers: Indices, share: float, rng: np.random.Generator) -> float:
        x = self.augmentation.draw(self.training.inputs, numbers, rng)
        x = x.to(self.device, memory_format=torch.channels_last)
        classes = torch.from_numpy(self.training.classes[numbers]).to(self.device)
        with self._precision():
            loss = cross_entropy(self._forward(x), classes, label_smoothing=self.recipe.smoothing)
        found = loss.item()
        if np.isfinite(found):
            self.optimiser.step(loss, share)
            if (mixing := self.mixing) is not None:
                mixing.project()
        return found

    @torch.no_grad()
    def _settle(self, steps: Sequence[Indices], rng: np.random.Generator) -> None:
        """Have batch normalisation take its means over some batches as the network now is.

        Its running means are those of networks that no longer are; while the weights still move much, a network that calls its
        training batches right calls all wells of the validation alike by them, and training would stop before it has begun.
        (Wu & Johnson 2021, arXiv 2105.07576, section 3, "precise batch statistics".)
        """
        norms = [module for module in self.network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        momenta = [norm.momentum for norm in norms]
        if not norms:
            return
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # The plain mean over all batches.
        for numbers in steps:
            x = self.augmentation.draw(self.training.inputs, numbers, rng)
            with self._precision():
                self._forward(x.to(self.device, memory_format=torch.channels_last))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    @torch.no_grad()
    def _validate(self) -> tuple[float, float]:
        self.network.eval()
        losses, right = [], []
        for at in range(0, len(self.validation), self.recipe.batch):
            part = slice(at, at + self.recipe.batch)
            x = torch.from_numpy(np.asarray(self.validation.inputs[part], np.float32)).to(self.device)
            classes = torch.from_numpy(self.validation.classes[part])
            with self._precision():
                scores = self.network(x)
            scores = scores.float().cpu()
            losses.append(cross_entropy(scores, classes, reduction="none"))
            right.append(scores.argmax(dim=1) == classes)
        loss, known = torch.cat(losses).numpy(), self.validation.classes
        of_classes = [float(loss[known == one].mean()) for one in np.unique(known)]
        return float(np.mean(of_classes)), float(torch.cat(right).float().mean())

    def _precision(self) -> Any:
        if self.device.type != "cuda":
            return nullcontext()
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.autocast("cuda", dtype)

    def _judge(self) -> None:
        number = len(self.history)
        losses = [epoch.validation_loss for epoch in self.history]
        if not self.best_epoch or losses[-1] < losses[self.best_epoch - 1] - LEAST_GAIN:
            self.best_epoch = number
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()}
        if number >= self.recipe.epochs:
            self.ended = "epochs"
        elif number - self.best_epoch >= self.recipe.patience:
            self.ended = "early"

    def _where(self, epoch: int, step: int, numbers: Indices) -> str:
        wells = sorted({self.training.groups[number] for number in numbers})
        named = ", ".join(wells[:8]) + (f" and {len(wells) - 8} more" if len(wells) > 8 else "")
        kept = f"The weights of epoch {self.best_epoch} are kept. " if self.best_epoch else ""
        return (
            f"The loss is not a number in epoch {epoch}, step {step}, whose fields are of the wells {named}. "
            f"{kept}{self._advice(self.training, numbers)}"
        )

    def _advice(self, examples: Examples, numbers: Indices | None) -> str:
        """What to do: leave wells out whose pixels are not numbers; else, smaller steps."""
        looked_at = range(len(examples)) if numbers is None else sorted(set(numbers.tolist()))
        bad = sorted(
            {examples.groups[number] for number in looked_at if not np.isfinite(examples.inputs[number]).all()}
        )
        if bad:
            return f"Pixels of {', '.join(bad[:8])} are not finite: leave them out."
        return "Its pixels are finite: try a smaller learning_rate."

    def _tell_it(self) -> None:
        """What the last epoch came to, if there was one."""
        self._told = time.monotonic()
        if self._tell is None:
            return
        done, last = len(self.history), self.history[-1] if self.history else None
        came_to = {} if last is None else asdict(last)
        self._tell(Moment("training", done, self.recipe.epochs, seed=self.seed, epoch=done, **came_to))

    def _state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "best": self.best,
            "best_epoch": self.best_epoch,
            "optimiser": self.optimiser.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
            "ended": self.ended,
            "note": self.note,
            "set_aside": self.set_aside,
        }

    def _go_on(self) -> None:
        """From the checkpoint, where there is one."""
        if self.path is None:
            return
        state, self.set_aside = read_checkpoint(self.path, self.key)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.ended, self.note, self.set_aside = state["ended"], state["note"], state["set_aside"]

    def _fitted(self) -> Fitted:
        self.network.load_state_dict(self.best)
        network = copy.deepcopy(self.network).to("cpu", memory_format=torch.contiguous_format).eval()
        importance = None
        if (mixing := self.mixing) is not None:
            network.mixing = mixing.plain().cpu()
            importance = mixing.importance.double().cpu().numpy()
        assert self.ended is not None
        return Fitted(network, importance, tuple(self.history), self.best_epoch, self.ended, self.note, self.set_aside)
